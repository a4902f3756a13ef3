// The table of a recipe's keys. Reading YAML, `--set`, the run file, `--json`, the recipe panel and docs/recipes.md go by it.

extension Recipe {
  /// Every key, in the order of every output.
  package static var fields: [Field] {
    HeadKind.further.isEmpty ? ownFields : writtenFields.addingWeights(of: HeadKind.all)
  }

  private static let ownFields = writtenFields.addingWeights(of: HeadKind.own)

  /// Those of heads that `HeadKind.init(onTrunk:)` makes are not listed here.
  private static let writtenFields: [Field] = [
    choice(
      "data.kind", \.data.kind, "text: files of text or tokens; stargraph: path finding in graphs made from the seed"),
    texts("data.paths", \.data.paths, "text files and folders; empty: the default corpus"),
    number(
      "data.heldOut", \.data.heldOut, .including(0), .including(0.5), "fraction of the tokens held out for evaluation",
      usedAs: .double),

    choice("data.documents", \.data.documents, "packed: attention crosses document boundaries; separate: it does not"),
    text(
      "data.separator", \.data.separator, "text that ends a document within a file; empty: each file is one document"),
    integer("data.graph.degree", \.data.graph.degree, 1...64, "star graphs: branches that leave the source"),
    integer("data.graph.length", \.data.graph.length, 2...64, "star graphs: nodes of a branch, the source included"),
    integer("data.graph.nodes", \.data.graph.nodes, 2...65_536, "star graphs: labels that nodes are drawn from"),
    integer(
      "data.graph.samples", \.data.graph.samples, 0...1_000_000_000,
      "star graphs in a pass; 0: never the same graph twice"),
    integer(
      "data.graph.test", \.data.graph.test, 16...1_000_000, "star graphs to evaluate on, none of which is trained on"),
    flag("data.graph.reverse", \.data.graph.reverse, "star graphs: write the path from the goal to the source"),

    choice(
      "tokenizer.kind", \.tokenizer.kind,
      "sentencepiece, bpe, bytes or characters; tokens: data.paths names token files"),
    integer(
      "tokenizer.vocabulary", \.tokenizer.vocabulary, 260...262_144,
      "vocabulary size of a sentencepiece tokenizer"),
    integer(
      "tokenizer.ids", \.tokenizer.ids, 0...16_777_216,
      "vocabulary size of token files; 0: one more than their largest token"),
    choice(
      "tokenizer.width", \.tokenizer.width,
      "bytes per token in token files without a header; auto refuses ambiguous files"),
    text(
      "tokenizer.model", \.tokenizer.model,
      "SentencePiece model to use (empty: train one), or for bpe a tokenizer.json"),

    choice("model.kind", \.model.kind, "llama (RMSNorm, rotary, SwiGLU) or gpt2 (LayerNorm, learned positions, GELU)"),
    integer("model.blocks", \.model.blocks, 1...512, "transformer blocks"),
    integer("model.width", \.model.width, 2...32_768, "hidden width: size of a token's vector"),
    integer("model.heads", \.model.heads, 1...512, "attention heads"),
    integer(
      "model.keyValueHeads", \.model.keyValueHeads, 1...512,
      "key/value heads; fewer than heads: grouped-query attention"),
    integer("model.headWidth", \.model.headWidth, 0...8192, "width of a head; 0: model.width / model.heads"),
    integer("model.inner", \.model.inner, 0...131_072, "inner width of the MLP; 0: model.width × 8/3, or × 4 for gpt2"),
    integer("model.context", \.model.context, 1...131_072, "context length: tokens per row"),
    flag("model.tied", \.model.tied, "share one matrix between the embedding and the NTP unembedding"),
    number(
      "model.ropeTheta", \.model.ropeTheta, .including(1), .including(1e9), "base θ of rotary position embeddings",
      usedAs: .double),
    number(
      "model.epsilon", \.model.epsilon, .including(0), .including(1),
      "ε of every norm; 0: 1e-6, or 1e-5 for gpt2"),
    flag("model.qkNorm", \.model.qkNorm, "RMSNorm of each head's queries and keys (llama only)"),
    number(
      "model.dropout", \.model.dropout, .including(0), .excluding(1),
      "dropout rate for embeddings, attention weights and residual branches"),
    choice("model.recompute", \.model.recompute, "block: recompute activations in the backward pass to save memory"),
    number(
      "model.deviation", \.model.deviation, .excluding(0), .including(1), "standard deviation of the initial weights"),
    flag("model.scaledResiduals", \.model.scaledResiduals, "scale the initial output projections by 1/√(2·blocks)"),
    integer(
      "model.memory.keys", \.model.memory.keys, 0...16_384,
      "memory layers: keys n on each side, for a table of n² rows beside every MLP; 0: no memory layers"),
    integer("model.memory.keyWidth", \.model.memory.keyWidth, 1...8192, "memory layers: width of a key"),
    integer("model.memory.top", \.model.memory.top, 1...4096, "memory layers: rows that each head reads for a token"),
    integer(
      "model.memory.candidates", \.model.memory.candidates, 0...1024,
      "memory layers: best keys of each side whose pairs compete; 0: as many as top, at most 128"),
    integer("model.memory.heads", \.model.memory.heads, 1...16, "memory layers: sets of keys"),
    integer(
      "model.memory.cores", \.model.memory.cores, 0...8,
      "memory layers: score matrices, each for a part of a value; 0: product keys, which add both sides' scores"),
    integer("model.memory.rank", \.model.memory.rank, 1...4, "memory layers: scores of a key that a core multiplies"),
    integer("model.memory.valueWidth", \.model.memory.valueWidth, 1...8192, "memory layers: width of a value"),
    integer(
      "model.memory.preWidth", \.model.memory.preWidth, 0...8192,
      "memory layers: width of a pre-value, whose product with the token weighs the value; 0: plain values"),
    number(
      "model.memory.rate", \.model.memory.rate, .excluding(0), .including(100),
      "memory layers: factor of the tables' learning rate, falling to 1 at the last step", usedAs: .double),
    Field(
      key: "model.memory.blocks",
      kind: .numbers(Field.Bounds(lower: .including(0), upper: .including(1023), use: .double)),
      about: "memory layers: numbers of their blocks, from 0; empty: all blocks",
      read: { .numbers($0.model.memory.blocks) },
      write: { if case .numbers(let values) = $1 { $0.model.memory.blocks = values } }),

    number(
      "objective.ntp", \.objective.ntp, .including(0), .including(100), "weight of the next-token loss; 0: no such head"
    ),
    number(
      "objective.top", \.objective.top, .including(0), .including(100),
      "weight of the token-order loss; 0: no such head"),
    integer(
      "objective.mtp.heads", \.objective.mtp.heads, 1...Head.most,
      "tokens predicted at each position, including the next one"),
    choice(
      "objective.mtp.kind", \.objective.mtp.kind,
      "parallel: all heads read the trunk; sequential: each reads the head before it"),
    Field(
      key: "objective.mtp.weights",
      kind: .numbers(Field.Bounds(lower: .including(0), upper: .including(100), use: .float)),
      about: "weights of heads 2 to N; empty: 1 each, or 0.3 / (N − 1) each when sequential",
      read: { .numbers($0.objective.mtp.weights) },
      write: { if case .numbers(let values) = $1 { $0.objective.mtp.weights = values } }),
    integer(
      "objective.mtp.trunk", \.objective.mtp.trunk, 0...512,
      "trunk blocks below parallel heads; 0: what objective.mtp.budget leaves"),
    choice(
      "objective.mtp.budget", \.objective.mtp.budget,
      "equal: N parallel heads replace N of model.blocks; added: they replace the last one only"),
    integer("objective.window", \.objective.window, 0...131_072, "tokens that TOP looks ahead; 0: model.context"),
    number(
      "objective.temperature", \.objective.temperature, .excluding(0), .including(1000),
      "temperature τ of TOP's target: larger gives distant tokens more weight"),
    choice(
      "objective.semantics", \.objective.semantics,
      "version of TOP's target: default, algorithm1 or float16Scores"),

    integer("batch.rows", \.batch.rows, 1...65_536, "rows (sequences) in a micro-batch"),
    integer("batch.accumulation", \.batch.accumulation, 1...65_536, "micro-batches per step (gradient accumulation)"),

    choice(
      "optimizer.kind", \.optimizer.kind,
      "adamw for all parameters, or muon for the blocks' matrices and AdamW for the others"),
    number(
      "optimizer.beta1", \.optimizer.beta1, .including(0), .excluding(1),
      "AdamW β₁: decay of the running mean of gradients"),
    number(
      "optimizer.beta2", \.optimizer.beta2, .including(0), .excluding(1),
      "AdamW β₂: decay of the running mean of squared gradients"),
    number(
      "optimizer.epsilon", \.optimizer.epsilon, .excluding(0), .including(1),
      "AdamW ε: keeps the update finite where gradients are 0"),
    number(
      "optimizer.momentum", \.optimizer.momentum, .including(0), .excluding(1),
      "Muon's momentum: decay of the running mean of gradients of the blocks' matrices"),
    number(
      "optimizer.weightDecay", \.optimizer.weightDecay, .including(0), .including(10),
      "decoupled weight decay"),
    choice("optimizer.decays", \.optimizer.decays, "parameters with weight decay: matrices or all"),
    number(
      "optimizer.clip", \.optimizer.clip, .including(0), .including(1e6),
      "gradient norm above which gradients are clipped; 0: never"),

    choice(
      "schedule.kind", \.schedule.kind,
      "schedule after warm-up: cosine, linear, constant, or decay (linear, in the last fifth)"),
    number("schedule.rate", \.schedule.rate, .excluding(0), .including(RateChange.largest), "peak learning rate"),
    integer(
      "schedule.warmup", \.schedule.warmup, 0...1_000_000_000, "warm-up steps, in which the rate rises to its peak"),
    number(
      "schedule.floor", \.schedule.floor, .including(0), .including(1),
      "final learning rate as a fraction of the peak",
      usedAs: .double),
    choice(
      "schedule.then", \.schedule.then,
      "rate from step schedule.from on: scaled (the schedule itself), hold, warmup (again) or anneal (to the floor)"),
    integer("schedule.from", \.schedule.from, 0...1_000_000_000, "step at which schedule.then begins"),
    integer(
      "schedule.over", \.schedule.over, 0...1_000_000_000, "length of schedule.then's warmup or anneal, in steps"),

    integer("steps", \.steps, 1...1_000_000_000, "number of optimizer steps"),
    Field(
      key: "seed", kind: .unsigned, about: "seed of the initial weights, the data order, dropout and samples",
      read: { .unsigned($0.seed) }, write: { if case .unsigned(let value) = $1 { $0.seed = value } }),
    choice("precision", \.precision, "precision of matrix products: auto, bf16 or fp32"),
    integer("evaluate.every", \.evaluate.every, 0...1_000_000_000, "steps between evaluations; 0: only at the end"),
    integer(
      "evaluate.tokens", \.evaluate.tokens, 0...1_000_000_000_000,
      "held-out tokens per evaluation, spread evenly; 0: all"),
    text(
      "evaluate.task", \.evaluate.task,
      "JSONL file of questions, or a set in tasks/, whose accuracy each evaluation measures; empty: none"),
    integer("save.every", \.save.every, 0...1_000_000_000, "steps between checkpoints; 0: only at the end"),
    integer(
      "save.keep", \.save.keep, 0...1_000_000_000, "number of newest checkpoints to keep, besides the best; 0: all"),
    integer(
      "save.keepEvery", \.save.keepEvery, 0...1_000_000_000,
      "checkpoints at multiples of this many steps are always kept; 0: none"),
    integer(
      "sample.every", \.sample.every, 0...1_000_000_000, "steps between samples of text and order; 0: only at the end"),
    text("sample.prompt", \.sample.prompt, "prompt of the generated samples"),
    texts(
      "guard.on", \.guard.on, "what the guard acts on: nonfinite, spike; a spike is an alert in any case"),
    choice(
      "guard.does", \.guard.does,
      "pause (without a screen: end), back to the last sound checkpoint, skip the batch, or stop"),
    number(
      "guard.rate", \.guard.rate, .excluding(0), .including(1),
      "factor of the learning rate when the guard goes back",
      usedAs: .double),
    integer(
      "guard.most", \.guard.most, 0...1000,
      "number of times that the guard goes back, or skips in a row, before it pauses"),
    text(
      "stop.until", \.stop.until,
      "condition on an evaluation that ends the run, such as accuracy/path >= 0.99; empty: never"),
    integer(
      "stop.patience", \.stop.patience, 0...1_000_000,
      "evaluations without a lower held-out loss of the first head after which the run ends; 0: never"),
  ]

