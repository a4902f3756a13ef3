// Finds the text files of a corpus and reads them.
import Foundation
import Run

/// A file of a corpus.
struct TextFile: Sendable {
  let path: String
  /// The size, and the 32 bytes of a `TextPrint`, at the first reading; a later reading must find the same.
  let size: Int
  let digest: [UInt8]
  /// The cache file that has both from an earlier start; nil if the text was read at this start.
  var knownFrom: String?

  /// Reads the text again, piece by piece.
  /// - Parameter take: receives a piece, and where texts of JSON lines end in it, in bytes from the beginning of all.
  /// - Throws: `CorpusError.unreadable` when the file has changed, at the end.
  func forEachPiece(
    _ take: (_ piece: UnsafeRawBufferPointer, _ ends: [Int]) throws(CorpusError) -> Void
  ) throws(CorpusError) {
    let reader = try TextReader(opening: path)
    var print = TextPrint()
    try reader.forEachPiece { piece throws(CorpusError) in
      let ends = reader.takeEnds()
      print.add(piece, endedAt: ends)
      guard print.size <= size else { return false }
      try take(piece, ends)
      return true
    }
    guard print.size == size, print.digest == digest else {
      // The next start reads it.
      if let knownFrom { unlink(knownFrom) }
      throw CorpusError(.unreadable, "\(path) changed while it was being read; start again when it is complete")
    }
  }

  /// The whole text again.
  /// - Throws: `CorpusError.unreadable` when the file has changed.
  func bytes() throws(CorpusError) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(size)
    try forEachPiece { piece, _ in bytes.append(contentsOf: piece) }
    return bytes
  }
}

/// What tells a text from another one while it is read: its bytes, and of JSON lines where each text ends, since the same bytes may
/// be other documents.
private struct TextPrint {
  private var bytes = Digest()
  private var bounds: Digest?
  /// Bytes so far.
  private(set) var size = 0

  /// - Parameter ends: where texts of JSON lines end in this piece, in bytes from the beginning of all.
  mutating func add(_ piece: UnsafeRawBufferPointer, endedAt ends: [Int]) {
    bytes.add(piece)
    size += piece.count
    guard !ends.isEmpty else { return }
    if bounds == nil { bounds = Digest() }
    for end in ends { bounds?.add(number: end) }
  }

  /// SHA-256 of the bytes; where there are ends, of the hashes of both.
  var digest: [UInt8] {
    guard let bounds else { return bytes.finished() }
    return Digest.of(bytes.finished() + bounds.finished())
  }
}

/// The files that paths stand for, in order.
///
/// A path to a file stands for that file, whatever its kind. A path to a folder stands for all text files in the folder
/// and in its subfolders, in order of their names' bytes. Left out are names that start with a dot, links to folders,
/// empty files, files with a zero byte among their first 8000 bytes (git's rule for binary files), and files whose
/// first bytes are those of another format; `notices` lists them. A named file whose first bytes are those of another
/// format is refused.
///
/// A UTF-8 byte order mark at the beginning of a file is not a part of its text.
struct TextFiles: Sendable {
  private(set) var files: [TextFile] = []
  private var remarks = Remarks()
  /// What is known from an earlier start, and what is to be known at the next one.
  private let before: KnownTexts?
  private(set) var known = KnownTexts()

  /// Notices of files that were left out and byte order marks that were removed, one line per reason.
  var notices: [String] { remarks.lines }

  /// Bytes of all files.
  var size: Int { files.reduce(0) { $0 + $1.size } }

  /// A file that may have a text.
  private struct TextCandidate: Sendable {
    let path: String
    /// Bytes on the disk.
    let size: Int
    /// True for a file that was named, false for one of a folder.
    let isNamed: Bool
  }

