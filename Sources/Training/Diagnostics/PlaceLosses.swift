// Losses by the place in the document: how much what came before in the document helps.
import Run

struct PlaceLosses: Diagnostic {
  private var sums: BinnedLosses

  init(_ setting: DiagnosticSetting) {
    sums = BinnedLosses(
      setting.heads, bins: PlaceBin.lowest(context: setting.recipe.model.context).map { "from-\($0)" })
  }

  mutating func add(_ batch: DiagnosticBatch) {
    sums.add(batch) { position, _ in PlaceBin.index(of: Int(batch.places[position])) }
  }

  func numbers() -> [(name: String, value: Double)] { sums.numbers() }
}
