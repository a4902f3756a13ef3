// The table of a recipe's keys. Reading YAML, `--set`, the run file, `--json`, the recipe panel and docs/recipes.md go by it.

extension Recipe {
  /// Every key, in the order of every output.
  package static var fields: [Field] {
    HeadKind.further.isEmpty ? ownFields : (writtenFields + measureFields).addingWeights(of: HeadKind.all)
  }

  private static let ownFields = (writtenFields + measureFields).addingWeights(of: HeadKind.own)

  /// All sections, those that have only sections in them too: `model` and `model.memory`.
  static let sections = Set(
    ownFields.flatMap { field in
      let words = field.key.split(separator: ".").dropLast()
      return words.indices.map { words[...$0].joined(separator: ".") }
    })

  /// Those of heads that `HeadKind.init(onTrunk:)` makes are not listed here.
  private static let writtenFields: [Field] = [
    choice(
      "data.kind", \.data.kind, "text: files of text or tokens; stargraph: path finding in graphs made from the seed"),
    texts(
      "data.paths", \.data.paths, "text files and folders; kjv and facts are texts that come with foretop; empty: kjv"),
    number(
      "data.heldOut", \.data.heldOut, .including(0), .including(0.5), "fraction of the tokens held out for evaluation",
      usedAs: .double),

    choice("data.documents", \.data.documents, "packed: attention crosses document boundaries; separate: it does not"),
    text(
      "data.separator", \.data.separator, "text that ends a document within a file; empty: each file is one document"),
    choice(
      "data.order", \.data.order,
      "order of the training documents before windows are drawn: text, random or related (similar ones in a row; needs "
        + "data.deduplicate)"),
    flag(
      "data.deduplicate", \.data.deduplicate,
      "leave out training documents that nearly repeat an earlier one"),
    integer("data.graph.degree", \.data.graph.degree, 1...64, "star graphs: branches that leave the source"),
    integer("data.graph.length", \.data.graph.length, 2...64, "star graphs: nodes of a branch, the source included"),
    integer("data.graph.nodes", \.data.graph.nodes, 2...65_536, "star graphs: labels that nodes are drawn from"),
    integer(
      "data.graph.samples", \.data.graph.samples, 0...1_000_000_000,
      "star graphs per epoch; 0: a graph is never repeated"),
    integer(
      "data.graph.test", \.data.graph.test, 16...1_000_000, "star graphs held out for evaluation"),
    flag("data.graph.reverse", \.data.graph.reverse, "star graphs: write the path from the goal to the source"),
    integer(
      "data.windows", \.data.windows, 0...1_000_000_000,
      "windows of the training part that are used, from its beginning; 0: all"),
    number(
      "data.drawn.share", \.data.drawn.share, .including(0), .including(1),
      "ε: fraction of the input tokens that are drawn by a frozen copy of the network, not taken from the text; "
        + "0: none"),
    integer(
      "data.drawn.rise", \.data.drawn.rise, 0...1_000_000_000,
      "steps in which ε rises linearly to its value; 0: ε has its value from the first step on"),
    integer(
      "data.drawn.every", \.data.drawn.every, 1...1_000_000_000,
      "steps between renewals of the frozen copy that draws inputs"),
    flag("data.drawn.mask", \.data.drawn.mask, "leave out the loss where a position's own input was drawn"),

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
      "memory layers: best keys of each side, from whose pairs rows are chosen; 0: as many as top, at most 128"),
    integer(
      "model.memory.heads", \.model.memory.heads, 1...16, "memory layers: heads, each with its own keys and cores"),
    integer(
      "model.memory.cores", \.model.memory.cores, 0...8,
      "memory layers: score matrices, each for a part of a value; 0: product keys, which add both sides' scores"),
    integer("model.memory.rank", \.model.memory.rank, 1...4, "memory layers: rank r, the number of scores of a key"),
    integer("model.memory.valueWidth", \.model.memory.valueWidth, 1...8192, "memory layers: width of a value"),
    integer(
      "model.memory.preWidth", \.model.memory.preWidth, 0...8192,
      "memory layers: width of a pre-value, whose dot product with the projected token scales the value; 0: no pre-values"
    ),
    number(
      "model.memory.rate", \.model.memory.rate, .excluding(0), .including(100),
      "memory layers: factor on the tables' learning rate, falling linearly to 1 at the last step", usedAs: .double),
    Field(
      key: "model.memory.blocks",
      kind: .numbers(Field.Bounds(lower: .including(0), upper: .including(1023), use: .double)),
      about: "memory layers: blocks that have one, numbered from 0; empty: all blocks",
      read: { .numbers($0.model.memory.blocks) },
      write: { if case .numbers(let values) = $1 { $0.model.memory.blocks = values } }),

