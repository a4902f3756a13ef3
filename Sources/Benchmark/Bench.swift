// The benchmark. Each section measures something, reports its progress, and returns a table.
import Kernels
import Transformer

/// Measures this machine, and this program on it.
package struct Bench {
  package enum Topic: String, CaseIterable, Sendable {
    case limit, kernels, steps, parts, reading, decoding, scaling, memory, recording, screen
    case memoryLayer = "memory-layer"
    case tableUpdates = "table-updates"
    case tableCheckpoints = "table-checkpoints"
  }

  /// The number of rounds, and with it the precision of the answer.
  package enum Effort: Sendable {
    /// Two to three minutes.
    case quick
    /// A quarter of an hour.
    case thorough
  }

  let threads: Int
  let effort: Effort
  let progress: (String) -> Void

  /// - Parameter progress: receives a sentence on the current measurement.
  package init(threads: Int, effort: Effort, progress: @escaping (String) -> Void) {
    self.threads = threads
    self.effort = effort
    self.progress = progress
  }

  /// The number of rounds of whole steps.
  var rounds: Int { effort == .quick ? 5 : 15 }

  /// Sentences on measurements that a CPU without bf16 cannot make.
  package static var omissions: [String] {
    Machine.hasBF16 ? [] : ["this CPU has neither AVX512_BF16 nor AMX: rows in bf16 are left out"]
  }
}
