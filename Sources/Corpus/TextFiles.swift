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
        let bytes = try Self.read(path)
        guard !bytes.isEmpty else { throw CorpusError(.empty, "\(path) is empty; name a file with text in it") }
        add(path, bytes)
      default:
        throw CorpusError(
          .unreadable, "\(path) is a device, a pipe or a socket; a text must be a file, so that it can be read again")
      }
    }
  }

  private mutating func add(_ path: String, _ bytes: [UInt8]) {
    files.append(TextFile(path: path, size: bytes.count, digest: Digest.of(bytes)))
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
      let bytes = try Self.read(path)
      if !bytes.isEmpty && !bytes.prefix(8000).contains(0) { add(path, bytes) }
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
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else {
      let reason = errno
      throw CorpusError(reason == ENOENT ? .missing : .unreadable, "\(path) cannot be read: \(text(of: reason))")
    }
    defer { close(file) }
    var status = stat()
    let expected = fstat(file, &status) == 0 ? Int(status.st_size) : 0
    var bytes: [UInt8] = []
    // Files of the kernel's say that they are empty: reading goes on until nothing comes.
    var chunk = max(expected + 1, 1 << 16)
    while true {
      var failure: Int32 = 0
      let start = bytes.count
      bytes.append(
        contentsOf: [UInt8](unsafeUninitializedCapacity: chunk) { buffer, count in
          var got = 0
          repeat { got = Foundation.read(file, buffer.baseAddress!, chunk) } while got < 0 && errno == EINTR
          if got < 0 { failure = errno }
          count = max(0, got)
        })
      guard failure == 0 else { throw CorpusError(.unreadable, "\(path) cannot be read: \(text(of: failure))") }
      if bytes.count == start { return bytes }
      chunk = 1 << 16
    }
  }

  static func text(of reason: Int32) -> String { String(cString: strerror(reason)) }
}
