// Where a session's events get their order: each is numbered and handed to the recorder and to every subscriber, at once and
// without waiting for any of them.
import Run
import Synchronization

/// A message to a subscriber.
package enum SessionMessage: Sendable {
  case event(NumberedEvent)
  /// What is being made ready, before the run begins.
  case preparing(String)
  /// How many of how many bytes of the text are tokens already.
  case progress(done: Int, total: Int)
  /// The run could not begin.
  case failed(UserError)
  /// The trainer cannot go on, and ends: what is sound is being saved.
  case stopped(UserError)
  /// All is recorded and closed, or could not be.
  case closed(UserError?)
}

/// The one stream of a session. The order of the numbers is the order in which subscribers hear of events, and the order in
/// which the recorder stores them. An event is handed out when it happens, not when the disk has it: a disk that hangs for
/// minutes delays neither the next step on the screen nor anything behind it. What a crash could still undo is confirmed by an
/// event of its own.
package final class EventHub: Sendable {
  private struct Subscribers {
    /// The number of the last event.
    var number = 0
    var subscriptions: [Subscription] = []
  }

  private let state = Mutex(Subscribers())
  private let recorder: Mailbox<RecordingThread.Entry>

  /// - Parameter recorder: gets every event, however many wait there.
  init(recorder: Mailbox<RecordingThread.Entry>) { self.recorder = recorder }

  /// A new subscriber, who hears of all that comes from now on.
  /// - Parameter mostSteps: steps that wait for it at most; what comes beyond that is left out, and a gap says so.
  package func subscribe(mostSteps: Int = Subscription.mostSteps) -> Subscription {
    let subscription = Subscription(mostSteps: mostSteps)
    state.withLock { $0.subscriptions.append(subscription) }
    return subscription
  }

  /// Hands an event to everybody. On any thread; never waits for the disk or a reader.
  /// - Returns: its number.
  @discardableResult func publish(_ event: Event) -> Int {
    state.withLock { state in
      state.number += 1
      let event = NumberedEvent(state.number, event)
      recorder.send(.event(event))
      for subscription in state.subscriptions { subscription.offer(.event(event)) }
      return event.number
    }
  }

  /// Sends every subscriber a message about the session that is not an event of the run.
  package func tell(_ message: SessionMessage) {
    state.withLock { state in for subscription in state.subscriptions { subscription.offer(message) } }
  }
}
