// Orders of documents are compared on the same documents: where one side leaves out near duplicates, the other does too.
import Run

extension ExperimentFile {
  /// Makes sure that the related order has a decision on near duplicates, and is compared with orders of the same documents.
  /// - Throws: `UserError` that names the settings.
  func requireFairOrders(of cells: [ExperimentCell]) throws {
    let firsts = settings.indices.compactMap { index in cells.first { $0.setting == index } }
    for cell in firsts where cell.recipe.data.order == .related {
      let name = settings[cell.setting].name
      guard cell.recipe.data.deduplicate || cell.changes.contains(where: { $0.key == "data.deduplicate" }) else {
        throw UserError(
          .data,
          "experiment \(self.name), setting \(name): data.order related needs a decision on near duplicates: set "
            + "data.deduplicate to true or false, here and in the setting that this one is compared with")
      }
      // What is the same but for the order, and for near duplicates.
      let others = firsts.filter { $0.recipe.data.order != .related && $0.recipe.isTwin(of: cell.recipe) }
      let isFair = others.isEmpty || others.contains { $0.recipe.data.deduplicate == cell.recipe.data.deduplicate }
      guard !isFair else { continue }
      throw UserError(
        .data,
        "experiment \(self.name): settings \(name) and \(settings[others[0].setting].name) have other orders of documents, "
          + "but only one of them leaves out near duplicates: give both the same data.deduplicate")
    }
  }
}

extension Recipe {
  /// Whether this recipe is another one but for the order of documents, near duplicates and the seed.
  fileprivate func isTwin(of other: Recipe) -> Bool {
    var twin = other
    (twin.data.order, twin.data.deduplicate, twin.seed) = (data.order, data.deduplicate, seed)
    return twin == self
  }
}
