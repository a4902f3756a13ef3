// Gives a session's events their order: each event is numbered and handed to the recorder and to every subscriber, at
// once and without waiting for any of them.
import Run
import Synchronization

/// A message to a subscriber.
package enum SessionMessage: Sendable {
  case event(NumberedEvent)
  /// A preparation that takes time, before the run begins.
  case preparing(String)
  /// How much of how much is done of a part of setting the run up.
  case progress(SetupWork, done: Int, total: Int)
  /// Somebody has stopped the run while it was being set up: it does not begin.
  case cancelled
  /// How many of how many windows an evaluation has measured.
  case evaluating(done: Int, total: Int)
  /// The run could not begin.
  case failed(UserError)
  /// The trainer cannot continue and ends; the sound state is being saved.
  case stopped(UserError)
  /// The session is over: everything is recorded and closed, or the error says why not.
  case closed(UserError?)
}

/// The event stream of a session. Subscribers receive events in the order of their numbers, and the recorder stores
/// events in the same order. An event is handed out when it happens, not when it is on the disk, so that a disk that
/// hangs for minutes delays no subscriber. A change that a crash could still undo is confirmed later by a `confirmed`
/// event.
package final class EventHub: Sendable {
  private struct Subscribers {
    /// The number of the last event.
    var number = 0
    var tokens = TokensByStep()
    var subscriptions: [Subscription] = []
  }

  private let state = Mutex(Subscribers())
  private let recorder: Mailbox<RecordingThread.Entry>

  /// - Parameter recorder: receives every event; its queue is unbounded.
  init(recorder: Mailbox<RecordingThread.Entry>) { self.recorder = recorder }

  /// A new subscriber, which receives all events from now on.
  /// - Parameters:
  ///   - mostSteps: the most steps that wait for the subscriber; further steps are left out, and a gap says so.
  ///   - wake: called, on any thread, when something other than steps begins to wait; it must not wait itself.
  package func subscribe(
    mostSteps: Int = Subscription.mostSteps, wake: (@Sendable () -> Void)? = nil
  ) -> Subscription {
    let subscription = Subscription(mostSteps: mostSteps, wake: wake)
    state.withLock { $0.subscriptions.append(subscription) }
    return subscription
  }

  /// Numbers an event and hands it to the recorder and to all subscribers. May be called on any thread; never waits for
  /// the disk or a reader.
  /// - Returns: the event's number.
  @discardableResult func publish(_ event: Event) -> Int {
    state.withLock { state in
      state.number += 1
      let event = NumberedEvent(state.number, state.tokens.counted(event))
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
