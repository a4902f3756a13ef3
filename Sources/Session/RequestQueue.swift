// Requests to a session. Each has a number, so that the answer can name its request.
import Run
import Synchronization

/// Requests on their way to the trainer. Any thread may send; sending never waits.
package final class RequestQueue: Sendable {
  /// The queue from which the trainer takes requests.
  let mailbox = Mailbox<Request>()
  /// The number of the last request. Sending happens under its lock: the numbers rise in the order in which the trainer gets
  /// them.
  private let last = Mutex(0)

  /// Sends a request.
  /// - Parameter isSure: see `Request`.
  /// - Returns: the request's number. The answer carries the number as `Occurrence.request`: an occurrence with the step
  ///   at which the request was carried out, or with the reason for a refusal. A stop is answered before the session
  ///   ends.
  @discardableResult package func send(_ command: Command, by actor: Occurrence.Actor, isSure: Bool = true) -> Int {
    last.withLock { last in
      last += 1
      mailbox.send(Request(command, by: actor, id: last, isSure: isSure))
      return last
    }
  }

  /// Sends a request of the session itself: to wait for the disk, to continue, or to save since a checkpoint buffer is
  /// free. No answer follows.
  func sendOwn(_ command: Command) { mailbox.send(Request(command, by: .program)) }
}
