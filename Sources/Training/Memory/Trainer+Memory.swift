// What an evaluation reports of memory layers: how tables were used in training since the evaluation before, and what layers add on
// held-out rows. Nothing that steps read is changed.
import Run
import Transformer

extension Trainer {
  /// The numbers of memory layers and coarse maps of their use; both are empty without memory layers. Picks count anew from here on.
  /// - Parameter outputs: of each memory layer, measured on held-out rows.
  /// - Returns: `map` is nil where no step was taken since it was last asked for.
  func memoryUse(_ outputs: [MemoryOutput]) -> (uses: [MemoryUse], map: MemoryMap?) {
    let groups = recipe.memoryGroups
    guard !groups.isEmpty else { return ([], nil) }
    let counts = model.parameters.takeTableCounts()
    let uses = groups.enumerated().map { index, group in
      var use = MemoryUse(group: group)
      if counts.indices.contains(index) {
        let counts = counts[index]
        use.used = counts.used ?? .nan
        use.entropy = counts.entropy ?? .nan
        use.dead = counts.dead ?? .nan
        use.most = counts.most ?? .nan
      }
      if outputs.indices.contains(index) {
        let output = outputs[index]
        use.gap = output.spread > 0 ? Float(output.gap / output.spread) : .nan
        use.output = Float(output.outputDeviation)
        use.feedForward = Float(output.feedForwardDeviation)
      }
      return use
    }
    let isCounted = (counts.first?.steps ?? 0) > 0
    return (uses, isCounted ? MemoryMap(step: state.step, counts: counts, of: groups) : nil)
  }
}
