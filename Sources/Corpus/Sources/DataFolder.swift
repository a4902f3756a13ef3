// Lists folders of texts and token files; names may be any bytes.
import Foundation
import Run

enum DataFolder {
  /// The names in a folder in order of their bytes, without `.` and `..`.
  /// - Throws: `CorpusError` missing or unreadable, with the system's reason.
  static func names(in folder: String) throws(CorpusError) -> [String] {
    guard let stream = folder.withFileName({ opendir($0) }) else { throw CorpusError.unreadable(folder, errno) }
    defer { closedir(stream) }
    var names: [[UInt8]] = []
    while true {
      errno = 0
      guard let entry = readdir(stream) else { break }
      // The name may be longer than the room that its type declares.
      let name = UnsafeRawPointer(entry).advanced(by: MemoryLayout<dirent>.offset(of: \.d_name) ?? 0)
      let bytes = UnsafeRawBufferPointer(start: name, count: strlen(name.assumingMemoryBound(to: CChar.self)))
      names.append(Array(bytes))
    }
    guard errno == 0 else { throw CorpusError.unreadable(folder, errno) }
    return names.filter { !$0.elementsEqual(".".utf8) && !$0.elementsEqual("..".utf8) }
      .sorted { $0.lexicographicallyPrecedes($1) }.map { String(fileName: $0) }
  }

  static func path(_ folder: String, _ name: String) -> String {
    folder.hasSuffix("/") ? folder + name : folder + "/" + name
  }

  /// True if a path is an existing folder.
  static func isFolder(_ path: String, followsLinks: Bool = true) -> Bool {
    var status = stat()
    let isThere = path.withFileName { followsLinks ? stat($0, &status) : lstat($0, &status) } == 0
    return isThere && status.st_mode & S_IFMT == S_IFDIR
  }
}
