// How ranks reach each other: bytes from one to another, and nothing else. What is done with them is in Ranks, so that every
// kind of link gives the same sums to the bit.
import Run

/// The connection of one rank to the others. All calls but `rank` and `count` come from one thread, the one that made it.
package protocol RankLink: AnyObject {
  /// The number of this rank, from 0, and how many ranks there are.
  var rank: Int { get }
  var count: Int { get }

  /// Begins to send or to receive. Transfers between two ranks arrive in the order in which they were begun; the memory stays as
  /// it is until `isSettled`.
  /// - Throws: `UserError` when the connection is broken.
  func begin(_ transfer: RankTransfer) throws(UserError)

  /// Moves transfers on without waiting.
  /// - Returns: true if none is under way.
  /// - Throws: `UserError` when the connection is broken.
  func isSettled() throws(UserError) -> Bool

  /// A sentence if another rank's process has ended; nil as far as is known here.
  func loss() -> UserError?

  /// Ends the connection, after the last transfer. A rank that has failed does not wait for the others.
  func close(hasFailed: Bool)
}

/// Bytes to one rank, or from it.
package struct RankTransfer {
  package enum Direction { case send, receive }

  package let direction: Direction
  /// The other rank.
  package let rank: Int
  /// Only read when sent.
  package let memory: UnsafeMutableRawPointer
  package let bytes: Int

  package static func send(to rank: Int, _ memory: UnsafeRawPointer, bytes: Int) -> RankTransfer {
    RankTransfer(direction: .send, rank: rank, memory: UnsafeMutableRawPointer(mutating: memory), bytes: bytes)
  }

  package static func receive(from rank: Int, _ memory: UnsafeMutableRawPointer, bytes: Int) -> RankTransfer {
    RankTransfer(direction: .receive, rank: rank, memory: memory, bytes: bytes)
  }
}
