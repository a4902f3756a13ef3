// The side of Ranks that has the link: it runs on one thread, and waits there, so that the trainer's thread does not.
import Foundation
import Run
import Synchronization

/// Carries out transfers. Used by the thread that made it alone.
final class RankWorker {
  let link: any RankLink
  /// True while another thread waits for this one: then it waits without sleeping at first.
  private let isAwaited: @Sendable () -> Bool
  /// Memory for what is received before it is added up.
  private var room: UnsafeMutableRawPointer?
  private var roomBytes = 0

  /// Looks at the link between two naps, when nothing moves.
  private static let eagerLooks = 64
  private static let busyLooks = 2_000
  /// Naps, in nanoseconds: while the own threads compute, while a step waits, and while nothing has come for long (a paused run).
  private static let nap = (computing: 100_000, waiting: 20_000, idle: 2_000_000)
  /// A look that took as long has moved something: another follows at once.
  private static let work = Duration.microseconds(8)
  private static let lossEvery = Duration.milliseconds(100)

  init(_ link: any RankLink, isAwaited: @escaping @Sendable () -> Bool) {
    self.link = link
    self.isAwaited = isAwaited
    // Naps of microseconds: the kernel would add 50 to each.
    rankNapPrecision(29, 1_000)
  }

  deinit { room?.deallocate() }

  /// Waits until all transfers are done.
  func settle() throws(UserError) {
    var looks = 0
    var lastLoss = ContinuousClock.now
    while true {
      let start = ContinuousClock.now
      if try link.isSettled() { return }
      let now = ContinuousClock.now
      if now - start > Self.work {
        looks = 0
        continue
      }
      looks += 1
      if now - lastLoss > Self.lossEvery {
        lastLoss = now
        if let loss = link.loss() { throw loss }
      }
      let awaited = isAwaited()
      if awaited && looks < Self.eagerLooks {
        sched_yield()
      } else {
        nap(looks > Self.busyLooks ? Self.nap.idle : awaited ? Self.nap.waiting : Self.nap.computing)
      }
    }
  }

  private func nap(_ nanoseconds: Int) {
    var time = timespec(tv_sec: 0, tv_nsec: nanoseconds)
    nanosleep(&time, nil)
  }

  /// At least so many bytes, whose contents are those of no one.
  func room(_ bytes: Int) -> UnsafeMutableRawPointer {
    if let room, roomBytes >= bytes { return room }
    room?.deallocate()
    let made = UnsafeMutableRawPointer.allocate(byteCount: max(bytes, 64), alignment: 64)
    (room, roomBytes) = (made, bytes)
    return made
  }

  /// All other ranks, beginning with the next one, so that not all send to the same rank at first.
  var others: [Int] { (1..<link.count).map { (link.rank + $0) % link.count } }
}

/// `prctl` with a fixed number of arguments.
@_silgen_name("prctl") @discardableResult
private func rankNapPrecision(_ option: CInt, _ value: CUnsignedLong) -> CInt