    number(
      "objective.ntp", \.objective.ntp, .including(0), .including(100), "weight of the next-token loss; 0: no NTP head"
    ),
    number(
      "objective.top", \.objective.top, .including(0), .including(100),
      "weight of the token-order loss; 0: no TOP head"),
    integer(
      "objective.next.ahead", \.objective.next.ahead, 1...8,
      "tokens that NTP's head is trained on at first, with weights 1, 1/2, 1/4, …; all but the next one fade out"),
    number(
      "objective.next.further", \.objective.next.further, .including(0), .including(10),
      "factor on the weights of all tokens of objective.next.ahead but the next one; 0: the next token alone"),
    number(
      "objective.next.prefix", \.objective.next.prefix, .including(0), .including(1),
      "first weight of the longest token that the next token begins with; falls to 0 by two thirds of the run"),
    flag(
      "objective.next.mean", \.objective.next.mean,
      "divide the weights of objective.next.ahead and .prefix by their sum"),
    number(
      "objective.next.beta", \.objective.next.beta, .including(-1), .including(10),
      "β: weight (1 − p)^β of the next token; below 0 sharpens the prediction, above 0 widens it"),
    number(
      "objective.next.head", \.objective.next.head, .including(-1), .including(1),
      "λ_head: makes each of the likeliest wrong tokens a target, with its probability times λ_head as weight"),
    number(
      "objective.next.tail", \.objective.next.tail, .including(-1), .including(1),
      "λ_tail: makes all other wrong tokens targets, with their probabilities times λ_tail as weights"),
    integer(
      "objective.next.likeliest", \.objective.next.likeliest, 1...256,
      "k: number of likeliest wrong tokens to which objective.next.head applies"),
    flag(
      "objective.next.steerable", \.objective.next.steerable,
      "let commands shape a next-token loss that is plain cross-entropy at first"),
    text(
      "objective.teacher.file", \.objective.teacher.file,
      "predictions of a teacher, as “foretop teach” writes them; empty: no teacher"),
    number(
      "objective.teacher.weight", \.objective.teacher.weight, .including(0), .including(1),
      "part of the next token's weight that goes to the teacher's prediction"),
    integer(
      "objective.teacher.top", \.objective.teacher.top, 1...64,
      "likeliest tokens of the teacher's prediction that count one by one; all others count together"),
    integer(
      "objective.teacher.steps", \.objective.teacher.steps, 0...1_000_000_000,
      "number of steps, from the first on, that use the teacher; 0: all"),
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
      "trunk blocks below parallel heads; 0: as many as objective.mtp.budget leaves"),
    choice(
      "objective.mtp.budget", \.objective.mtp.budget,
      "equal: N parallel heads replace N of model.blocks; added: they replace the last one only"),
    choice(
      "objective.mtp.schedule", \.objective.mtp.schedule,
      "weights of heads 2 to N over the run; sine: falling to 0 at the end"),
    integer(
      "objective.mtp.alone", \.objective.mtp.alone, 0...1_000_000_000,
      "steps at the beginning in which heads 2 to N learn alone, with weight 1; all other parameters stay"),
    number(
      "objective.jtp.weight", \.objective.jtp.weight, .including(0), .including(100),
      "weight of the mean loss of JTP's heads; 0: no JTP heads"),
    integer(
      "objective.jtp.tokens", \.objective.jtp.tokens, 1...JointTokenSettings.most,
      "tokens after the next one that JTP predicts, each from the state and the tokens before it"),
    number(
      "objective.jtp.gamma", \.objective.jtp.gamma, .including(0), .including(10),
      "γ: factor of the state that JTP adds to a token's embedding"),
    flag(
      "objective.jtp.embeddings", \.objective.jtp.embeddings,
      "whether the embeddings that JTP reads learn from its loss"),
    integer("objective.window", \.objective.window, 0...131_072, "tokens that TOP looks ahead; 0: model.context"),
    number(
      "objective.temperature", \.objective.temperature, .excluding(0), .including(1000),
      "temperature τ of TOP's target: larger gives distant tokens more weight"),
    choice(
      "objective.semantics", \.objective.semantics,
      "version of TOP's target: default, algorithm1 or float16Scores"),
    number(
      "objective.discount", \.objective.discount, .including(0), .including(1),
      "discounted future: factor by which the weight falls from each upcoming token to the next"),
    integer(
      "objective.bagWindow", \.objective.bagWindow, 2...256,
      "bag of the future: W; the head predicts the set of the tokens 2 to W ahead"),

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
    flag(
      "save.weightsOnly", \.save.weightsOnly,
      "checkpoints without the moments of memory layers' tables: a resumed run begins those at zero"),
    integer(
      "sample.every", \.sample.every, 0...1_000_000_000, "steps between samples of text and order; 0: only at the end"),
    text("sample.prompt", \.sample.prompt, "prompt of the generated samples"),
    texts(
      "guard.on", \.guard.on, "causes on which the guard acts: nonfinite, spike; a spike always raises an alert"),
    choice(
      "guard.does", \.guard.does,
      "action of the guard: pause (without a screen: end), back to the last sound checkpoint, skip the batch, or stop"),
    number(
      "guard.rate", \.guard.rate, .excluding(0), .including(1),
      "factor of the learning rate when the guard goes back",
      usedAs: .double),
    integer(
      "guard.most", \.guard.most, 0...1000,
      "number of times that the guard goes back, or skips in a row, before it pauses"),
    text(
      "stop.until", \.stop.until,
      "the run ends at the first evaluation that meets this condition, such as accuracy/path >= 0.99; empty: never"),
    integer(
      "stop.patience", \.stop.patience, 0...1_000_000,
      "the run ends after this many evaluations without a lower held-out loss of the first head; 0: never"),
    choice(
      "ranks.transport", \.ranks.transport,
      "under mpirun, the precision in which gradients travel between ranks: fp32 or bf16"),
    choice(
      "ranks.sharding", \.ranks.sharding,
      "under mpirun, what is divided among the ranks: none, or optimizer (AdamW's moments, ZeRO-1)"),
  ]

  static func field(_ key: String) -> Field? { fields.first { $0.key == key } }

  /// The key that was meant by a wrong one, as “; did you mean …?”, or where all keys can be read.
  static func suggestion(for wrong: String) -> String {
    // Somebody who writes `width` or `train.width` means `model.width`.
    let lastWord = String(wrong[(wrong.lastIndex(of: ".").map { wrong.index(after: $0) } ?? wrong.startIndex)...])
    let keys = fields.map(\.key)
    let longer = wrong.contains(".") ? keys.first(where: { $0.hasPrefix(wrong) }) : nil
    let meant =
      longer ?? keys.nearest(to: wrong)
      ?? fields.map { String($0.name) }.nearest(to: lastWord).flatMap { name in
        (fields.first { $0.key == "model.\(name)" } ?? fields.first { $0.name == name })?.key
      }
    let page = "“foretop train --help” lists all keys"
    return meant.map { "; did you mean \($0)? (\(page))" } ?? ": \(page)"
  }

  typealias Path<Value> = WritableKeyPath<Recipe, Value> & Sendable

  static func integer(
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
