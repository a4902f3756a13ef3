// Threads of a team that wait for each other within one parallel region: each takes over what another has done.
import COpenMP
import Glibc

/// Counters that rise from 0, each on a cache line of its own. A view: valid as long as the memory is.
package struct TeamProgress {
  /// Bytes of so many counters.
  package static func bytes(_ counters: Int) -> Int { counters * line }

  private static let line = 64
  private let memory: UnsafeMutableRawPointer

  /// - Parameter memory: at a multiple of 64.
  package init(_ memory: UnsafeMutableRawPointer) { self.memory = memory }

  private func counter(_ index: Int) -> UnsafeMutablePointer<Int32> {
    (memory + index * Self.line).assumingMemoryBound(to: Int32.self)
  }

  /// Sets the first `counters` counters to 0, before the team begins.
  package func begin(_ counters: Int) { for index in 0..<counters { set(index, to: 0) } }

  /// Raises a counter. What the calling thread wrote before is visible to each thread that has waited for this number.
  package func set(_ index: Int, to number: Int) {
    foretop_set_counter(counter(index), Int32(truncatingIfNeeded: number))
  }

  /// Waits until a counter has come to a number. All threads of the team must be running, or the wait may never end.
  package func wait(for index: Int, toReach number: Int) {
    let counter = counter(index)
    var turns = WaitingTurns()
    while Int(foretop_counter(counter)) < number { turns.take() }
  }
}

/// The turns of a loop in which a thread waits for another one.
struct WaitingTurns {
  private var count = 0

  /// Waits for some nanoseconds. Now and then, the core is left to others: the other thread may have lost its own.
  mutating func take() {
    count += 1
    if count % 256 == 0 { _ = sched_yield() } else { foretop_pause() }
  }
}
