// Unfinished files of the token cache. A draft lies beside the file that it becomes, with a note of its progress, so that a
// process killed while it tokenized a large text can continue from the last note.
import Foundation
import Run

/// The unfinished token file of a key, which only one process writes to.
///
/// | at | bytes of the note |
/// | --- | --- |
/// | 0 | 8 × 8: version, next file, bytes of its text that are done, tokens, documents, and the checksum of these |
final class TokenDraft {
  private static let version: UInt64 = 1
  /// Seconds from one note to the next.
  private static let patience = 2.0

  let path: String
  let file: Int32
  /// The file of the documents' beginnings, 8 bytes each, appended as they are found.
  private let documents: Int32
  /// The progress of the draft when it was opened.
  private(set) var place = TokenizingPlace()
  private(set) var tokens = 0
  private(set) var starts: [Int] = []
  private var noted = 0
  private var lastNote = ContinuousClock.now

  /// Opens the draft of a cache file, or begins it.
  /// - Parameters:
  ///   - width: bytes per token.
  ///   - files: the number of files of the text.
  /// - Returns: nil if another process writes the draft, or the folder cannot be written.
  init?(of cacheFile: String, width: Int, files: Int) {
    path = cacheFile + ".draft"
    file = path.withFileName { open($0, O_RDWR | O_CREAT | O_CLOEXEC, 0o644) }
    guard file >= 0 else { return nil }
    // The kernel releases the lock when the other process ends. A process that has finished has made the draft the cache file.
    guard flock(file, LOCK_EX | LOCK_NB) == 0, Self.isSame(file, path) else {
      close(file)
      return nil
    }
    // Opened only under the lock, since another process removes this file under its own lock when it finishes.
    documents = (path + ".documents").withFileName { open($0, O_RDWR | O_CREAT | O_CLOEXEC, 0o644) }
    guard documents >= 0 else {
      close(file)
      return nil
    }
    if let note = Self.note(at: path), note[1] <= files, hasRoom(for: note, width: width) {
      let found = self.starts(Int(note[4]))
      if found.count == Int(note[4]) {
        place = TokenizingPlace(file: Int(note[1]), offset: Int(note[2]))
        (tokens, starts) = (Int(note[3]), found)
      }
    }
    noted = starts.count
    ftruncate(file, off_t(CacheFile.headerSize + tokens * width))
    ftruncate(documents, off_t(8 * noted))
  }

  deinit {
    close(file)
    close(documents)
  }

  private static func isSame(_ file: Int32, _ path: String) -> Bool {
    var (a, b) = (stat(), stat())
    return fstat(file, &a) == 0 && path.withFileName { stat($0, &b) } == 0 && a.st_ino == b.st_ino
      && a.st_dev == b.st_dev
  }

  /// The content of the note; nil if it is missing or damaged.
  private static func note(at path: String) -> [UInt64]? {
    guard let bytes = try? Data(contentsOf: URL(filePath: path + ".note")), bytes.count == 48 else { return nil }
    let note = bytes.withUnsafeBytes { bytes in
      stride(from: 0, to: bytes.count, by: 8).map { bytes.loadUnaligned(fromByteOffset: $0, as: UInt64.self) }
    }
    guard note[0] == version, note[5] == sum(Array(note[..<5])), note[1...4].allSatisfy({ $0 < 1 << 48 }) else {
      return nil
    }
    return note
  }

  private static func sum(_ words: [UInt64]) -> UInt64 {
    var sum = CacheChecksum(of: 8 * words.count)
    words.withUnsafeBytes { sum.add($0) }
    return sum.finished
  }

  private func hasRoom(for note: [UInt64], width: Int) -> Bool {
    var status = stat()
    return fstat(file, &status) == 0 && Int(status.st_size) >= CacheFile.headerSize + Int(note[3]) * width
  }

  private func starts(_ count: Int) -> [Int] {
    var starts = [Int](repeating: 0, count: count)
    let read = starts.withUnsafeMutableBytes { pread(documents, $0.baseAddress, $0.count, 0) }
    return read == 8 * count ? starts : []
  }

  /// Writes a note of the progress, if the last note is old enough. After a failure the work is merely repeated later.
  func note(_ place: TokenizingPlace, tokens: Int, starts: [Int], isDue: Bool = false) {
    guard isDue || ContinuousClock.now - lastNote > .seconds(Self.patience) else { return }
    let added = Array(starts[noted...])
    let isWritten = added.withUnsafeBytes { bytes in
      bytes.isEmpty || pwrite(documents, bytes.baseAddress, bytes.count, off_t(8 * noted)) == bytes.count
    }
    guard isWritten, fdatasync(file) == 0, fdatasync(documents) == 0 else { return }
    noted = starts.count
    let words = [Self.version, UInt64(place.file), UInt64(place.offset), UInt64(tokens), UInt64(noted)]
    let bytes = (words + [Self.sum(words)]).withUnsafeBytes { Data($0) }
    try? bytes.write(to: URL(filePath: path + ".note"), options: .atomic)
    lastNote = ContinuousClock.now
  }

  /// Removes the files beside the draft. Call this under the lock, before the draft becomes the cache file.
  func removeNotes() { for ending in [".note", ".documents"] { unlink(path + ending) } }

  /// Removes a draft that has not become the cache file, with the files beside it.
  func remove() {
    removeNotes()
    unlink(path)
  }
}
