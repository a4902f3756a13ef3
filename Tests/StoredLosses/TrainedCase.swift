// The cases: kinds × objectives × precisions × options on two threads, and a part of them on one. Those of FurtherCases come
// after them.
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
  struct RecipeChange: Sendable {
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

  static let kinds = [
    RecipeChange("llama") { $0.model.kind = .llama },
    RecipeChange("gpt2") { $0.model.kind = .gpt2 },
  ]

  static let objectives = [
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

  static let fp32 = RecipeChange("fp32") { $0.precision = .fp32 }

  /// oneDNN can be told to do with less than the CPU has, and then has no products in bf16.
  private static var precisions: [RecipeChange] {
    let hasBF16 = Machine.hasBF16 && Machine.products.contains("avx512")
    return [fp32] + (hasBF16 ? [RecipeChange("bf16") { $0.precision = .bf16 }] : [])
  }

  static let unchanged = RecipeChange("plain") { _ in }

  private static let options = [
    unchanged,
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

  /// nil where the option is not for such a recipe.
  init?(
    _ kind: RecipeChange, _ objective: RecipeChange, _ precision: RecipeChange, _ option: RecipeChange, threads: Int
  ) {
    let changes = [kind, objective, precision, option]
    var recipe = Self.plain
    for change in changes.dropLast() { change.apply(&recipe) }
    guard option.isFor(recipe) else { return nil }
    option.apply(&recipe)
    name = changes.map(\.name).joined(separator: " ") + " \(threads)"
    self.recipe = recipe
    self.threads = threads
  }

  static var all: [TrainedCase] {
    var cases: [TrainedCase] = []
    func add(
      _ kind: RecipeChange, _ objective: RecipeChange, _ precision: RecipeChange, _ option: RecipeChange, threads: Int
    ) {
      if let new = TrainedCase(kind, objective, precision, option, threads: threads) { cases.append(new) }
    }
    for kind in kinds {
      for precision in precisions {
        for objective in objectives {
          for option in options { add(kind, objective, precision, option, threads: 2) }
          add(kind, objective, precision, unchanged, threads: 1)
        }
        let both = objectives[5]
        for option in options.dropFirst() { add(kind, both, precision, option, threads: 1) }
        for option in others { add(kind, both, precision, option, threads: 2) }
      }
    }
    return cases + further
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
    let key = "\(recipe.model.context) \(recipe.tokenizer.kind) \(recipe.data)"
    if let corpus = Self.corpora[key] { return corpus }
    let corpus = try openCorpus()
    Self.corpora[key] = corpus
    return corpus
  }

  private func openCorpus() throws -> Corpus {
    guard recipe.data.kind == .stargraph else {
      return try Corpus(
        text: ShortLines.text(800), for: recipe, tokenizer: recipe.tokenizer.kind, model: recipe.tokenizer.model)
    }
    var source = Corpus.Source(paths: [], context: recipe.model.context, cache: "/nowhere")
    source.graphs = Corpus.StarGraphSource(recipe.data.graph, seed: recipe.seed)
    return try Corpus(opening: source)
  }

  func train() throws -> LossCurve {
    let text = try corpus()
    var recipe = recipe
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("foretop-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    if recipe.objective.teacher.isThere {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      recipe.objective.teacher.file = folder.appendingPathComponent("teacher").path
      try Self.teach(text, to: recipe.objective.teacher.file)
    }
    try recipe.validate(source: name)
    let trainer = try Trainer(recipe: recipe, corpus: text, from: nil, threads: threads, name: name)
    var steps: [StepReport] = []
    _ = trainer.run(
      obeying: Mailbox<Request>(), isAttended: false,
      to: Trainer.Outlets(
        report: { if case .stepped(let report) = $0 { steps.append(report) } }, save: { _ in }))
    return LossCurve(losses: steps.map(\.total), norm: steps.last?.gradientNorm ?? .nan)
  }
}
