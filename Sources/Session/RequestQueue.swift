// What is asked of a session: numbered, so that every answer can name its question.
import Run
import Synchronization

/// Requests on their way to the trainer. Any thread may send; sending never waits.
package final class RequestQueue: Sendable {
  /// What the trainer takes them from.
  let mailbox = Mailbox<Request>()
  /// The number of the last request. Sending happens under its lock: the numbers rise in the order in which the trainer gets
  /// them.
  private let last = Mutex(0)

  /// Sends a request.
  /// - Returns: its number. The answer carries the number as `Occurrence.request`: an occurrence with the step at which
  ///   the request was carried out, or with the reason for a refusal. A stop is answered before the session ends.
  @discardableResult package func send(_ command: Command, by actor: Occurrence.Actor) -> Int {
    last.withLock { last in
      last += 1
      mailbox.send(Request(command, by: actor, id: last))
      return last
    }
  }

  /// What the session asks of its own trainer: to wait for the disk, and that memory for a checkpoint is free. Nothing answers.
  func sendOwn(_ command: Command) { mailbox.send(Request(command, by: .program)) }
}
