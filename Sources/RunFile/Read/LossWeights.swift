// The weights λ of a stored run's losses, step by step: the recipe's weights, and the user's changes.
import Run

struct LossWeights {
  private let recipe: Recipe
  /// Changes of a head's weight, oldest first.
  private var changes: [Head: [(step: Int, weight: Double)]] = [:]

  init(_ recipe: Recipe, _ edits: [ReplayedCommand]) {
    self.recipe = recipe
    for edit in edits {
      if case .weight(let change) = edit.command {
        changes[change.head, default: []].append((edit.step, change.weight))
      }
    }
  }

  /// Sets the weights of a step's losses: a change after step s applies from step s + 1 on.
  func fill(_ losses: inout [HeadLoss], at step: Int) {
    for index in losses.indices {
      let head = losses[index].head
      let changed = changes[head]?.last { $0.step < step }?.weight
      losses[index].weight = Float(changed ?? recipe.weight(of: head))
    }
  }
}
