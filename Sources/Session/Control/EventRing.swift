// The newest events of a session, for peers that read at their own speed: memory is bounded however slow they are.
import Run

/// Numbered events, the oldest given up where there are too many.
struct EventRing {
  private struct Kept {
    var event: NumberedEvent
    /// Its line, once somebody needed it.
    var line: [UInt8]?
  }

  /// Events that are kept at most: some megabytes.
  static let most = 8192

  private var kept: [Kept] = []
  /// The place of the first that is kept, counted over the whole session.
  private var first = 0
  /// The number of the last event that was given up.
  private var lastGivenUp = 0

  /// The place after the newest.
  var end: Int { first + kept.count }

  mutating func append(_ event: NumberedEvent) {
    kept.append(Kept(event: event))
    guard kept.count > Self.most + Self.most / 4 else { return }
    let count = kept.count - Self.most
    lastGivenUp = kept[count - 1].event.number
    kept.removeFirst(count)
    first += count
  }

  /// The place of the first event that is kept with this number, or a later one.
  func place(ofNumber number: Int) -> Int {
    var (low, high) = (0, kept.count)
    while low < high {
      let middle = (low + high) / 2
      if kept[middle].event.number < number { low = middle + 1 } else { high = middle }
    }
    return first + low
  }

  /// The line of the event at a place, with what is missing before it.
  /// - Parameters:
  ///   - place: is moved past what is taken.
  ///   - expected: the number that the peer would get next; is moved too.
  mutating func take(at place: inout Int, expecting expected: inout Int) -> [UInt8]? {
    if place < first || (place == first && expected <= lastGivenUp) {
      let gap = ControlAnswer.gap(expected...max(lastGivenUp, expected))
      (place, expected) = (max(place, first), lastGivenUp + 1)
      return Array((gap.line + "\n").utf8)
    }
    // A peer may ask for events from a number on that has not come yet.
    while place < end, kept[place - first].event.number < expected { place += 1 }
    guard place < end else { return nil }
    let index = place - first
    let line = kept[index].line ?? Array((kept[index].event.json + "\n").utf8)
    kept[index].line = line
    place += 1
    expected = kept[index].event.number + 1
    return line
  }
}
