// Cases that came after the first ones: neighbours of NTP, memory layers, Muon and star graphs. They are in fp32 alone, since
// only a CPU without bf16 was at hand to store them.
import Corpus
import Foundation
import Run

extension TrainedCase {
  static var further: [TrainedCase] {
    var cases: [TrainedCase] = []
    func add(_ kind: RecipeChange, _ objectives: [RecipeChange], _ options: [RecipeChange], threads: Int = 2) {
      for objective in objectives {
        cases += options.compactMap { TrainedCase(kind, objective, fp32, $0, threads: threads) }
      }
    }
    let single = named(
      "ntp-ahead3", "ntp-diversity", "ntp+future", "ntp+bag12", "ntp+jtp4-embeddings", "ntp-drawn-mask")
    for kind in kinds {
      add(kind, neighbours, [unchanged, piecemeal])
      add(kind, single, [unchanged], threads: 1)
      add(kind, named("ntp"), memories)
      add(kind, named("mtp2-sequential+top"), [memories[0]])
      add(kind, named("ntp"), [memories[0], twoSets], threads: 1)
      add(kind, named("ntp"), muons)
      add(kind, named("mtp2", "mtp2-sequential+top", "ntp+jtp4"), [muons[0]])
      add(kind, named("ntp"), [muons[0]], threads: 1)
      add(kind, named("ntp", "top", "ntp+jtp4"), [graphs[0]])
      add(kind, named("ntp"), [graphs[1]])
      add(kind, named("ntp"), [graphs[0]], threads: 1)
    }
    return cases
  }

  /// The objectives with these names.
  private static func named(_ names: String...) -> [RecipeChange] {
    names.map { name in
      guard let objective = (objectives + neighbours).first(where: { $0.name == name }) else {
        preconditionFailure("there is no objective \(name)")
      }
      return objective
    }
  }

  /// What the last loss of a case must be below, as a part of its first.
  static func bound(of name: String) -> Float {
    // All nodes of a graph are equally likely: to learn that a path has nothing but nodes lowers the loss by 16 %.
    name.contains(starGraph) ? 0.95 : 0.9
  }

  private static let starGraph = "stargraph"

  /// The settings of experiments/neighbours.yaml that the first cases do not have, a teacher, and heads that learn alone.
  private static let neighbours: [RecipeChange] = [
    .ntp("ntp-ahead3") { $0.objective.next.ahead = 3 },
    .ntp("ntp-ahead3-mean") { ($0.objective.next.ahead, $0.objective.next.mean) = (3, true) },
    // The next two have the same tokens, and must lose something else.
    .pairs("ntp-bpe") { _ in },
    .pairs("ntp-prefix") { $0.objective.next.prefix = 0.25 },
    .pairs("ntp-ahead3-prefix") { ($0.objective.next.ahead, $0.objective.next.prefix) = (3, 0.25) },
    .ntp("ntp-precision") { $0.objective.next.beta = -0.25 },
    .ntp("ntp-diversity") { $0.objective.next.beta = 0.5 },
    .ntp("ntp-tail") { $0.objective.next.tail = -0.1 },
    .ntp("ntp-head") { $0.objective.next.head = 0.1 },
    .ntp("ntp+future") { $0.objective[other: "future"] = 0.1 },
    .ntp("ntp+future-0.95") {
      $0.objective[other: "future"] = 0.1
      $0.objective.discount = 0.95
    },
    .ntp("ntp+bag12") { $0.objective[other: "bag"] = 0.1 },
    .ntp("ntp+bag100") {
      $0.objective[other: "bag"] = 0.1
      $0.objective.bagWindow = 100
    },
    .ntp("ntp+jtp4") { $0.objective.jtp.weight = 0.1 },
    .ntp("ntp+jtp4-embeddings") { ($0.objective.jtp.weight, $0.objective.jtp.embeddings) = (0.1, true) },
    .drawn("ntp-drawn") { _ in },
    .drawn("ntp-drawn-mask") { $0.data.drawn.mask = true },
    .ntp("ntp-teacher") {
      // `train` writes the file.
      $0.objective.teacher.file = "teacher"
      $0.objective.teacher.top = 4
      $0.objective.teacher.steps = 12
    },
    .ntp("mtp4-sine") {
      $0.objective.mtp.heads = 4
      $0.objective.mtp.schedule = .sine
      $0.model.blocks = 5
    },
    .ntp("mtp2-alone-sine") {
      $0.objective.mtp.heads = 2
      $0.objective.mtp.weights = [0.1]
      $0.objective.mtp.alone = 2
      $0.objective.mtp.schedule = .sine
      $0.model.blocks = 3
    },
    RecipeChange("all-heads") {
      $0.objective.next.ahead = 2
      $0.objective.next.beta = 0.5
      $0.objective.mtp.heads = 2
      $0.objective.mtp.kind = .sequential
      $0.objective[other: "future"] = 0.3
      $0.objective[other: "bag"] = 0.2
      $0.objective.jtp.weight = 0.3
      $0.objective.jtp.tokens = 2
      $0.model.dropout = 0.1
    },
  ]

