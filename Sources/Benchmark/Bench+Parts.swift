// A step's time by part, each compared with its own limit. The parts and the rest add up to the step.
import Kernels
import Transformer

/// The times of a step's parts in several rounds.
struct PartSamples {
  private(set) var seconds: [StepPart: Samples] = [:]
  private(set) var bytes: [StepPart: Double] = [:]
  /// The time outside of all parts: waiting for other threads, and code between the parts.
  private(set) var rest = Samples()

  /// - Parameter step: the seconds of the whole step.
  mutating func add(_ counts: [StepPart: (seconds: Double, bytes: Double)], step: Double) {
    var sum = 0.0
    for (part, count) in counts {
      seconds[part, default: Samples()].add(count.seconds)
      bytes[part] = count.bytes
      sum += count.seconds
    }
    rest.add(step - sum)
  }
}

extension Bench {
  /// Measures a step of each workload by part.
  package func parts(_ workloads: [Workload], rounds wanted: Int? = nil) throws -> ReportTable {
    let rounds = wanted ?? rounds
    var table = ReportTable(
      name: "parts",
      about: [
        "a step's time by part, of micro-batches and the update together; means of \(rounds) rounds, which add up to the step",
        "limit: products as oneDNN runs them alone, attention's and Muon's at the same speed, other parts their bytes at a copy's"
          + " GB/s (what stays in a cache may take less)",
      ],
      columns: [
        .column("workload", "workload"), .column("part", "part"), .column("milliseconds", "ms", 2),
        .column("ofStep", "% of the step", 1), .column("limit", "limit ms", 2), .column("share", "share %", 1),
      ])
    let bandwidth = try copyBandwidth()
    for workload in workloads {
      let contestant = try Contestant(workload, threads: threads)
      for round in 0...rounds {
        progress("parts: \(workload.name), round \(round) of \(rounds)")
        try contestant.round(counts: round > 0, byPart: true)
      }
      add(contestant, bandwidth: bandwidth, to: &table)
    }
    return table
  }

  private func add(_ contestant: Contestant, bandwidth: Double, to table: inout ReportTable) {
    let name = contestant.workload.name
    let step = contestant.steps.mean
    func row(_ part: String, _ seconds: Double, limit: Double?) {
      table.add(
        .text(name), .text(part), .number(seconds * 1000), .number(seconds / step * 100),
        limit.map { .number($0 * 1000) } ?? .none,
        limit.map { .number($0 / seconds * 100) } ?? .none)
    }
    let limits = contestant.limits.mean
    let speed = contestant.linearOperations / limits
    for part in StepPart.allCases {
      guard let seconds = contestant.parts.seconds[part]?.mean, seconds > 0 else { continue }
      let bytes = contestant.parts.bytes[part] ?? 0
      let limit: Double? =
        switch part {
        case .products: limits
        case .attention: contestant.scoreOperations / speed
        case .muon: contestant.stepper.updateOperations / speed
        default: bytes > 0 ? bytes / bandwidth : nil
        }
      row(part.words, seconds, limit: limit)
    }
    row("waiting, and the rest", contestant.parts.rest.mean, limit: nil)
    row("the step", step, limit: contestant.limitSeconds.mean)
  }

  /// The bytes per second of a copy whose operands are larger than the caches.
  private func copyBandwidth() throws -> Double {
    let bytes = 64 << 20
    let from = try Storage(bytes: bytes)
    let to = try Storage(bytes: bytes)
    var best = 0.0
    for _ in 0..<6 {
      let time = seconds { Peak.copy(from.base, to: to.base, bytes: bytes, threads: threads) }
      best = max(best, Double(2 * bytes) / time)
    }
    return best
  }
}

extension StepPart {
  /// The part's name for people.
  fileprivate var words: String {
    switch self {
    case .products: "products of linear layers"
    case .attention: "attention"
    case .norms: "norms"
    case .activations: "activations"
    case .positions: "rotary positions"
    case .losses: "losses"
    case .targets: "targets"
    case .tables: "embeddings"
    case .sums: "threads' gradients, added up"
    case .gradientNorm: "norm of the gradient"
    case .adamw: "AdamW"
    case .muon: "Muon"
    case .memory: "memory layers"
    }
  }
}
