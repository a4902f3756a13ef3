// Where the time of a step goes: seconds and bytes by part, counted only while a benchmark asks. What is measured inside of
// something that is measured counts as that.
import COpenMP
import Glibc

/// The parts that a step's time is told by.
package enum StepPart: Int, CaseIterable, Sendable {
  /// Products of linear layers and unembeddings.
  case products
  /// Attention: its products, and what is done to rows between them.
  case attention
  case norms
  /// SwiGLU or GELU.
  case activations
  /// Rotary positions, and norms of queries and keys.
  case positions
  /// Softmax, losses and the gradients of logits.
  case losses
  case targets
  /// Embeddings, and where their gradients are added.
  case tables
  /// Gradients that threads have of their own, added up.
  case sums
  case gradientNorm
  case adamw
  case muon
  /// Memory layers: picks, values, and the tables' gradients and updates.
  case memory

  /// Calls `body`, and counts its time.
  /// - Parameter bytes: what must go through memory, where that bounds it.
  package func measured(bytes: @autoclosure () -> Int = 0, _ body: () -> Void) {
    guard let cells = StepClock.cells else { return body() }
    let thread = Int(omp_get_thread_num())
    // Other threads that compute something have no part in it; their teams are not told apart.
    guard thread > 0 || pthread_equal(StepClock.owner, pthread_self()) != 0 else { return body() }
    let cell = cells + min(thread, StepClock.mostThreads - 1) * StepClock.stride
    // The last one says whether something is being measured.
    guard cell[StepClock.stride - 1] == 0 else { return body() }
    cell[StepClock.stride - 1] = 1
    let start = StepClock.now
    body()
    // A thread among several does its share of the time that all of them take.
    let share = omp_in_parallel() != 0 ? 1 / Double(omp_get_num_threads()) : 1
    cell[2 * rawValue] += (StepClock.now - start) * share
    cell[2 * rawValue + 1] += Double(bytes())
    cell[StepClock.stride - 1] = 0
  }
}

/// The counts of all threads.
package enum StepClock {
  fileprivate static let mostThreads = 1024
  /// Seconds and bytes of each part, then the mark; threads share no cache line.
  fileprivate static let stride = (2 * StepPart.allCases.count + 1 + 15) / 8 * 8
  // Set between steps, by the only thread that runs then.
  nonisolated(unsafe) fileprivate static var cells: UnsafeMutablePointer<Double>?
  nonisolated(unsafe) fileprivate static var owner = pthread_self()
  /// Never freed: a thread of somebody else's may be looking at it.
  nonisolated(unsafe) private static let room = UnsafeMutablePointer<Double>.allocate(capacity: mostThreads * stride)

  fileprivate static var now: Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }

  /// Counts during `body`, which takes steps. One thread at a time may do that.
  /// - Returns: seconds and bytes of each part; seconds of threads that work at the same time are shares that add up to the
  ///   time which passes.
  package static func counted(_ body: () throws -> Void) rethrows -> [StepPart: (seconds: Double, bytes: Double)] {
    room.initialize(repeating: 0, count: mostThreads * stride)
    owner = pthread_self()
    cells = room
    defer { cells = nil }
    try body()
    var counts: [StepPart: (seconds: Double, bytes: Double)] = [:]
    for part in StepPart.allCases {
      var count = (seconds: 0.0, bytes: 0.0)
      for thread in 0..<mostThreads {
        count.seconds += room[thread * stride + 2 * part.rawValue]
        count.bytes += room[thread * stride + 2 * part.rawValue + 1]
      }
      counts[part] = count
    }
    return counts
  }
}
