// All measurements, section by section. Every section returns a table; what goes on is told on the way.
import Kernels
import Transformer

/// Measures this machine and this program on it.
package struct Bench {
  package enum Topic: String, CaseIterable, Sendable {
    case limit, kernels, steps, parts, reading, decoding, scaling, memory, recording, screen
    case memoryLayer = "memory-layer"
  }

  /// How much of an answer is wanted.
  package enum Effort: Sendable {
    /// Two to three minutes.
    case quick
    /// A quarter of an hour.
    case thorough
  }

  let threads: Int
  let effort: Effort
  let progress: (String) -> Void

  /// - Parameter progress: told what is measured now.
  package init(threads: Int, effort: Effort, progress: @escaping (String) -> Void) {
    self.threads = threads
    self.effort = effort
    self.progress = progress
  }

  /// Rounds of whole steps.
  var rounds: Int { effort == .quick ? 5 : 15 }

  /// What to say about what a CPU without bf16 leaves out.
  package static var omissions: [String] {
    Machine.hasBF16 ? [] : ["this CPU has neither AVX512_BF16 nor AMX: rows in bf16 are left out"]
  }
}
