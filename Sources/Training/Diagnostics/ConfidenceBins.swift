// Calibration (Guo et al. 2017, “On calibration of modern neural networks”): positions by the probability of their likeliest token, in
// ten bins of equal width. The expected calibration error is the mean over positions of |accuracy − confidence| of their bin.
import Run

struct ConfidenceBins: Diagnostic {
  static var needs: DiagnosticNeeds { .outputs }

  static func cost(_ plan: RunPlan) -> DiagnosticCost { .ofOutputs(plan) }

  private struct ConfidenceBin {
    var count = 0
    var hits = 0
    var confidence = 0.0
  }

  private var bins = [ConfidenceBin](repeating: ConfidenceBin(), count: ReliabilityDiagram.binCount)

  init(_ setting: DiagnosticSetting) {}

  mutating func add(_ batch: DiagnosticBatch) {
    for (position, target) in batch.targets[0].enumerated() where target >= 0 {
      let confidence = batch.confidence[position]
      // Of a network that has diverged.
      guard confidence.isFinite else { continue }
      let bin = min(max(Int(confidence * Float(bins.count)), 0), bins.count - 1)
      bins[bin].count += 1
      bins[bin].hits += Int(batch.hits[position])
      bins[bin].confidence += Double(confidence)
    }
  }

  func numbers() -> [(name: String, value: Double)] {
    let count = Double(bins.reduce(0) { $0 + $1.count })
    let error = bins.reduce(0) { $0 + abs(Double($1.hits) - $1.confidence) }
    let confidence = bins.reduce(0) { $0 + $1.confidence }
    return [("ece", error / count), ("confidence", confidence / count)]
      + bins.enumerated().flatMap { index, bin -> [(name: String, value: Double)] in
        let names = ReliabilityDiagram.names(ofBin: index)
        return [
          (names.accuracy, Double(bin.hits) / Double(bin.count)),
          (names.confidence, bin.confidence / Double(bin.count)), (names.count, Double(bin.count)),
        ]
      }
  }
}
