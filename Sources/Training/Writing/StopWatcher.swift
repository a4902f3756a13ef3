// Ends a text at the first of some strings that is complete, and holds back what may be the beginning of one.

/// Watches the bytes of one text. `take` gives what is certain to be text; what may begin a stop string waits.
package struct StopWatcher: Sendable {
  private let stops: [[UInt8]]
  private var waiting: [UInt8] = []
  /// Whether a stop string came: the text ended before it.
  package private(set) var hasStopped = false

  /// - Parameter stops: none of them empty.
  package init(_ stops: [[UInt8]]) { self.stops = stops }

  /// - Returns: the bytes that can be shown now.
  package mutating func take(_ bytes: [UInt8]) -> [UInt8] {
    guard !hasStopped else { return [] }
    // Byte by byte: which stop string is complete first does not depend on how many bytes a token has.
    for byte in bytes {
      waiting.append(byte)
      guard let length = stops.filter({ waiting.hasSuffix($0) }).map(\.count).max() else { continue }
      hasStopped = true
      defer { waiting = [] }
      return Array(waiting.dropLast(length))
    }
    // The first place from which the rest could become a stop string.
    let kept = waiting.indices.first { place in stops.contains { $0.starts(with: waiting[place...]) } } ?? waiting.count
    let text = Array(waiting[..<kept])
    waiting.removeFirst(kept)
    return text
  }

  /// What still waits, where the text ends without a stop string.
  package mutating func finish() -> [UInt8] {
    defer { waiting = [] }
    return waiting
  }
}

extension Array where Element: Equatable {
  fileprivate func hasSuffix(_ end: [Element]) -> Bool {
    count >= end.count && self[(count - end.count)...] == end[...]
  }
}
