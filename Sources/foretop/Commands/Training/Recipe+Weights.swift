// The weights of losses that the command line gives to a run that goes on: commands, and no part of its recipe.
import Run

extension Recipe {
  /// Takes the weights of losses out of a changed recipe, as commands: a run's recipe keeps those that it began with, as with
  /// a change by a key.
  /// - Parameters:
  ///   - keys: those that were named.
  ///   - source: the run, for messages.
  ///   - now: the weights that heads have instead of the recipe's.
  ///   - edited: heads with stored changes that are not made again: that is recorded, even where a weight stays as it is.
  /// - Throws: `UserError` for a head that the network does not have, and where nothing would be learned.
  mutating func takeWeights(
    named keys: Set<String>, of source: String, before: Recipe, now: [String: Double]?, edited: Set<Head>
  ) throws -> [WeightChange] {
    let heads = before.objective.mtp.heads
    let listed = objective.mtp.weights.count
    guard listed == 0 || listed == heads - 1 || !keys.contains("objective.mtp.weights") else {
      throw UserError(
        .usage,
        "objective.mtp.weights has \(listed) numbers for \(heads - 1) heads (2 to \(heads)) of \(source): give one each"
      )
    }
    var weights = Dictionary(
      uniqueKeysWithValues: before.heads.map { ($0, now?[$0.name] ?? before.weight(of: $0)) })
    var changes: [WeightChange] = []
    for head in Head.all where keys.contains(head.kind.weightKey) {
      let wanted = weight(of: head)
      guard let weight = weights[head] else {
        guard wanted > 0 else { continue }
        throw UserError(
          .usage,
          "\(head.kind.weightKey) was 0 when \(source) began, so that its network has no \(head.name) head: “foretop "
            + "export NAME DIR --to huggingface” and “foretop import DIR --set \(head.kind.weightKey)=…” make a run with "
            + "its weights and a new head")
      }
      if wanted != weight || edited.contains(head) { changes.append(WeightChange(head, to: wanted)) }
      weights[head] = wanted
    }
    guard changes.isEmpty || weights.values.contains(where: { $0 > 0 }) else {
      throw UserError(
        .usage, "all losses of \(source) would have the weight 0, and nothing would be learned: leave one above 0")
    }
    for kind in HeadKind.all {
      switch kind.weight {
      case .number(let path): self[keyPath: path] = before[keyPath: path]
      case .list: objective.mtp.weights = before.objective.mtp.weights
      }
    }
    return changes
  }
}
