// Losses by the frequency, in the training part, of the token that is predicted.
import Run

struct FrequencyLosses: Diagnostic {
  /// The bin of each token of the vocabulary.
  private let bins: [Int]
  private var sums: BinnedLosses

  init(_ setting: DiagnosticSetting) {
    let total = Double(max(setting.frequencies.reduce(0, +), 1))
    bins = setting.frequencies.map { FrequencyBin.index(of: Double($0) / total) }
    sums = BinnedLosses(setting.heads, bins: FrequencyBin.all.map(\.name))
  }

  mutating func add(_ batch: DiagnosticBatch) {
    sums.add(batch) { [bins] _, target in bins[target] }
  }

  func numbers() -> [(name: String, value: Double)] { sums.numbers() }
}
