// The newest events of a session, for peers that read at their own speed: memory is bounded however slow the peers are.
import Run

/// A bounded buffer of numbered events: the oldest are dropped.
struct EventRing {
  private struct KeptEvent {
    var event: NumberedEvent
    /// The event as a line, made when it is first needed.
    var line: [UInt8]?
  }

  /// The most events that are kept: some megabytes.
  static let most = 8192

  private var kept: [KeptEvent] = []
  /// The place of the oldest kept event, counted over the whole session.
  private var first = 0
  /// The number of the last event that was dropped.
  private var lastGivenUp = 0

  /// The place after the newest event.
  var end: Int { first + kept.count }

  mutating func append(_ event: NumberedEvent) {
    kept.append(KeptEvent(event: event))
    guard kept.count > Self.most + Self.most / 4 else { return }
    let count = kept.count - Self.most
    lastGivenUp = kept[count - 1].event.number
    kept.removeFirst(count)
    first += count
  }

  /// The place of the first kept event with this number or a higher one.
  func place(ofNumber number: Int) -> Int {
    var (low, high) = (0, kept.count)
    while low < high {
      let middle = (low + high) / 2
      if kept[middle].event.number < number { low = middle + 1 } else { high = middle }
    }
    return first + low
  }

  /// The line of the event at a place, after a gap line if events before it are missing.
  /// - Parameters:
  ///   - place: is advanced past the event.
  ///   - expected: the number that the peer expects next; is advanced too.
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