  /// Finds and examines the files at paths, several files at a time.
  /// - Parameters:
  ///   - before: what an earlier start found; nil examines all files, and leaves `known` empty.
  ///   - progress: receives how many bytes of all files on the disk are done: about ten times a second, and at the end. Threads call
  ///     it, one at a time.
  /// - Throws: `CorpusError` missing, unreadable or empty, with the path.
  init(
    at paths: [String], before: KnownTexts? = nil, progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws(CorpusError) {
    self.before = before
    guard !paths.isEmpty else {
      throw CorpusError(.usage, "no text was named; put the paths of text files or folders into data.paths")
    }
    var candidates: [TextCandidate] = []
    var ends: [Int] = []
    for path in paths {
      let status = try Self.status(of: path)
      switch status.st_mode & S_IFMT {
      case S_IFDIR: try addFolder(path, to: &candidates)
      case S_IFREG: candidates.append(TextCandidate(path: path, size: Int(status.st_size), isNamed: true))
      default:
        throw CorpusError(
          .unreadable, "\(path) is a device, a pipe or a socket; a text must be a file, so that it can be read again")
      }
      ends.append(candidates.count)
    }
    let findings = Self.look(at: candidates, before, progress)
    var first = 0
    for (path, end) in zip(paths, ends) {
      let count = files.count
      for index in first..<end { try take(candidates[index], findings[index]) }
      guard files.count > count else {
        throw CorpusError(
          .empty,
          "\(path) is a folder without a text file (hidden, empty and binary files do not count); name one with text in it"
        )
      }
      first = end
    }
  }

  /// A text that was examined, or is known.
  private struct SeenText {
    var found: KnownTexts.Text
    /// The state of the file before it was read.
    var stamp: FileStamp?
    var knownFrom: String?

    func file(_ path: String) -> TextFile {
      TextFile(path: path, size: found.size, digest: found.digest, knownFrom: knownFrom)
    }
  }

  private mutating func note(_ text: SeenText) {
    if let stamp = text.stamp { known.note(text.found, at: stamp) }
  }

  /// The result of examining a file.
  private enum Finding {
    case text(SeenText)
    case empty
    case other(FileKind)
  }

  /// Looks at files, several at a time.
  private static func look(
    at candidates: [TextCandidate], _ before: KnownTexts?, _ progress: (_ done: Int, _ total: Int) -> Void
  ) -> [Result<Finding, CorpusError>] {
    let total = candidates.reduce(0) { $0 + $1.size }
    let lock = NSLock()
    var (done, pace) = (0, ReadingPace())
    func add(_ bytes: Int) {
      lock.lock()
      defer { lock.unlock() }
      done += bytes
      if pace.isDue() { progress(min(max(done, 0), total), total) }
    }
    let findings: [Result<Finding, CorpusError>] = WorkerThread.map(candidates.count) { index in
      var read = 0
      let finding = Result { () throws(CorpusError) in
        try look(at: candidates[index].path, before) { bytes in
          read += bytes
          add(bytes)
        }
      }
      // A file that is known, or no text, is done without being read.
      add(candidates[index].size - read)
      return finding
    }
    if total > 0 { progress(total, total) }
    return findings
  }

  /// Reads a file piece by piece for its size and digest; stops if its first bytes are those of another format.
  /// - Parameter take: receives how many bytes more are read.
  private static func look(
    at path: String, _ before: KnownTexts?, read take: (Int) -> Void
  ) throws(CorpusError) -> Finding {
    let stamp = before == nil ? nil : FileStamp(at: path, isJSONLines: TextReader.isJSONLines(path))
    if let stamp, let before, let text = before[stamp] {
      return .text(SeenText(found: text, stamp: stamp, knownFrom: before.path))
    }
    var print = TextPrint()
    var kind: FileKind?
    var isBinary = false
    var taken = 0
    let reader = try TextReader(opening: path)
    try reader.forEachPiece { piece in
      if print.size == 0 {
        kind = FileKind(piece)
        isBinary = piece.prefix(8000).contains(0)
        if kind != nil { return false }
      }
      print.add(piece, endedAt: reader.takeEnds())
      take(reader.readBytes - taken)
      taken = reader.readBytes
      return true
    }
    if let kind { return .other(kind) }
    if print.size == 0 { return .empty }
    let text = KnownTexts.Text(
      size: print.size, digest: print.digest, hasMark: reader.hasMark, isBinary: isBinary)
    return .text(SeenText(found: text, stamp: stamp))
  }

  /// Takes a file into the corpus, or leaves it out.
  /// - Throws: `CorpusError` where a file that was named is not a text, or one cannot be read.
  private mutating func take(_ candidate: TextCandidate, _ finding: Result<Finding, CorpusError>) throws(CorpusError) {
    let (path, isNamed) = (candidate.path, candidate.isNamed)
    switch finding {
    case .success(.text(let text)):
      note(text)
      guard isNamed || !text.found.isBinary else { return remarks.add(path, .binary) }
      files.append(text.file(path))
      if text.found.hasMark { remarks.add(path, .mark) }
    case .success(.empty):
      if isNamed { throw CorpusError(.empty, "\(path) is empty; name a file with text in it") }
      remarks.add(path, .empty)
    case .success(.other(let kind)):
      if isNamed { throw CorpusError(.badText, "\(path) is \(kind.refusal(of: path))") }
      remarks.add(path, .kind(kind.what, kind.refusal(of: path)))
    // Damaged, or JSON without a text.
    case .failure(let error) where error.kind == .badText && !isNamed:
      remarks.add(path, .unreachable(error.description))
    case .failure(let error): throw error
    }
  }

  /// - Parameter candidates: receives the files in it, in order.
  private mutating func addFolder(_ folder: String, to candidates: inout [TextCandidate]) throws(CorpusError) {
    for name in try DataFolder.names(in: folder) where !name.hasPrefix(".") {
      let path = DataFolder.path(folder, name)
      var link = stat()
      guard path.withFileName({ lstat($0, &link) }) == 0 else {
        // Gone since the folder was read, or deeper than the system goes by one path.
        if errno != ENOENT { remarks.add(path, .unreachable(Self.text(of: errno))) }
        continue
      }
      if link.st_mode & S_IFMT == S_IFDIR {
        try addFolder(path, to: &candidates)
        continue
      }
      var status = stat()
      guard path.withFileName({ stat($0, &status) }) == 0 else {
        remarks.add(path, .unreachable(Self.text(of: errno)))
        continue
      }
      switch status.st_mode & S_IFMT {
      case S_IFREG: break
      case S_IFDIR:
        remarks.add(path, .link)
        continue
      default:
        remarks.add(path, .device)
        continue
      }
      candidates.append(TextCandidate(path: path, size: Int(status.st_size), isNamed: false))
    }
  }

  private static func status(of path: String) throws(CorpusError) -> stat {
    var status = stat()
    guard path.withFileName({ stat($0, &status) }) == 0 else {
      let reason = errno
      if reason == ENOENT || reason == ENOTDIR || path.isEmpty {
        throw CorpusError(.missing, "there is no file or folder \(path.isEmpty ? "“”" : path)")
      }
      throw CorpusError(.unreadable, "\(path) cannot be read: \(text(of: reason))")
    }
    return status
  }

  static func text(of reason: Int32) -> String { SizeLimit.reason(reason) }
}

/// Notices about files, grouped by reason.
private struct Remarks: Sendable {
  enum SkipReason: Sendable, Hashable {
    case mark, binary, empty, link, device
    case unreachable(String)
    /// The kind of a file, and the whole notice if only one file is of this kind.
    case kind(String, String)
  }