  static func field(_ key: String) -> Field? { fields.first { $0.key == key } }

  /// The key that was meant by a wrong one, as “; did you mean …?”, or where all keys can be read.
  static func suggestion(for wrong: String) -> String {
    // Somebody who writes `width` or `train.width` means `model.width`.
    let lastWord = String(wrong[(wrong.lastIndex(of: ".").map { wrong.index(after: $0) } ?? wrong.startIndex)...])
    let meant =
      fields.map(\.key).nearest(to: wrong)
      ?? fields.map { String($0.name) }.nearest(to: lastWord).flatMap { name in
        (fields.first { $0.key == "model.\(name)" } ?? fields.first { $0.name == name })?.key
      }
    return meant.map { "; did you mean \($0)?" } ?? "; the keys are \(fields.map(\.key).joined(separator: ", "))"
  }

  typealias Path<Value> = WritableKeyPath<Recipe, Value> & Sendable

  private static func integer(
    _ key: String, _ path: Path<Int>, _ range: ClosedRange<Int>, _ about: String
  ) -> Field {
    Field(
      key: key, kind: .integer(range), about: about,
      read: { .integer($0[keyPath: path]) },
      write: { if case .integer(let value) = $1 { $0[keyPath: path] = value } })
  }

  static func number(
    _ key: String, _ path: Path<Double>, _ lower: Field.Bounds.Edge, _ upper: Field.Bounds.Edge, _ about: String,
    usedAs use: Field.Bounds.Use = .float
  ) -> Field {
    Field(
      key: key, kind: .number(Field.Bounds(lower: lower, upper: upper, use: use)), about: about,
      read: { .number($0[keyPath: path]) },
      write: { if case .number(let value) = $1 { $0[keyPath: path] = value } })
  }

