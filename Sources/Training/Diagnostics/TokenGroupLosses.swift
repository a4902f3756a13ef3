// Losses by function and content tokens (“Memory retrieval and consolidation in large language models through function tokens”,
// arXiv 2510.08203): the loss of content tokens after function tokens is the highest, and falls last.
import Corpus
import Run

struct TokenGroupLosses: Diagnostic {
  static var needs: DiagnosticNeeds { .training }

  private let heads: [Head]
  private let function: FunctionTokens
  /// By head and group.
  private var heldOut: [[BinSum]]
  private var training: [[BinSum]]

  init(_ setting: DiagnosticSetting) {
    heads = setting.heads
    function = FunctionTokens(setting.frequencies)
    heldOut = heads.map { _ in TokenGroup.allCases.map { _ in BinSum() } }
    training = heldOut
  }

  mutating func add(_ batch: DiagnosticBatch) {
    for head in heads.indices {
      var sums = batch.part == .heldOut ? heldOut[head] : training[head]
      for (position, target) in batch.targets[head].enumerated() where target >= 0 {
        let group = TokenGroup(
          current: function.contains(batch.current[position]), next: function.contains(target))
        sums[group.rawValue].add(batch.losses[head][position])
      }
      if batch.part == .heldOut { heldOut[head] = sums } else { training[head] = sums }
    }
  }

  func numbers() -> [(name: String, value: Double)] {
    [("", heldOut), ("train-", training)].flatMap { prefix, all in
      zip(heads, all).flatMap { head, sums in
        let total = sums.reduce(0) { $0 + $1.loss }
        return TokenGroup.allCases.flatMap { group in
          let (name, sum) = ("\(prefix)\(head.name)-\(group.name)", sums[group.rawValue])
          return [(name, sum.mean), ("\(name)-count", Double(sum.count)), ("\(name)-share", sum.loss / total)]
        }
      }
    }
  }
}
