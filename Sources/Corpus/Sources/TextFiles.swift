// Finds the text files of a corpus and reads them.
import Foundation
import Run

/// A file of a corpus.
struct TextFile: Sendable {
  let path: String
  /// The size and SHA-256 at the first reading; a later reading must find the same.
  let size: Int
  let digest: [UInt8]

  /// Reads the file again.
  /// - Throws: `CorpusError.unreadable` when the file has changed.
  func bytes() throws(CorpusError) -> [UInt8] {
    let bytes = try TextFiles.read(path)
    guard bytes.count == size, Digest.of(bytes) == digest else {
      throw CorpusError(.unreadable, "\(path) changed while it was being read; start again when it is complete")
    }
    return bytes
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

  /// Notices of files that were left out and byte order marks that were removed, one line per reason.
  var notices: [String] { remarks.lines }

  /// Bytes of all files.
  var size: Int { files.reduce(0) { $0 + $1.size } }

  /// Finds and examines the files at paths.
  /// - Throws: `CorpusError` missing, unreadable or empty, with the path.
  init(at paths: [String]) throws(CorpusError) {
    guard !paths.isEmpty else {
      throw CorpusError(.usage, "no text was named; put the paths of text files or folders into data.paths")
    }
    for path in paths {
      switch try Self.type(of: path) {
      case S_IFDIR:
        let before = files.count
        try addFolder(path)
        guard files.count > before else {
          throw CorpusError(
            .empty,
            "\(path) is a folder without a text file (hidden, empty and binary files do not count); name one with text in it"
          )
        }
      case S_IFREG:
        switch try Self.look(at: path) {
        case .text(let file, let hasMark):
          files.append(file)
          if hasMark { remarks.add(path, .mark) }
        case .binary(let file): files.append(file)
        case .empty: throw CorpusError(.empty, "\(path) is empty; name a file with text in it")
        case .other(let kind): throw CorpusError(.badText, "\(path) is \(kind.refusal(of: path))")
        }
      default:
        throw CorpusError(
          .unreadable, "\(path) is a device, a pipe or a socket; a text must be a file, so that it can be read again")
      }
    }
  }

  /// The result of examining a file.
  private enum Finding {
    case text(TextFile, hasMark: Bool)
    /// With a zero byte near its start.
    case binary(TextFile)
    case empty
    case other(FileKind)
  }

  /// Reads a file piece by piece for its size and digest; stops if its first bytes are those of another format.
  private static func look(at path: String) throws(CorpusError) -> Finding {
    var digest = Digest()
    var size = 0
    var kind: FileKind?
    var isBinary = false
    let hasMark = try forEachPiece(of: path) { piece in
      if size == 0 {
        kind = FileKind(piece)
        isBinary = piece.prefix(8000).contains(0)
        if kind != nil { return false }
      }
      digest.add(piece)
      size += piece.count
      return true
    }
    if let kind { return .other(kind) }
    if size == 0 { return .empty }
    let file = TextFile(path: path, size: size, digest: digest.finished())
    return isBinary ? .binary(file) : .text(file, hasMark: hasMark)
  }

  private mutating func addFolder(_ folder: String) throws(CorpusError) {
    for name in try DataFolder.names(in: folder) where !name.hasPrefix(".") {
      let path = DataFolder.path(folder, name)
      var link = stat()
      guard path.withFileName({ lstat($0, &link) }) == 0 else {
        // Gone since the folder was read, or deeper than the system goes by one path.
        if errno != ENOENT { remarks.add(path, .unreachable(Self.text(of: errno))) }
        continue
      }
      if link.st_mode & S_IFMT == S_IFDIR {
        try addFolder(path)
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
      switch try Self.look(at: path) {
      case .text(let file, let hasMark):
        files.append(file)
        if hasMark { remarks.add(path, .mark) }
      case .binary: remarks.add(path, .binary)
      case .empty: remarks.add(path, .empty)
      case .other(let kind): remarks.add(path, .kind(kind.what, kind.refusal(of: path)))
      }
    }
  }

  private static func type(of path: String) throws(CorpusError) -> mode_t {
    var status = stat()
    guard path.withFileName({ stat($0, &status) }) == 0 else {
      let reason = errno
      if reason == ENOENT || reason == ENOTDIR || path.isEmpty {
        throw CorpusError(.missing, "there is no file or folder \(path.isEmpty ? "“”" : path)")
      }
      throw CorpusError(.unreadable, "\(path) cannot be read: \(text(of: reason))")
    }
    return status.st_mode & S_IFMT
  }

  /// All bytes of a file, without a UTF-8 byte order mark at the beginning.
  static func read(_ path: String) throws(CorpusError) -> [UInt8] {
    var bytes: [UInt8] = []
    _ = try forEachPiece(of: path) { piece in
      bytes.append(contentsOf: piece)
      return true
    } expecting: {
      bytes.reserveCapacity($0)
    }
    return bytes
  }

  /// Calls `take` with the bytes of a file, without a byte order mark, piece by piece, until the end or until `take`
  /// stops it.
  /// - Parameter expecting: receives the expected number of bytes before the first piece.
  /// - Returns: true if the file begins with a byte order mark.
  private static func forEachPiece(
    of path: String, _ take: (UnsafeRawBufferPointer) -> Bool, expecting: (Int) -> Void = { _ in }
  ) throws(CorpusError) -> Bool {
    let file = path.withFileName { open($0, O_RDONLY | O_CLOEXEC) }
    guard file >= 0 else { throw CorpusError.unreadable(path, errno) }
    defer { close(file) }
    var status = stat()
    let expected = fstat(file, &status) == 0 ? Int(status.st_size) : 0
    guard expected < memory else {
      throw CorpusError(
        .unreadable,
        """
        \(path) has \(quantity(expected, spaced: false))B, and this machine has \(quantity(memory, spaced: false))B of \
        memory: split the file into several, which are read one at a time
        """)
    }
    expecting(expected)
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
    defer { room.deallocate() }
    var (hasMark, isFirst) = (false, true)
    // Files of the kernel's say that they are empty: reading goes on until nothing comes.
    while true {
      let count = Foundation.read(file, room.baseAddress!, room.count)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw CorpusError(.unreadable, "\(path) cannot be read: \(text(of: errno))") }
      if count == 0 { return hasMark }
      var piece = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(room)[..<count])
      if isFirst, piece.starts(with: [0xEF, 0xBB, 0xBF]) {
        hasMark = true
        piece = UnsafeRawBufferPointer(rebasing: piece[3...])
      }
      isFirst = false
      if !piece.isEmpty, !take(piece) { return hasMark }
    }
  }

  /// Bytes of memory that this machine has.
  private static let memory = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))

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

  mutating func add(_ path: String, _ reason: SkipReason) {
    if let index = paths.firstIndex(where: { Self.isSame($0.reason, reason) }) {
      paths[index].paths.append(path)
    } else {
      paths.append((reason, [path]))
    }
  }

  private static func isSame(_ a: SkipReason, _ b: SkipReason) -> Bool {
    if case .kind(let what, _) = a, case .kind(let other, _) = b { return what == other }
    return a == b
  }

  var lines: [String] {
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
