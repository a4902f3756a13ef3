// A run's numbers. Defaults are those of `recipes/default.yaml`'s kin: see Recipe+Fields for keys, ranges and words.
import Foundation

/// All settings of a run. Together with the user's commands, they determine its result.
package struct Recipe: Codable, Sendable, Equatable {
  package struct DataSettings: Codable, Sendable, Equatable {
    /// `text`: files. `stargraph`: graphs that are made from the seed (`StarGraphTask`).
    package enum DataKind: String, Codable, Sendable, CaseIterable { case text, stargraph }
    package var kind = DataKind.text
    package var graph = StarGraphTask()
    /// Text files and folders; empty means the default corpus.
    package var paths: [String] = []
    /// The share of the tokens kept for evaluation, taken from the end.
    package var heldOut = 0.05
    /// `packed`: all texts are one, as in the papers. `separate`: attention, positions and targets stay inside of a
    /// document.
    package enum DocumentHandling: String, Codable, Sendable, CaseIterable { case packed, separate }
    package var documents = DocumentHandling.packed
    /// Text that ends a document within a file; empty: each file is one document.
    package var separator = ""
    /// Windows of the training part that are used, from its beginning; 0 for all.
    package var windows = 0
    /// The order in which documents follow each other, before windows are cut and drawn at random. `text`: as in the files.
    /// `random`: drawn from the seed. `related`: each is followed by one that is like it (arXiv 2310.10638).
    package enum DocumentOrder: String, Codable, Sendable, CaseIterable { case text, random, related }
    package var order = DocumentOrder.text
    /// Whether documents that nearly repeat an earlier one are left out of the training part.
    package var deduplicate = false
    package var drawn = DrawnSettings()
  }

  package struct TokenizerSettings: Codable, Sendable, Equatable {
    package var kind = TokenizerKind.sentencepiece
    /// Number of tokens, for `sentencepiece` (the others take what they need).
    package var vocabulary = 4096
    /// A SentencePiece model file to use instead of training one; empty trains one. For `bpe`, a `tokenizer.json`.
    package var model = ""
    /// Number of tokens that token files have; 0 is one more than the largest.
    package var ids = 0
    /// Bytes of a token in token files that do not say it themselves. `auto` takes 2 (nanoGPT's), and refuses files that look
    /// like wider integers.
    package enum Width: String, Codable, Sendable, CaseIterable {
      case auto, two = "2", four = "4", eight = "8"
      /// Nil for `auto`.
      package var bytes: Int? { Int(rawValue) }
    }
    package var width = Width.auto
  }

  package struct ModelSettings: Codable, Sendable, Equatable {
    /// Activations that the backward pass recomputes instead of keeping them.
    package enum Recompute: String, Codable, Sendable, CaseIterable { case none, block }
    package var kind = NetworkKind.llama
    package var blocks = 4
    package var width = 256
    package var heads = 4
    package var keyValueHeads = 4
    /// Width of a head; 0 means width / heads.
    package var headWidth = 0
    /// The effective width of a head.
    package var widthOfHead: Int { headWidth > 0 ? headWidth : width / max(1, heads) }
    /// Inner width of the MLP; 0 means 8/3 of the width, rounded up to a multiple of 64, and 4 times the width for `gpt2`.
    package var inner = 0
    /// The effective inner width.
    package var innerWidth: Int {
      if inner > 0 { return inner }
      return kind.style.isGated ? (width * 8 / 3 + 63) / 64 * 64 : 4 * width
    }
    /// Tokens in a row.
    package var context = 256
    /// Whether the NTP unembedding is the embedding.
    package var tied = false
    package var ropeTheta = ModelSettings.usualRopeTheta
    static let usualRopeTheta = 10_000.0
    /// ε of every norm; 0 means 1e-6, and 1e-5 for GPT-2.
    package var epsilon = 0.0
    /// The effective ε of every norm.
    package var normEpsilon: Double { epsilon > 0 ? epsilon : kind.style.usualEpsilon }
    /// Whether queries and keys go through an RMSNorm a head (as in Qwen3).
    package var qkNorm = false
    /// Probability that an element is dropped while training.
    package var dropout = 0.0
    package var recompute = Recompute.none
    /// Standard deviation of the initial weights.
    package var deviation = 0.02
    /// Whether output projections of branches are initialised smaller by 1/√(2 · blocks), as in GPT-2.
    package var scaledResiduals = false
    package var memory = MemorySettings()
  }

  /// Multi-token prediction: heads for x[t+2], x[t+3], … beside NTP's.
  package struct MultiTokenSettings: Codable, Sendable, Equatable {
    /// `parallel`: a block a head on one trunk (Gloeckle et al. 2024). `sequential`: one depth after the other, each
    /// reading the tokens in between (DeepSeek-V3).
    package enum HeadArrangement: String, Codable, Sendable, CaseIterable { case parallel, sequential }
    /// N, including the NTP head: 1 means no further heads.
    package var heads = 1
    package var kind = HeadArrangement.parallel
    /// λ of the heads 2 … N; none means 1 each when parallel, and 0.3 shared out when sequential.
    package var weights: [Double] = []
    /// Blocks below the heads, when parallel; 0 means what `budget` says.
    package var trunk = 0
    /// Which blocks of the trunk make way for parallel heads. `equal`: N, so that networks of all objectives have the same number
    /// of parameters, as the published code trains. `added`: the last one, as the text of the TOP paper says (section 5.2).
    package enum BlockBudget: String, Codable, Sendable, CaseIterable { case equal, added }
    package var budget = BlockBudget.equal
    /// How weights of MTP heads go over the run. `sine`: CAFT's (arXiv 2506.07833), to 0 at the end.
    package enum WeightCourse: String, Codable, Sendable, CaseIterable { case constant, sine }
    package var schedule = WeightCourse.constant
    /// Steps at the beginning in which nothing but the MTP heads' own tensors learns.
    package var alone = 0

    /// Whether weights are the same at every step, and every tensor learns.
    package var isSteady: Bool { heads == 1 || (schedule == .constant && alone == 0) }
  }

  package struct ObjectiveSettings: Codable, Sendable, Equatable {
    package enum OrderSemantics: String, Codable, Sendable, CaseIterable {
      case standard = "default", algorithm1, float16Scores
    }
    /// λ of the two losses. A loss with weight 0 is not computed, and its head does not exist.
    package var ntp = 1.0
    package var top = 1.0
    package var next = NextTokenSettings()
    package var teacher = TeacherSettings()
    package var mtp = MultiTokenSettings()
    package var jtp = JointTokenSettings()
    /// TOP's W: how many tokens it looks ahead. 0 means the context.
    package var window = 0
    /// TOP's τ: weights are e^{−(d − d_min)/τ}.
    package var temperature = 1.0
    package var semantics = OrderSemantics.standard
    /// c: the factor of a target's weight from one token ahead to the next, for the discounted future.
    package var discount = 0.8
    /// W: the bag of the future has the tokens from the second to the W-th ahead.
    package var bagWindow = 12
    /// λ of the losses that have no property above, by the names of their heads (see `HeadKind.init(onTrunk:)`); nil where
    /// all are 0, so that a recipe is coded without them.
    private var others: [String: Double]?

    /// λ of such a loss, by the name of its head; 0 leaves the head out.
    package subscript(other name: String) -> Double {
      get { others[orZero: name] }
      set { others[orZero: name] = newValue }
    }
  }

  package struct BatchSettings: Codable, Sendable, Equatable {
    /// Rows of `model.context` tokens in a micro-batch.
    package var rows = 16
    /// Micro-batches whose gradients are summed in a step.
    package var accumulation = 1
  }

  package struct OptimizerSettings: Codable, Sendable, Equatable {
    package enum Decay: String, Codable, Sendable, CaseIterable { case matrices, all }
    package var kind = OptimizerKind.adamw
    package var beta1 = 0.9
    package var beta2 = 0.95
    package var epsilon = 1e-8
    /// Muon's μ: decay of the running mean of gradients of the blocks' matrices.
    package var momentum = 0.95
    package var weightDecay = 0.1
    /// Which parameters decay.
    package var decays = Decay.matrices
    /// Largest gradient norm; 0 does not clip.
    package var clip = 1.0
  }

  package struct ScheduleSettings: Codable, Sendable, Equatable {
    /// `decay` is warm-up–stable–decay: held, then straight down over the last fifth.
    package enum Curve: String, Codable, Sendable, CaseIterable { case cosine, linear, constant, decay }
    package var kind = Curve.cosine
    /// The peak learning rate.
    package var rate = 1e-3
    /// Warm-up steps, in which the learning rate rises to its peak.
    package var warmup = 50
    /// The final learning rate as a fraction of the highest.
    package var floor = 0.1
    /// How the schedule goes on from the step `from`: as it is; held at that step's rate; warmed up again over `over` steps;
    /// annealed over `over` steps in a straight line to the final rate.
    package enum Course: String, Codable, Sendable, CaseIterable { case scaled, hold, warmup, anneal }
    package var then = Course.scaled
    package var from = 0
    package var over = 0
  }

  package enum PrecisionChoice: String, Codable, Sendable, CaseIterable { case auto, bf16, fp32 }

  package struct EvaluateSettings: Codable, Sendable, Equatable {
    /// Steps between evaluations; 0: only at the end.
    package var every = 100
    /// Held-out tokens that are looked at, in windows spread evenly; 0 for all.
    package var tokens = 0
    /// A file of questions, or the name of a set in tasks/, whose accuracy is measured at each evaluation; empty for none.
    package var task = ""
  }

  package struct SaveSettings: Codable, Sendable, Equatable {
    /// Steps between checkpoints; 0 only at the end.
    package var every = 200
    /// How many of the newest checkpoints are kept, beside the best; 0 keeps all.
    package var keep = 3
    /// Checkpoints of multiples of this many steps are kept for ever; 0 for none.
    package var keepEvery = 0
    /// Whether checkpoints leave out the moments of memory layers' tables.
    package var weightsOnly = false
  }

  package struct SampleSettings: Codable, Sendable, Equatable {
    /// Steps between samples of text and order; 0: only at the end.
    package var every = 50
    package var prompt = ""
  }

  /// What becomes of steps that are out of line.
  package struct GuardSettings: Codable, Sendable, Equatable {
    /// A loss or gradient that is not finite; a loss or a gradient's norm far above what it was.
    package enum Trigger: String, CaseIterable, Sendable { case nonfinite, spike }
    package enum GuardAction: String, Codable, Sendable, CaseIterable { case pause, back, skip, stop }
    /// Names of triggers.
    package var on = [Trigger.nonfinite.rawValue]
    package var does = GuardAction.pause
    /// Factor of the learning rate after going back.
    package var rate = 0.5
    /// How often the guard goes back, and how many batches it leaves out in a row.
    package var most = 3

    package func acts(on trigger: Trigger) -> Bool { on.contains(trigger.rawValue) }
  }

  /// What ends a run before its last step.
  package struct StopSettings: Codable, Sendable, Equatable {
    /// A `StopCondition` that evaluations are asked for; empty: none.
    package var until = ""
    /// Evaluations without a lower held-out loss of the first head; 0: any number.
    package var patience = 0

    package init() {}
  }

  /// How several processes train one network (docs/machines.md); one process alone has no use for it.
  package struct RankSettings: Codable, Sendable, Equatable {
    package enum Transport: String, Codable, Sendable, CaseIterable { case fp32, bf16 }
    package enum Sharding: String, Codable, Sendable, CaseIterable { case none, optimizer }
    /// The precision in which gradients travel; they are added up in fp32.
    package var transport = Transport.fp32
    /// What is divided among ranks: `optimizer` is ZeRO-1 (Rajbhandari et al. 2020).
    package var sharding = Sharding.none
  }

  package var data = DataSettings()
  package var tokenizer = TokenizerSettings()
  package var model = ModelSettings()
  package var objective = ObjectiveSettings()
  package var batch = BatchSettings()
  package var optimizer = OptimizerSettings()
  package var schedule = ScheduleSettings()
  package var steps = 1000
  package var seed: UInt64 = 1
  package var precision = PrecisionChoice.auto
  package var evaluate = EvaluateSettings()
  package var measure = MeasureSettings()
  package var save = SaveSettings()
  package var sample = SampleSettings()
  package var `guard` = GuardSettings()
  package var stop = StopSettings()
  package var ranks = RankSettings()

  package init() {}

  /// The heads that are trained, in the order of every output.
  package var heads: [Head] {
    HeadKind.all.flatMap(\.heads).filter { weight(of: $0) > 0 }
  }

  /// λ of the heads 2 … N.
  private var multiTokenWeights: [Double] {
    let count = max(0, objective.mtp.heads - 1)
    if objective.mtp.weights.count == count { return objective.mtp.weights }
    return Array(repeating: objective.mtp.kind == .parallel ? 1 : 0.3 / Double(max(1, count)), count: count)
  }

  /// λ of a head.
  package func weight(of head: Head) -> Double {
    switch head.kind.weight {
    case .number(let path): self[keyPath: path]
    case .list: multiTokenWeights.indices.contains(head.number - 2) ? multiTokenWeights[head.number - 2] : 0
    case .shared(let path, let count):
      head.number <= 1 + self[keyPath: count] ? self[keyPath: path] / Double(self[keyPath: count]) : 0
    }
  }

  /// True if only the MTP heads' own tensors learn at a step.
  /// - Parameter step: steps taken before it.
  package func learnsHeadsAlone(at step: Int) -> Bool { objective.mtp.heads > 1 && step < objective.mtp.alone }

  /// λ of a head at a step: as steered, times the factor that the recipe has for the step. While MTP heads learn alone, theirs is 1
  /// and that of others 0.
  /// - Parameters:
  ///   - weight: as steered.
  ///   - step: steps taken before it.
  package func weight(_ weight: Double, of head: Head, at step: Int) -> Double {
    if learnsHeadsAlone(at: step) { return head.hasBlock ? 1 : 0 }
    guard head.hasBlock, objective.mtp.schedule == .sine else { return weight }
    let length = max(1, steps - objective.mtp.alone)
    return weight * sin(Double.pi / 2 * (1 - min(1, Double(step - objective.mtp.alone) / Double(length))))
  }

  /// Blocks on the way from the embedding to the NTP head: all that inference needs.
  package var inferenceBlocks: Int {
    guard objective.mtp.heads > 1, objective.mtp.kind == .parallel else { return model.blocks }
    return trunkBlocks + 1
  }

  /// Blocks below parallel MTP heads.
  package var trunkBlocks: Int {
    if objective.mtp.trunk > 0 { return objective.mtp.trunk }
    return model.blocks - (objective.mtp.budget == .added ? 1 : objective.mtp.heads)
  }

  /// True if NTP's trained loss is not plain cross-entropy at every step.
  package var shapesNextToken: Bool { objective.ntp > 0 && (objective.next.isShaped || objective.teacher.isThere) }

  /// Tokens of the path that evaluations look at; 0 where the data are text.
  package var pathLength: Int { data.kind == .stargraph && objective.ntp > 0 ? data.graph.length : 0 }

  /// Rows in one optimizer step.
  package var samplesPerStep: Int { batch.rows * batch.accumulation }

  /// Tokens in one optimizer step.
  package var tokensPerStep: Int { samplesPerStep * model.context }
}

