// Where threads meet: values go in on one side and come out on the other. Sending never waits for the reader.
import Dispatch
import Foundation

/// A queue between threads. Any thread may send; one thread at a time should take.
package final class Mailbox<Message: Sendable>: @unchecked Sendable {
  // Unchecked: `waiting` is touched only while `lock` is.
  private var waiting: [Message] = []
  private var isClosed = false
  private let lock = NSLock()
  /// Raised once for what came since the reader last looked.
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

  /// Waits until something has come, `close` was called, or `deadline` has passed; takes all that waits. The clock is one that
  /// nobody sets.
  package func takeAll(waitingUntil deadline: DispatchTime) -> [Message] {
    while true {
      lock.lock()
      let taken = drained()
      let isOver = !taken.isEmpty || isClosed
      lock.unlock()
      // A signal that is left over from what was taken before only makes it look once more.
      if isOver || arrival.wait(timeout: deadline) == .timedOut { return taken.isEmpty ? takeAll() : taken }
    }
  }

  /// Whether `close` was called and all that came before is taken.
  package var isOver: Bool {
    lock.lock()
    defer { lock.unlock() }
    return isClosed && waiting.isEmpty
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
    // The reader has the only copy, and its memory goes with it: what once waited in a burst takes no room for ever.
    let taken = waiting
    waiting = []
    return taken
  }
}
