// Notes and tags that are not in run.h5 yet. They are written to notes.jsonl, since only the training process can write
// run.h5; the next process that closes run.h5, or opens it for writing, moves them there.
import Foundation
import Run

/// The waiting notes of a run, with notes.jsonl locked so that none is added while they are moved.
final class Notes {
  private let file: FileDescriptor
  private let occurrences: [Occurrence]

  /// The most bytes of notes.jsonl: some thousand notes.
  private static let most = 1 << 20

  /// Nil if no notes wait.
  init?(waitingIn folder: String) throws {
    let path = RunFolder(folder).notes
    guard FileSystem.exists(path), let file = try Self.locked(path, O_RDWR) else { return nil }
    occurrences = Self.parsed(try file.read(at: 0, count: Self.most))
    self.file = file
  }

  /// Adds the notes to a run's file, except those that a killed process has already added.
  func add(to store: Store, at place: () -> FileLayout.Position) throws {
    let known = Set(try Self.stored(in: store).map(Self.identity))
    for occurrence in occurrences where !known.contains(Self.identity(occurrence)) {
      store.events.append(FileLayout.record(occurrence, at: place()))
    }
  }

  /// Removes notes.jsonl, after run.h5 with the notes was written or closed.
  func remove() { unlink(file.path) }

  static func identity(_ occurrence: Occurrence) -> String {
    "\(occurrence.time.bitPattern) \(occurrence.key) \(occurrence.text)"
  }

  // MARK: Reading

  /// The waiting notes and tags of a run.
  static func waiting(_ folder: String) -> [Occurrence] {
    guard let file = try? FileDescriptor(opening: RunFolder(folder).notes, O_RDONLY) else { return [] }
    return parsed((try? file.read(at: 0, count: most)) ?? [])
  }

  /// The number of waiting notes and tags, and of other lines in notes.jsonl.
  static func examined(_ folder: String) throws -> (notes: Int, others: Int) {
    let bytes = try FileDescriptor(opening: RunFolder(folder).notes, O_RDONLY).read(at: 0, count: most)
    let lines = bytes.split(separator: UInt8(ascii: "\n"))
    // A last line without its end was never confirmed.
    let isTorn = bytes.last.map { $0 != UInt8(ascii: "\n") } ?? false
    let notes = parsed(bytes).count
    return (notes, lines.count - notes - (isTorn ? 1 : 0))
  }

  /// The notes and tags in a run's file.
  static func stored(in store: Store) throws -> [Occurrence] {
    try store.events.records(where: "key", isOneOf: Set(Annotation.allCases.map(\.rawValue)))
      .compactMap(FileLayout.occurrence).filter { $0.annotation != nil }
  }

  /// The notes and tags in run.h5 and in notes.jsonl.
  static func all(_ folder: String, _ store: Store) throws -> [Occurrence] {
    let stored = try stored(in: store)
    let known = Set(stored.map(identity))
    return stored + waiting(folder).filter { !known.contains(identity($0)) }
  }

  /// Parses the complete lines; lines that foretop did not write are skipped.
  private static func parsed(_ bytes: [UInt8]) -> [Occurrence] {
    guard let end = bytes.lastIndex(of: UInt8(ascii: "\n")) else { return [] }
    return bytes[..<end].split(separator: UInt8(ascii: "\n")).compactMap { line in
      guard line.count <= 4096, let read = try? StoredJSON.decoded(Occurrence.self, Array(line), "a note"),
        let annotation = read.annotation, let text = try? annotation.checked(read.text),
        StoredRun.isTime(read.time), (0..<1 << 53).contains(read.step)
      else { return nil }
      return Occurrence(annotation, text, step: read.step, time: read.time)
    }
  }

  // MARK: Writing

  /// Appends notes and tags to notes.jsonl. They are on the disk when this returns.
  static func write(_ occurrences: [Occurrence], to folder: String) throws {
    let path = RunFolder(folder).notes
    while true {
      // It was put in and removed between being opened and being locked.
      guard let file = try locked(path, O_RDWR | O_CREAT) else { continue }
      let size = try file.size()
      let lines = try occurrences.flatMap { try StoredJSON.encoded($0) + [UInt8(ascii: "\n")] }
      guard size + lines.count < most else {
        throw UserError(.data, "\(path) has \(size) bytes, more than the notes of any run: move it away, or empty it")
      }
      // One that was torn by a power cut is not to take the next one with it.
      let isTorn = try size > 0 && file.read(at: size - 1, count: 1) != [UInt8(ascii: "\n")]
      do {
        try file.write((isTorn ? [UInt8(ascii: "\n")] : []) + lines, at: size)
        try file.sync()
      } catch {
        try? file.resize(to: size)
        throw error
      }
      return try FileSystem.sync(folder)
    }
  }

  /// Opens and locks the file.
  /// - Returns: nil if the file was removed meanwhile.
  private static func locked(_ path: String, _ flags: Int32) throws -> FileDescriptor? {
    let file = try FileDescriptor(opening: path, flags)
    var tries = 0
    while flock(file.number, LOCK_EX | LOCK_NB) != 0 {
      guard errno == EWOULDBLOCK || errno == EINTR else { throw Failure("lock", path).error }
      tries += 1
      guard tries < 500 else { throw UserError(.unavailable, "\(path) is locked by another process: try again") }
      usleep(10_000)
    }
    var (opened, named) = (stat(), stat())
    guard fstat(file.number, &opened) == 0, stat(path, &named) == 0, opened.st_ino == named.st_ino else { return nil }
    return file
  }
}

extension Recorder {
  /// Records the notes and tags that wait in notes.jsonl. Those that cannot be recorded now stay there.
  func takeNotes() -> Notes? {
    guard let notes = try? Notes(waitingIn: folder) else { return nil }
    return (try? HDF5.alone { try notes.add(to: store, at: nextPlace) }) == nil ? nil : notes
  }

  /// Adds the notes that arrived while run.h5 was being closed: their writers still saw a live run. The run's lock is
  /// free.
  func takeLateNotes() {
    if StoredRun.hasWaitingNotes(folder) { try? HDF5.alone { try Recorder.recover(folder) } }
  }
}

extension StoredRun {
  /// Notes and tags of the run, oldest first, including those that are not in run.h5 yet.
  package func annotations() throws -> [Occurrence] { try Notes.all(folder, open()) }

  /// Adds notes and tags to a run, live or stored. They are on the disk when this returns, and in run.h5 unless the run
  /// is live: then the end of the run writes them there.
  /// - Returns: the error that kept them out of run.h5; nil if they are in run.h5, or the run is live.
  package static func annotate(_ folder: String, _ occurrences: [Occurrence]) throws -> UserError? {
    guard isThere(folder) else { throw missing(folder) }
    try Notes.write(occurrences, to: folder)
    do {
      // Another one may have come while these were put in: whoever wrote it left it to us.
      for _ in 0..<8 where hasWaitingNotes(folder) && !isBeingWritten(folder) { try Recorder.recover(folder) }
      return nil
    } catch let error as UserError {
      // Somebody goes on with the run since.
      return error.status == .unavailable ? nil : error
    }
  }

  /// Whether notes wait to be put into run.h5.
  package static func hasWaitingNotes(_ folder: String) -> Bool { !Notes.waiting(folder).isEmpty }
}
