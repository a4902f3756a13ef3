// Paths to texts: which files a corpus is made of, and their bytes.
import Foundation

/// A file of a corpus.
struct TextFile: Sendable {
  let path: String
  /// The size and SHA-256 of what was read first; a later reading must find the same.
  let size: Int
  let digest: [UInt8]

  /// Reads the file again.
  /// - Throws: `CorpusError.unreadable` when it is not what it was.
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
/// A path to a file is that file, whatever it is. A path to a folder is all text files in it and in its folders, in order of
/// their names' bytes: names that start with a dot, links to folders, empty files, and files with a zero byte among
/// their first 8000 bytes (they are no text: git's rule) are left out.
struct TextFiles: Sendable {
  private(set) var files: [TextFile] = []

  /// Bytes of all files.
  var size: Int { files.reduce(0) { $0 + $1.size } }

  /// Reads what paths stand for.
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
        guard let file = try Self.file(at: path), file.size > 0 else {
          throw CorpusError(.empty, "\(path) is empty; name a file with text in it")
        }
        files.append(file)
      default:
        throw CorpusError(
          .unreadable, "\(path) is a device, a pipe or a socket; a text must be a file, so that it can be read again")
      }
    }
  }

  /// Reads a file for its size and its digest, a piece at a time.
  /// - Parameter orBinary: whether one with a zero byte near its start counts.
  /// - Returns: nil for one that does not count.
  private static func file(at path: String, orBinary: Bool = true) throws(CorpusError) -> TextFile? {
    var digest = Digest()
    var size = 0
    try forEachPiece(of: path) { piece in
      if size == 0, !orBinary, piece.prefix(8000).contains(0) { return false }
      digest.add(piece)
      size += piece.count
      return true
    }
    return size == 0 ? nil : TextFile(path: path, size: size, digest: digest.finished())
  }

  private mutating func addFolder(_ folder: String) throws(CorpusError) {
    let names: [String]
    do {
      names = try FileManager.default.contentsOfDirectory(atPath: folder)
    } catch {
      throw CorpusError(.unreadable, "the folder \(folder) cannot be read; check its permissions")
    }
    for name in names.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) where !name.hasPrefix(".") {
      let path = folder.hasSuffix("/") ? folder + name : folder + "/" + name
      var link = stat()
      guard lstat(path, &link) == 0 else { continue }  // Gone since the folder was read.
      if link.st_mode & S_IFMT == S_IFDIR {
        try addFolder(path)
        continue
      }
      var status = stat()
      guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { continue }
      if let file = try Self.file(at: path, orBinary: false) { files.append(file) }
    }
  }

  private static func type(of path: String) throws(CorpusError) -> mode_t {
    var status = stat()
    guard stat(path, &status) == 0 else {
      let reason = errno
      if reason == ENOENT || reason == ENOTDIR || path.isEmpty {
        throw CorpusError(.missing, "there is no file or folder \(path.isEmpty ? "“”" : path)")
      }
      throw CorpusError(.unreadable, "\(path) cannot be read: \(text(of: reason))")
    }
    return status.st_mode & S_IFMT
  }

  /// All bytes of a file.
  static func read(_ path: String) throws(CorpusError) -> [UInt8] {
    var bytes: [UInt8] = []
    try forEachPiece(of: path) { piece in
      bytes.append(contentsOf: piece)
      return true
    } expecting: {
      bytes.reserveCapacity($0)
    }
    return bytes
  }

  /// Hands on a file's bytes, a piece at a time, until there are no more or `take` says so.
  /// - Parameter expecting: told how many bytes there should be, before the first.
  private static func forEachPiece(
    of path: String, _ take: (UnsafeRawBufferPointer) -> Bool, expecting: (Int) -> Void = { _ in }
  ) throws(CorpusError) {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else {
      let reason = errno
      throw CorpusError(reason == ENOENT ? .missing : .unreadable, "\(path) cannot be read: \(text(of: reason))")
    }
    defer { close(file) }
    var status = stat()
    let expected = fstat(file, &status) == 0 ? Int(status.st_size) : 0
    guard expected < memory else {
      throw CorpusError(
        .unreadable,
        """
        \(path) has \(quantity(expected, spaced: false))B, and this machine \(quantity(memory, spaced: false))B of memory: \
        divide it into several files, of which one at a time is read
        """)
    }
    expecting(expected)
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
    defer { room.deallocate() }
    // Files of the kernel's say that they are empty: reading goes on until nothing comes.
    while true {
      let count = Foundation.read(file, room.baseAddress!, room.count)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw CorpusError(.unreadable, "\(path) cannot be read: \(text(of: errno))") }
      if count == 0 || !take(UnsafeRawBufferPointer(rebasing: room[..<count])) { return }
    }
  }

  /// Bytes of memory that this machine has.
  private static let memory = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))

  static func text(of reason: Int32) -> String { String(cString: strerror(reason)) }
}
