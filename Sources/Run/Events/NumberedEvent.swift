// Events with numbers, and gaps of slow subscribers.

/// An event with its number. A session numbers its events from 1 on, without a hole; all subscribers see the same order.
package struct NumberedEvent: Codable, Sendable, Equatable {
  package var number: Int
  package var event: Event

  package init(_ number: Int, _ event: Event) {
    self.number = number
    self.event = event
  }
}

/// Consecutive events that were left out for a subscriber.
package struct EventGap: Codable, Sendable, Equatable {
  /// The steps that were left out: the first, the last and how many; nil and 0 where only other events were.
  package var firstStep: Int?
  package var lastStep: Int?
  package var steps = 0
  /// How many other events were left out.
  package var others = 0

  package init() {}

  /// Leaves one more event out.
  package mutating func add(_ event: Event) {
    guard case .stepped(let report) = event else {
      others += 1
      return
    }
    firstStep = firstStep ?? report.step
    lastStep = report.step
    steps += 1
  }
}
