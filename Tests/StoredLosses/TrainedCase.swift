// The cases: kinds × objectives × precisions × options on two threads, and a part of them on one.
import Corpus
import Foundation
import Kernels
import Run
import Support
import Training

struct TrainedCase {
  let name: String
  let recipe: Recipe
  let threads: Int

  static let recomputed = "recompute"

  /// A change of the recipe, and what it is called.
  private struct RecipeChange: Sendable {
    let name: String
    let isFor: @Sendable (Recipe) -> Bool
    let apply: @Sendable (inout Recipe) -> Void

    init(
      _ name: String, isFor: @escaping @Sendable (Recipe) -> Bool = { _ in true },
      _ apply: @escaping @Sendable (inout Recipe) -> Void
    ) {
      self.name = name
      self.apply = apply
      self.isFor = isFor
    }
  }

  private static let kinds = [
    RecipeChange("llama") { $0.model.kind = .llama },
    RecipeChange("gpt2") { $0.model.kind = .gpt2 },
  ]

  private static let objectives = [
    RecipeChange("ntp") { $0.objective.top = 0 },
    RecipeChange("top") { $0.objective.ntp = 0 },
    RecipeChange("top-algorithm1") {
      $0.objective.ntp = 0
      $0.objective.semantics = .algorithm1
    },
    RecipeChange("top-float16Scores") {
      $0.objective.ntp = 0
      $0.objective.semantics = .float16Scores
      // Narrow windows have scores that half precision holds exactly.
      $0.objective.window = 2500
    },
    RecipeChange("top-temperature") {
      $0.objective.ntp = 0
      $0.objective.temperature = 0.4
      $0.objective.window = 9
    },
    RecipeChange("ntp+top") { _ in },
    RecipeChange("mtp2") {
      $0.objective.top = 0
      $0.objective.mtp.heads = 2
      $0.model.blocks = 3
    },
    RecipeChange("mtp4") {
      $0.objective.top = 0
      $0.objective.mtp.heads = 4
      $0.objective.mtp.weights = [1, 0.5, 0.25]
      $0.model.blocks = 5
    },
    RecipeChange("mtp3-sequential") {
      $0.objective.top = 0
      $0.objective.mtp.heads = 3
      $0.objective.mtp.kind = .sequential
    },
    RecipeChange("mtp2+top") {
      $0.objective.mtp.heads = 2
      $0.model.blocks = 3
    },
    RecipeChange("mtp2-sequential+top") {
      $0.objective.mtp.heads = 2
      $0.objective.mtp.kind = .sequential
    },
  ]

  /// oneDNN can be told to do with less than the CPU has, and then has no products in bf16.
  private static var precisions: [RecipeChange] {
    let hasBF16 = Machine.hasBF16 && Machine.products.contains("avx512")
    return [RecipeChange("fp32") { $0.precision = .fp32 }]
      + (hasBF16 ? [RecipeChange("bf16") { $0.precision = .bf16 }] : [])
  }

  private static let options = [
    RecipeChange("plain") { _ in },
    RecipeChange(recomputed) { $0.model.recompute = .block },
    RecipeChange("documents") { $0.data.documents = .separate },
    RecipeChange("dropout") { $0.model.dropout = 0.1 },
    RecipeChange("accumulation") {
      $0.batch.rows = 2
      $0.batch.accumulation = 3
    },
    RecipeChange("grouped") { $0.model.keyValueHeads = 2 },
    RecipeChange("tied", isFor: { $0.objective.ntp > 0 }) { $0.model.tied = true },
    RecipeChange("qkNorm", isFor: { $0.model.kind == .llama }) { $0.model.qkNorm = true },
    RecipeChange("scaledResiduals") { $0.model.scaledResiduals = true },
    RecipeChange("decaysAll") {
      $0.optimizer.decays = .all
      $0.optimizer.weightDecay = 0.5
    },
  ]