/// What makes steps of gradients.
package enum OptimizerKind: String, Codable, Sendable, CaseIterable {
  /// AdamW for all parameters.
  case adamw
  /// Muon for the matrices of blocks, of MTP heads and of Fetch, AdamW for embeddings, unembeddings, norms and biases.
  case muon
}

/// How text becomes tokens.
package enum TokenizerKind: String, Codable, Sendable, CaseIterable {
  /// Pieces of words, by a SentencePiece model.
  case sentencepiece
  /// Pieces of words, by byte-level BPE: GPT-2's, Llama 3's, SmolLM's and Qwen's.
  case bpe
  /// One token a byte; the id is the byte.
  case bytes
  /// One token a Unicode scalar; ids in order of their code points, and one more for all others.
  case characters
  /// The data are token files; as text, tokens are written in decimal with a space after each.
  case tokens
  /// The data are star graphs; a token is a node's number, or a sign.
  case graph
}

extension Optional {
  /// A number by its name; 0 where there is none. Setting a number to 0 removes it, and removing the last one leaves nil: a recipe that
  /// sets none of these keys is stored without them.
  subscript<Number: Numeric>(orZero name: String) -> Number where Wrapped == [String: Number] {
    get { self?[name] ?? 0 }
    set {
      var all = self ?? [:]
      all[name] = newValue == 0 ? nil : newValue
      self = all.isEmpty ? nil : all
    }
  }
}