  private var paths: [(reason: SkipReason, paths: [String])] = []
  /// Files that were left out for reasons of their own, beyond those that are named.
  private var further = 0
  /// Reasons that are named: damaged files have one each, and a corpus may have thousands of them.
  private static let most = 50

  mutating func add(_ path: String, _ reason: SkipReason) {
    if let index = paths.firstIndex(where: { Self.isSame($0.reason, reason) }) {
      paths[index].paths.append(path)
    } else if paths.count < Self.most {
      paths.append((reason, [path]))
    } else {
      further += 1
    }
  }

  private static func isSame(_ a: SkipReason, _ b: SkipReason) -> Bool {
    if case .kind(let what, _) = a, case .kind(let other, _) = b { return what == other }
    return a == b
  }

  var lines: [String] {
    guard further > 0 else { return namedLines }
    let were = further == 1 ? "file was" : "files were"
    return namedLines + ["\(further) more \(were) left out, with a reason each"]
  }

  private var namedLines: [String] {
    paths.map { reason, paths in
      let names = paths.prefix(3).joined(separator: ", ") + (paths.count > 3 ? " and \(paths.count - 3) more" : "")
      let were = paths.count == 1 ? "was" : "were"
      return switch reason {
      case .mark: "the UTF-8 byte order mark at the beginning was removed: \(names)"
      case .binary: "\(names) \(were) left out: binary, with a zero byte near the start"
      case .empty: "\(names) \(were) left out: empty"
      case .link: "\(names) \(were) left out: links to folders are not followed"
      case .device: "\(names) \(were) left out: a device, a pipe or a socket"
      case .unreachable(let reason): "\(names) \(were) left out: \(reason)"
      case .kind(let what, let refusal):
        paths.count == 1 ? "\(names) was left out: it is \(refusal)" : "\(names) \(were) left out: each is \(what)"
      }
    }
  }
}
