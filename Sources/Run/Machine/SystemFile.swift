// Files in which the kernel says what there is: texts below /proc and /sys, whose size is not known before they are read.
import Glibc

package enum SystemFile {
  /// The text of a file; nil where it cannot be read.
  package static func text(_ path: String) -> String? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = fread(&buffer, 1, buffer.count, file)
      if count == 0 { break }
      bytes += buffer[..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The number of a line `key:  123 kB`, in bytes; nil where there is no such line.
  package static func bytes(_ key: String, in text: String) -> Int? {
    for line in text.split(separator: "\n") where line.hasPrefix(key + ":") {
      return line.dropFirst(key.count + 1).split { $0 == " " || $0 == "\t" }.first.flatMap { Int($0) }.map { $0 * 1024 }
    }
    return nil
  }
}
