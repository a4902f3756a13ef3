// What a process did to the files of a folder, in order, as Tests/Torture/wiretap.c wrote it down.
import Foundation
import Run

struct Trace {
  enum FileChange {
    /// A file was opened by name; it is new, or was there before.
    case open(file: UInt64, path: String, isNew: Bool)
    case write(file: UInt64, offset: Int, bytes: Range<Int>)
    case resize(file: UInt64, size: Int)
    case sync(file: UInt64)
    case syncFolder(String)
    case rename(String, String)
    case unlink(String)
    case makeFolder(String)
    case removeFolder(String)
    /// A line on standard output.
    case say(String)
  }

  struct TracedChange {
    var change: FileChange
    /// Seconds.
    var time: Double
  }

  let bytes: [UInt8]
  private(set) var entries: [TracedChange] = []

  /// - Throws: `UserError` when it cannot be read, or is none.
  init(_ path: String) throws {
    bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
    var place = 0
    func word(_ size: Int) -> Int {
      defer { place += size }
      return Int(truncatingIfNeeded: bytes[place..<place + size].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
    }
    func text(_ count: Int) -> String {
      defer { place += count }
      return String(decoding: bytes[place..<place + count], as: UTF8.self)
    }
    while place + 48 <= bytes.count {
      let (operation, flags, file, offset, length) = (word(4), word(4), UInt64(word(8)), word(8), word(8))
      let time = Double(word(8)) / 1e9
      let (pathLength, otherLength) = (word(4), word(4))
      let (path, other) = (text(pathLength), text(otherLength))
      func change() throws -> FileChange {
        switch operation {
        case 1: return .open(file: file, path: path, isNew: flags == 1)
        case 2:
          defer { place += length }
          return .write(file: file, offset: offset, bytes: place..<place + length)
        case 3: return .resize(file: file, size: length)
        case 4: return .sync(file: file)
        case 5: return .syncFolder(path)
        case 6: return .rename(path, other)
        case 7: return .unlink(path)
        case 8: return .makeFolder(path)
        case 9: return .removeFolder(path)
        case 10: return .say(text(length))
        default: throw UserError(.data, "\(operation) at byte \(place) is no change that a trace has")
        }
      }
      entries.append(TracedChange(change: try change(), time: time))
    }
  }
}
