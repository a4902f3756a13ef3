// What waits for one subscriber of a session, and what is left out where it does not read.
import Dispatch
import Run
import Synchronization

/// A bounded queue of messages. One thread at a time should take.
package final class Subscription: Sendable {
  /// Steps that wait at most: two megabytes. A screen that is drawn four times a second needs some hundred.
  package static let mostSteps = 8192
  /// Other events that wait at most: evaluations, samples, lines of the log.
  package static let mostOthers = 1024

  fileprivate struct MessageQueue {
    var waiting: [SessionMessage] = []
    /// Steps and other events among them.
    var steps = 0
    var others = 0
  }

  private let state = Mutex(MessageQueue())
  private let mostSteps: Int
  /// Raised once for what came since the reader last looked.
  private let arrival = DispatchSemaphore(value: 0)

  init(mostSteps: Int) { self.mostSteps = mostSteps }

  /// How many messages wait: at most `mostSteps`, `mostOthers`, a gap beside each of these, and what begins and ends a session.
  package var count: Int { state.withLock { $0.waiting.count } }

  /// Takes what waits, oldest first; empty when nothing does.
  /// - Parameter most: how many messages at most.
  package func take(most: Int = .max) -> [SessionMessage] {
    state.withLock { state in
      guard state.waiting.count > most else {
        defer { state = MessageQueue() }
        return state.waiting
      }
      let taken = Array(state.waiting[..<most])
      state.waiting.removeFirst(most)
      for message in taken {
        if message.isStep { state.steps -= 1 } else if message.isBounded { state.others -= 1 }
      }
      return taken
    }
  }

  /// As `take`, after waiting until something has come or `deadline` has passed.
  package func take(waitingUntil deadline: DispatchTime) -> [SessionMessage] {
    while true {
      let taken = take()
      // A signal that is left over from what was taken before only makes it look once more.
      if !taken.isEmpty || arrival.wait(timeout: deadline) == .timedOut { return taken.isEmpty ? take() : taken }
    }
  }

  /// Puts a message in, or leaves it out.
  func offer(_ message: SessionMessage) {
    let isFirst = state.withLock { state in
      let isFirst = state.waiting.isEmpty
      state.add(message, mostSteps: mostSteps)
      return isFirst
    }
    if isFirst { arrival.signal() }
  }
}

extension Subscription.MessageQueue {
  /// The oldest stay: a reader that wakes up finds a beginning, one gap, and the present.
  fileprivate mutating func add(_ message: SessionMessage, mostSteps: Int) {
    guard case .event(let event) = message, message.isStep || message.isBounded else { return waiting.append(message) }
    if message.isStep {
      // In a gap, further steps make it longer.
      guard steps >= mostSteps || isInGap else {
        steps += 1
        return waiting.append(message)
      }
    } else if others < Subscription.mostOthers {
      others += 1
      return waiting.append(message)
    }
    leaveOut(event)
  }

  private var gap: EventGap? {
    if case .event(let last)? = waiting.last, case .gap(let gap) = last.event { gap } else { nil }
  }

  private var isInGap: Bool { gap != nil }

  private mutating func leaveOut(_ event: NumberedEvent) {
    var gap = self.gap ?? EventGap()
    if isInGap { waiting.removeLast() }
    gap.add(event.event)
    waiting.append(.event(NumberedEvent(event.number, .gap(gap))))
  }
}

extension SessionMessage {
  fileprivate var isStep: Bool { if case .event(let event) = self, case .stepped = event.event { true } else { false } }

  /// Whether it is an event beside the steps of which only so many may wait: a session begins and ends once.
  fileprivate var isBounded: Bool {
    guard case .event(let event) = self else { return false }
    return switch event.event {
    case .stepped, .began, .gap, .ended: false
    case .summedUp, .evaluated, .ordered, .wrote, .occurred, .confirmed: true
    }
  }
}
