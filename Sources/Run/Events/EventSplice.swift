// What is read of a run's files and what comes from its process tell the same events, in part: each is passed on once.

/// Joins two tellings of a run's events.
package struct EventSplice: Sendable {
  /// The last step that was passed on.
  package private(set) var lastStep = 0
  /// The newest other events, by what tells them apart; and the same in their order.
  private var seen: Set<String> = []
  private var order: [String] = []

  /// More than a process sends again to somebody who comes later.
  private static let most = 16_384

  package init() {}

  /// Whether an event is a new one.
  /// - Parameter isFresh: True if it happened after the telling began. What is shown of the network may be the same twice then.
  package mutating func isNew(_ event: Event, isFresh: Bool = false) -> Bool {
    switch event {
    case .stepped(let report): return isNew(step: report.step)
    case .summedUp(let steps): return isNew(step: steps.mean.step)
    case .confirmed, .gap: return true
    case .began(let beginning):
      guard isNew("begin \(beginning.step) \(beginning.time)") else { return false }
      lastStep = beginning.step
      return true
    case .evaluated(let evaluation): return isNew("heldout \(evaluation.step) \(evaluation.time)")
    case .ordered(let sample): return isNew("order \(sample.step) \(sample.probe)") || isFresh
    case .mapped(let map): return isNew("memory \(map.step) \(map.steps)") || isFresh
    case .wrote(let sample): return isNew("text \(sample.step) \(sample.text.prefix(40))") || isFresh
    case .occurred(let occurrence):
      return isNew("\(occurrence.kind.rawValue) \(occurrence.step) \(occurrence.time) \(occurrence.key)")
    case .ended(let ending): return isNew("end \(ending.step) \(ending.reason.rawValue)")
    }
  }

  private mutating func isNew(step: Int) -> Bool {
    guard step > lastStep else { return false }
    lastStep = step
    return true
  }

  private mutating func isNew(_ name: String) -> Bool {
    guard seen.insert(name).inserted else { return false }
    order.append(name)
    if order.count > 2 * Self.most {
      for name in order[..<Self.most] { seen.remove(name) }
      order.removeFirst(Self.most)
    }
    return true
  }
}
