// Where threads meet: values go in on one side and come out on the other. Sending never waits for the reader.
import Foundation

/// A queue between threads. Any thread may send; one thread at a time should take.
package final class Mailbox<Message: Sendable>: @unchecked Sendable {
  // Unchecked: `waiting` is touched only while `condition` is locked.
  private var waiting: [Message] = []
  private var isClosed = false
  private let condition = NSCondition()

  package init() {}

  /// Puts a message in and wakes the reader. After `close` it is dropped.
  package func send(_ message: Message) {
    condition.lock()
    if !isClosed { waiting.append(message) }
    condition.broadcast()
    condition.unlock()
  }

  /// Takes all that waits, oldest first; empty when nothing does.
  package func takeAll() -> [Message] {
    condition.lock()
    defer { condition.unlock() }
    return drained()
  }

  /// Waits until something has come, `close` was called, or `deadline` has passed; takes all that waits.
  package func takeAll(waitingUntil deadline: Date) -> [Message] {
    condition.lock()
    defer { condition.unlock() }
    while waiting.isEmpty && !isClosed && Date() < deadline {
      // By the hour: a condition traps on a date as far away as `distantFuture`.
      _ = condition.wait(until: min(deadline, Date(timeIntervalSinceNow: 3600)))
    }
    return drained()
  }

  /// Nothing more will come: readers stop waiting.
  package func close() {
    condition.lock()
    isClosed = true
    condition.broadcast()
    condition.unlock()
  }

  private func drained() -> [Message] {
    guard !waiting.isEmpty else { return [] }
    let taken = waiting
    waiting.removeAll(keepingCapacity: true)
    return taken
  }
}
