// The queue of one subscriber of a session, and which events are left out if the subscriber does not read.
import Dispatch
import Run
import Synchronization

/// A bounded queue of messages. One thread at a time should take.
package final class Subscription: Sendable {
  /// The most steps that wait: two megabytes. A screen that is drawn four times a second needs a few hundred.
  package static let mostSteps = 8192
  /// The most other events that wait: evaluations, samples, lines of the log.
  package static let mostOthers = 1024

  fileprivate struct MessageQueue {
    var waiting: [SessionMessage] = []
    /// Steps and other events among them.
    var steps = 0
    var others = 0
    /// Whether something other than steps waits, and the reader was woken for it.
    var hasWoken = false
  }

  private let state = Mutex(MessageQueue())
  private let mostSteps: Int
  /// Signalled once when messages arrive after the reader's last look.
  private let arrival = DispatchSemaphore(value: 0)

  /// Called when something other than steps begins to wait.
  private let wake: (@Sendable () -> Void)?

  init(mostSteps: Int, wake: (@Sendable () -> Void)? = nil) {
    self.mostSteps = mostSteps
    self.wake = wake
  }

  /// The number of waiting messages: at most `mostSteps` + `mostOthers`, two gaps, and the messages that begin and end
  /// a session.
  package var count: Int { state.withLock { $0.waiting.count } }

  /// Takes the waiting messages, oldest first; empty if there are none.
  /// - Parameter most: the most messages to take.
  package func take(most: Int = .max) -> [SessionMessage] {
    state.withLock { state in
      guard state.waiting.count > most else {
        defer { state = MessageQueue() }
        return state.waiting
      }
      state.hasWoken = false
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

  /// Queues a message, or leaves it out if the queue is full.
  func offer(_ message: SessionMessage) {
    let (isFirst, wakes) = state.withLock { state in
      let isFirst = state.waiting.isEmpty
      state.add(message, mostSteps: mostSteps)
      // Steps wait until the reader looks by itself: thousands may come in a second.
      let wakes = !message.isStep && !state.hasWoken
      if wakes { state.hasWoken = true }
      return (isFirst, wakes)
    }
    if isFirst { arrival.signal() }
    if wakes { wake?() }
  }
}

extension Subscription.MessageQueue {
  /// Old messages stay and new ones are left out: a slow reader finds the beginning, one gap, and then new events.
  fileprivate mutating func add(_ message: SessionMessage, mostSteps: Int) {
    if let phase = message.measuredPhase {
      // The newest says all; a reader that takes nothing misses nothing of the run by missing it.
      if waiting.last?.measuredPhase == phase { return waiting[waiting.count - 1] = message }
      guard others < Subscription.mostOthers else { return }
      others += 1
      return waiting.append(message)
    }
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

  fileprivate enum MeasuredPhase { case setup, evaluation }

  /// The phase of which a message says how much is done.
  fileprivate var measuredPhase: MeasuredPhase? {
    switch self {
    case .progress: .setup
    case .evaluating: .evaluation
    case .event, .preparing, .cancelled, .failed, .stopped, .closed: nil
    }
  }

  /// True for messages other than steps that count towards `mostOthers`. The beginning and the end of a session do not
  /// count.
  fileprivate var isBounded: Bool {
    if measuredPhase != nil { return true }
    guard case .event(let event) = self else { return false }
    return switch event.event {
    case .stepped, .began, .gap, .ended: false
    case .summedUp, .evaluated, .ordered, .mapped, .wrote, .occurred, .confirmed: true
    }
  }
}