  /// What is not crossed with objectives.
  private static let others = [
    RecipeChange("3-rows") { $0.batch.rows = 3 },
    RecipeChange("odd-context") { $0.model.context = 19 },
    RecipeChange("odd-width") {
      $0.model.width = 40
      $0.model.heads = 2
      $0.model.keyValueHeads = 1
      $0.model.inner = 52
    },
    RecipeChange("epsilon") { $0.model.epsilon = 1e-3 },
    RecipeChange("ropeTheta", isFor: { $0.model.kind == .llama }) { $0.model.ropeTheta = 500 },
    RecipeChange("deviation") { $0.model.deviation = 0.1 },
    RecipeChange("unclipped") { $0.optimizer.clip = 0 },
    RecipeChange("betas") {
      $0.optimizer.beta1 = 0.8
      $0.optimizer.beta2 = 0.99
      $0.optimizer.epsilon = 1e-6
    },
    RecipeChange("linear") { $0.schedule.kind = .linear },
    RecipeChange("constant") { $0.schedule.kind = .constant },
    RecipeChange("decay") { $0.schedule.kind = .decay },
    RecipeChange("seed") { $0.seed = 2 },
    RecipeChange("everything") {
      $0.model.dropout = 0.1
      $0.model.tied = true
      $0.model.keyValueHeads = 2
      $0.model.scaledResiduals = true
      $0.model.deviation = 0.05
      $0.data.documents = .separate
      $0.batch.rows = 3
      $0.batch.accumulation = 2
      $0.objective.mtp.heads = 2
      $0.objective.mtp.kind = .sequential
    },
  ]

  static var all: [TrainedCase] {
    var cases: [TrainedCase] = []
    func add(
      _ kind: RecipeChange, _ objective: RecipeChange, _ precision: RecipeChange, _ option: RecipeChange, threads: Int
    ) {
      let changes = [kind, objective, precision, option]
      var recipe = plain
      for change in changes.dropLast() { change.apply(&recipe) }
      guard option.isFor(recipe) else { return }
      option.apply(&recipe)
      let name = changes.map(\.name).joined(separator: " ")
      cases.append(TrainedCase(name: name + " \(threads)", recipe: recipe, threads: threads))
    }
    for kind in kinds {
      for precision in precisions {
        for objective in objectives {
          for option in options { add(kind, objective, precision, option, threads: 2) }
          add(kind, objective, precision, options[0], threads: 1)
        }
        let both = objectives[5]
        for option in options.dropFirst() { add(kind, both, precision, option, threads: 1) }
        for option in others { add(kind, both, precision, option, threads: 2) }
      }
    }
    return cases
  }

  private static var plain: Recipe {
    var recipe = Recipe.tiny(blocks: 2, width: 32, heads: 4, keyValueHeads: 4, inner: 48)
    recipe.data.heldOut = 0
    recipe.data.separator = "\n"
    recipe.batch.rows = 4
    recipe.steps = 20
    recipe.schedule.rate = 4e-3
    recipe.schedule.warmup = 3
    (recipe.evaluate.every, recipe.sample.every, recipe.save.every) = (0, 0, 0)
    return recipe
  }

  // A text is read once for the recipes that want it alike.
  nonisolated(unsafe) private static var corpora: [String: Corpus] = [:]

  private func corpus() throws -> Corpus {
    let key = "\(recipe.model.context) \(recipe.data.documents)"
    if let corpus = Self.corpora[key] { return corpus }
    let corpus = try Corpus(text: ShortLines.text(800), for: recipe)
    Self.corpora[key] = corpus
    return corpus
  }

  func train() throws -> LossCurve {
    try recipe.validate(source: name)
    let trainer = try Trainer(recipe: recipe, corpus: corpus(), from: nil, threads: threads, name: name)
    var steps: [StepReport] = []
    _ = trainer.run(
      obeying: Mailbox<Request>(), isAttended: false,
      to: Trainer.Outlets(
        report: { if case .stepped(let report) = $0 { steps.append(report) } }, save: { _, _ in }))
    return LossCurve(losses: steps.map(\.total), norm: steps.last?.gradientNorm ?? .nan)
  }
}
