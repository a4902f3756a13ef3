// How alike the final hidden states of neighbouring positions are: objectives that look far ahead make them smoother (Future
// Token Prediction, arXiv 2410.18160).
import Run

struct NeighbouringStates: Diagnostic {
  static var needs: DiagnosticNeeds { .states }

  static func cost(_ plan: RunPlan) -> DiagnosticCost {
    let (width, positions) = (plan.recipe.model.width, plan.recipe.batch.rows * plan.recipe.model.context)
    return DiagnosticCost(perHeldOutToken: 4 * Double(width), bytes: 4 * positions * width)
  }

  private let width: Int
  private var cosines = 0.0
  private var pairs = 0
  private var norms = 0.0
  private var count = 0

  init(_ setting: DiagnosticSetting) { width = setting.recipe.model.width }

  mutating func add(_ batch: DiagnosticBatch) {
    var last: Double?
    for position in batch.current.indices where batch.current[position] >= 0 {
      let own = last ?? dot(batch.states, position, position)
      norms += own.squareRoot()
      count += 1
      last = nil
      guard batch.isFollowed(position) else { continue }
      let next = dot(batch.states, position + 1, position + 1)
      last = next
      guard own > 0, next > 0 else { continue }
      cosines += dot(batch.states, position, position + 1) / (own * next).squareRoot()
      pairs += 1
    }
  }

  /// The inner product of two positions' states.
  private func dot(_ states: [Float], _ a: Int, _ b: Int) -> Double {
    states.withUnsafeBufferPointer { states in
      var sum = 0.0
      for i in 0..<width { sum += Double(states[a * width + i]) * Double(states[b * width + i]) }
      return sum
    }
  }

  func numbers() -> [(name: String, value: Double)] {
    [("cosine", cosines / Double(pairs)), ("norm", norms / Double(count))]
  }
}
