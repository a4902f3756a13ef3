// Ends a text at the first complete stop string, and holds back text that may be the beginning of one.

/// Watches the bytes of one text. `take` returns the bytes that cannot belong to a stop string; others wait.
package struct StopWatcher: Sendable {
  private let stops: [[UInt8]]
  private var waiting: [UInt8] = []
  /// True if a stop string has come, before which the text ends.
  package private(set) var hasStopped = false

  /// - Parameter stops: none of them empty.
  package init(_ stops: [[UInt8]]) { self.stops = stops }

  /// - Returns: the bytes that can be shown now.
  package mutating func take(_ bytes: [UInt8]) -> [UInt8] {
    guard !hasStopped else { return [] }
    // Byte by byte, so that the first complete stop string does not depend on the lengths of tokens.
    for byte in bytes {
      waiting.append(byte)
      guard let length = stops.filter({ waiting.hasSuffix($0) }).map(\.count).max() else { continue }
      hasStopped = true
      defer { waiting = [] }
      return Array(waiting.dropLast(length))
    }
    // The first index from which the rest may become a stop string.
    let kept = waiting.indices.first { place in stops.contains { $0.starts(with: waiting[place...]) } } ?? waiting.count
    let text = Array(waiting[..<kept])
    waiting.removeFirst(kept)
    return text
  }

  /// The bytes that still wait, at the end of a text without a stop string.
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