  /// Targets end with documents, and a step has several micro-batches.
  private static let piecemeal = RecipeChange("documents-accumulation") {
    $0.data.documents = .separate
    $0.batch.rows = 2
    $0.batch.accumulation = 3
  }

  private static let memories: [RecipeChange] = [
    .memory("memory") { _ in },
    .memory("memory-\(recomputed)") { $0.model.recompute = .block },
    .memory("memory-productKeys") { ($0.model.memory.cores, $0.model.memory.rank) = (0, 1) },
    .memory("memory-plainValues") { $0.model.memory.preWidth = 0 },
    twoSets,
    .memory("memory-accumulation") { ($0.batch.rows, $0.batch.accumulation) = (2, 3) },
    .memory("memory-documents") { $0.data.documents = .separate },
    .memory("memory-oneBlock") { $0.model.memory.blocks = [1] },
    .memory("memory-muon") { $0.optimizer.kind = .muon },
  ]

  private static let twoSets: RecipeChange = .memory("memory-heads2") { $0.model.memory.heads = 2 }

  private static let muons = [
    RecipeChange("muon") { $0.optimizer.kind = .muon },
    RecipeChange("muon-grouped") {
      $0.optimizer.kind = .muon
      $0.model.keyValueHeads = 2
    },
    RecipeChange("muon-momentum") {
      $0.optimizer.kind = .muon
      $0.optimizer.momentum = 0.8
    },
  ]

  private static let graphs: [RecipeChange] = [
    .graph(starGraph) { _ in },
    .graph("\(starGraph)-reverse") { $0.data.graph.reverse = true },
  ]

  /// Writes what a 3-gram model of a text predicts after each of its tokens.
  static func teach(_ corpus: Corpus, to path: String) throws {
    let top = 6
    let header = try TeacherHeader(teacher: "3-gram", corpus: corpus, top: top, temperature: 1)
    let model = try KneserNey(of: corpus.training, vocabulary: corpus.tokenizer.vocabulary, order: 3)
    try TeacherFile.write(to: path, header) {
      try $0(model.likeliest(after: 0..<corpus.training.count, top: top, temperature: 1))
    }
  }
}

extension TrainedCase.RecipeChange {
  fileprivate typealias Change = @Sendable (inout Recipe) -> Void

  /// What several changes have in common, then the change itself.
  private init(_ name: String, _ change: @escaping Change, after common: @escaping Change) {
    self.init(name) {
      common(&$0)
      change(&$0)
    }
  }

  /// NTP without TOP, and a change.
  fileprivate static func ntp(_ name: String, _ change: @escaping Change) -> Self {
    Self(name, change, after: { $0.objective.top = 0 })
  }

  /// NTP on tokens of several bytes, some of which others begin with, and a change.
  fileprivate static func pairs(_ name: String, _ change: @escaping Change) -> Self {
    Self(name, change) {
      $0.objective.top = 0
      $0.tokenizer.kind = .bpe
      $0.tokenizer.model = pairsFile
    }
  }

  private static let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  private static let pairsFile = tests.appending(path: "CorpusTests/BytePair/gpt2.json").path

  /// NTP with inputs that a copy of the network draws, which is renewed several times, and a change.
  fileprivate static func drawn(_ name: String, _ change: @escaping Change) -> Self {
    Self(name, change) {
      $0.objective.top = 0
      $0.data.drawn.share = 0.2
      $0.data.drawn.rise = 10
      $0.data.drawn.every = 5
    }
  }

  /// Memory layers, and a change.
  fileprivate static func memory(_ name: String, _ change: @escaping Change) -> Self {
    Self(name, change) {
      $0.model.memory.keys = 24
      $0.model.memory.keyWidth = 8
      $0.model.memory.top = 8
      $0.model.memory.valueWidth = 12
      $0.model.memory.preWidth = 4
    }
  }

  /// Star graphs G(2,4), and a change. A row has four positions with a loss: there are many rows, and the rate is high.
  fileprivate static func graph(_ name: String, _ change: @escaping Change) -> Self {
    Self(name, change) {
      $0.data.kind = .stargraph
      $0.data.graph.test = 16
      $0.model.context = $0.data.graph.sampleLength
      $0.batch.rows = 16
      $0.schedule.rate = 1e-2
    }
  }
}
