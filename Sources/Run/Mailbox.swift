// Where threads meet: values go in on one side and come out on the other. Sending never waits for the reader.
import Foundation

/// A queue between threads. Any thread may send; one thread at a time should take.
package final class Mailbox<Message: Sendable>: @unchecked Sendable {
  // Unchecked: `waiting` is touched only while `lock` is.
  private var waiting: [Message] = []
  private var isClosed = false
  private let lock = NSLock()
  /// Raised once for what came since the reader last looked. It waits by a clock that nobody sets.
  private let arrival = DispatchSemaphore(value: 0)

  package init() {}

  /// Puts a message in and wakes the reader. After `close` it is dropped.
  package func send(_ message: Message) {
    lock.lock()
    let isFirst = waiting.isEmpty
    if !isClosed { waiting.append(message) }
    lock.unlock()
    if isFirst { arrival.signal() }
  }

  /// Takes all that waits, oldest first; empty when nothing does.
  package func takeAll() -> [Message] {
    lock.lock()
    defer { lock.unlock() }
    return drained()
  }

  /// Waits until something has come, `close` was called, or `deadline` has passed; takes all that waits. A clock that is
  /// set meanwhile makes it wait neither longer nor shorter.
  package func takeAll(waitingUntil deadline: Date) -> [Message] {
    let seconds = min(max(deadline.timeIntervalSinceNow, 0), 1e9)
    let end = DispatchTime.now() + seconds
    while true {
      lock.lock()
      let taken = drained()
      let isOver = !taken.isEmpty || isClosed
      lock.unlock()
      // A signal that is left over from what was taken before only makes it look once more.
      if isOver || arrival.wait(timeout: end) == .timedOut { return taken.isEmpty ? takeAll() : taken }
    }
  }

  /// Nothing more will come: readers stop waiting.
  package func close() {
    lock.lock()
    isClosed = true
    lock.unlock()
    arrival.signal()
  }

  private func drained() -> [Message] {
    guard !waiting.isEmpty else { return [] }
    let taken = waiting
    waiting.removeAll(keepingCapacity: true)
    return taken
  }
}
