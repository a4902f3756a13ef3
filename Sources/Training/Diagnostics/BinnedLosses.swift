// The losses of each head, by bins that a diagnostic puts positions into.
import Run

struct BinnedLosses {
  private let heads: [Head]
  /// The names of the bins.
  private let bins: [String]
  /// By head and bin.
  private var sums: [[BinSum]]

  init(_ heads: [Head], bins: [String]) {
    (self.heads, self.bins) = (heads, bins)
    sums = [[BinSum]](repeating: bins.map { _ in BinSum() }, count: heads.count)
  }

  /// Adds the losses of all positions that have a target.
  /// - Parameter bin: the index of the bin of a position, which is given with its target.
  mutating func add(_ batch: DiagnosticBatch, bin: (_ position: Int, _ target: Int) -> Int) {
    for head in heads.indices {
      for (position, target) in batch.targets[head].enumerated() where target >= 0 {
        sums[head][bin(position, Int(target))].add(batch.losses[head][position])
      }
    }
  }

  func numbers() -> [(name: String, value: Double)] {
    zip(heads, sums).flatMap { head, sums in
      zip(bins, sums).flatMap { bin, sum in sum.numbers("\(head.name)-\(bin)") }
    }
  }
}
