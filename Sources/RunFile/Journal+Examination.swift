// A journal looked at as a file: how much of it is whole, and whether what is not is only an end cut short.
import Foundation
import Run

extension Journal {
  /// What a journal holds.
  struct Examined {
    var entries: Int
    /// Bytes after the last whole entry.
    var rest: Int
    /// Where it is damaged, when whole entries follow: more than a crash does.
    var damage: Int?
  }

  /// - Throws: `UserError` when it cannot be read, or is none.
  static func examined(_ path: String) throws -> Examined {
    let file = try FileDescriptor(opening: path, O_RDONLY)
    let bytes = try file.read(at: 0, count: file.size())
    guard bytes.starts(with: magic) else { throw UserError(.data, "\(path) does not begin as a journal does") }
    var examined = Examined(entries: 0, rest: 0)
    var place = magic.count
    while let next = end(of: place, in: bytes) {
      examined.entries += 1
      place = next
    }
    examined.rest = bytes.count - place
    let isFollowed = (place + 1..<max(place + 1, bytes.count - 8)).contains { end(of: $0, in: bytes) != nil }
    if isFollowed { examined.damage = place }
    return examined
  }

  /// Where the entry at a place ends; nil where there is no whole one.
  private static func end(of place: Int, in bytes: [UInt8]) -> Int? {
    bytes.withUnsafeBytes { frame(at: place, of: $0).map { place + 8 + $0.count } }
  }
}