  private static func flag(_ key: String, _ path: Path<Bool>, _ about: String) -> Field {
    Field(
      key: key, kind: .flag, about: about,
      read: { .flag($0[keyPath: path]) },
      write: { if case .flag(let value) = $1 { $0[keyPath: path] = value } })
  }

  private static func text(_ key: String, _ path: Path<String>, _ about: String) -> Field {
    Field(
      key: key, kind: .text, about: about,
      read: { .text($0[keyPath: path]) },
      write: { if case .text(let value) = $1 { $0[keyPath: path] = value } })
  }

  private static func texts(_ key: String, _ path: Path<[String]>, _ about: String) -> Field {
    Field(
      key: key, kind: .texts, about: about,
      read: { .texts($0[keyPath: path]) },
      write: { if case .texts(let value) = $1 { $0[keyPath: path] = value } })
  }

  private static func choice<Choice: RawRepresentable<String> & CaseIterable & Sendable>(
    _ key: String, _ path: Path<Choice>, _ about: String
  ) -> Field {
    Field(
      key: key, kind: .choice(Choice.allCases.map(\.rawValue)), about: about,
      read: { .text($0[keyPath: path].rawValue) },
      write: {
        if case .text(let word) = $1, let value = Choice(rawValue: word) { $0[keyPath: path] = value }
      })
  }
}
