// The cases: kinds × objectives × precisions × options on two threads, and a part of them on one.
import Corpus
import Foundation
import Kernels
import Run
import Support
import Training

struct Case {
  let name: String
  let recipe: Recipe
  let threads: Int

  static let recomputed = "recompute"

  /// A change of the recipe, and what it is called.
  private struct Change: Sendable {
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
    Change("llama") { $0.model.kind = .llama },
    Change("gpt2") { $0.model.kind = .gpt2 },
  ]

  private static let objectives = [
    Change("ntp") { $0.objective.top = 0 },
    Change("top") { $0.objective.ntp = 0 },
    Change("top-algorithm1") {
      $0.objective.ntp = 0
      $0.objective.semantics = .algorithm1
    },
    Change("top-float16Scores") {
      $0.objective.ntp = 0
      $0.objective.semantics = .float16Scores
      // Narrow windows have scores that half precision holds exactly.
      $0.objective.window = 2500
    },
    Change("top-temperature") {
      $0.objective.ntp = 0
      $0.objective.temperature = 0.4
      $0.objective.window = 9
    },
    Change("ntp+top") { _ in },
    Change("mtp2") {
      $0.objective.top = 0
      $0.objective.mtp.heads = 2
      $0.model.blocks = 3
    },
    Change("mtp4") {
      $0.objective.top = 0
      $0.objective.mtp.heads = 4
      $0.objective.mtp.weights = [1, 0.5, 0.25]
      $0.model.blocks = 5
    },
    Change("mtp3-sequential") {
      $0.objective.top = 0
      $0.objective.mtp.heads = 3
      $0.objective.mtp.kind = .sequential
    },
    Change("mtp2+top") {
      $0.objective.mtp.heads = 2
      $0.model.blocks = 3
    },
    Change("mtp2-sequential+top") {
      $0.objective.mtp.heads = 2
      $0.objective.mtp.kind = .sequential
    },
  ]

  /// oneDNN can be told to do with less than the CPU has, and then has no products in bf16.
  private static var precisions: [Change] {
    let hasBF16 = Machine.hasBF16 && Machine.products.contains("avx512")
    return [Change("fp32") { $0.precision = .fp32 }] + (hasBF16 ? [Change("bf16") { $0.precision = .bf16 }] : [])
  }

  private static let options = [
    Change("plain") { _ in },
    Change(recomputed) { $0.model.recompute = .block },
    Change("documents") { $0.data.documents = .separate },
    Change("dropout") { $0.model.dropout = 0.1 },
    Change("accumulation") {
      $0.batch.rows = 2
      $0.batch.accumulation = 3
    },
    Change("grouped") { $0.model.keyValueHeads = 2 },
    Change("tied", isFor: { $0.objective.ntp > 0 }) { $0.model.tied = true },
    Change("qkNorm", isFor: { $0.model.kind == .llama }) { $0.model.qkNorm = true },
    Change("scaledResiduals") { $0.model.scaledResiduals = true },
    Change("decaysAll") {
      $0.optimizer.decays = .all
      $0.optimizer.weightDecay = 0.5
    },
  ]

  /// What is not crossed with objectives.
  private static let others = [
    Change("3-rows") { $0.batch.rows = 3 },
    Change("odd-context") { $0.model.context = 19 },
    Change("odd-width") {
      $0.model.width = 40
      $0.model.heads = 2
      $0.model.keyValueHeads = 1
      $0.model.inner = 52
    },
    Change("epsilon") { $0.model.epsilon = 1e-3 },
    Change("ropeTheta", isFor: { $0.model.kind == .llama }) { $0.model.ropeTheta = 500 },
    Change("deviation") { $0.model.deviation = 0.1 },
    Change("unclipped") { $0.optimizer.clip = 0 },
    Change("betas") {
      $0.optimizer.beta1 = 0.8
      $0.optimizer.beta2 = 0.99
      $0.optimizer.epsilon = 1e-6
    },
    Change("linear") { $0.schedule.kind = .linear },
    Change("constant") { $0.schedule.kind = .constant },
    Change("decay") { $0.schedule.kind = .decay },
    Change("seed") { $0.seed = 2 },
    Change("everything") {
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

  static var all: [Case] {
    var cases: [Case] = []
    func add(_ kind: Change, _ objective: Change, _ precision: Change, _ option: Change, threads: Int) {
      let changes = [kind, objective, precision, option]
      var recipe = plain
      for change in changes.dropLast() { change.apply(&recipe) }
      guard option.isFor(recipe) else { return }
      option.apply(&recipe)
      let name = changes.map(\.name).joined(separator: " ")
      cases.append(Case(name: name + " \(threads)", recipe: recipe, threads: threads))
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

  func train() throws -> Curve {
    try recipe.validate(source: name)
    var trainer = try Trainer(recipe: recipe, corpus: corpus(), from: nil, threads: threads, name: name)
    var steps: [StepReport] = []
    _ = trainer.run(
      obeying: Mailbox<Request>(), isAttended: false,
      to: Trainer.Outlets(
        report: { if case .stepped(let report) = $0 { steps.append(report) } }, save: { _, _ in }))
    return Curve(losses: steps.map(\.total), norm: steps.last?.gradientNorm ?? .nan)
  }
}
