// Weights of losses on the command line of `resume` and `branch`: they become commands, not a part of the run's recipe.
import Run

extension Recipe {
  /// Turns changed weights of losses into commands, as if they had been typed: the recipe keeps the weights that the run began
  /// with.
  /// - Parameters:
  ///   - keys: the keys named on the command line.
  ///   - source: the run, for messages.
  ///   - now: the checkpoint's weights where they differ from the recipe's.
  ///   - edited: heads with stored changes that are not repeated, which is recorded even if the weight stays the same.
  /// - Throws: `UserError` for a head that the network does not have, or if all weights would be 0.
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
      case .number(let path), .shared(let path, _): self[keyPath: path] = before[keyPath: path]
      case .list: objective.mtp.weights = before.objective.mtp.weights
      }
    }
    return changes
  }
}
