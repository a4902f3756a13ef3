// What must hold between a recipe's keys. Each key's own range is in Recipe+Fields.

extension Recipe {
  /// Checks the rules that involve several keys.
  /// - Parameter source: The beginning of messages: the recipe's path or name.
  /// - Throws: `UserError` with the keys, their values, and what to change.
  package func validate(source: String) throws { try validate(KeyOrigins(source)) }

  /// Checks the rules that involve several keys.
  /// - Parameter origins: the places of the keys' values.
  /// - Throws: `UserError` that begins with the options, or the line of the file, that break a rule.
  package func validate(_ origins: KeyOrigins) throws {
    for rule in brokenRules { throw origins.error(rule.keys, rule.sentence) }
  }

  /// Checks, where a run begins, what its user must have decided: whether documents in related order may repeat each other. Stored runs
  /// are as they are.
  /// - Throws: `UserError` that says what to decide.
  package func requireDecisions(_ origins: KeyOrigins) throws(UserError) {
    guard data.order == .related, !data.deduplicate, !origins.names("data.deduplicate") else { return }
    throw origins.error(
      ["data.order"],
      "data.order related puts documents side by side that nearly repeat each other, unless they are left out: set "
        + "data.deduplicate to true, also in the run that this one is compared with (such as data.order random), or to "
        + "false, to keep them")
  }

  /// What does not hold between keys.
  private struct BrokenRule {
    var keys: [String]
    var sentence: String
  }

  /// Every rule that this recipe breaks.
  private var brokenRules: [BrokenRule] {
    var rules: [BrokenRule] = []
    func require(_ holds: Bool, of keys: [String], else sentence: @autoclosure () -> String) {
      if !holds { rules.append(BrokenRule(keys: keys, sentence: sentence())) }
    }
    require(
      model.headWidth > 0 || model.width % model.heads == 0,
      of: ["model.width", "model.heads", "model.headWidth"],
      else:
        "model.width \(model.width) is not a multiple of model.heads \(model.heads): change one of them, or set"
        + " model.headWidth")
    let triggers = GuardSettings.Trigger.allCases.map(\.rawValue)
    let stranger = self.guard.on.first { !triggers.contains($0) } ?? ""
    require(
      self.guard.on.allSatisfy(triggers.contains), of: ["guard.on"],
      else: "guard.on has \(stranger.quotation), but the guard knows \(triggers.joined(separator: " and "))")
    let isShared = model.headWidth == 0
    require(
      model.kind.style.learnsPositions || (isShared && model.width % model.heads != 0) || model.widthOfHead % 2 == 0,
      of: (isShared ? ["model.width", "model.heads"] : ["model.headWidth"]) + ["model.kind"],
      else: "the head width is \(model.widthOfHead), and must be even for rotary positions: change "
        + (isShared ? "model.width or model.heads" : "model.headWidth"))
    require(
      isShared || model.kind == .llama || model.headWidth * model.heads == model.width,
      of: ["model.headWidth", "model.kind", "model.width", "model.heads"],
      else:
        "model.headWidth \(model.headWidth) is not model.width / model.heads, as model.kind gpt2 requires: leave"
        + " model.headWidth out")
    require(
      !model.kind.style.learnsPositions || !model.qkNorm,
      of: ["model.qkNorm", "model.kind"],
      else: "model.qkNorm is for model.kind llama, but model.kind is gpt2: leave one of them out")
    require(
      !model.kind.style.learnsPositions || model.ropeTheta == Recipe.ModelSettings.usualRopeTheta,
      of: ["model.ropeTheta", "model.kind"],
      else:
        "model.ropeTheta is the base of rotary positions, and model.kind gpt2 learns its positions: leave one of them out"
    )
    require(
      model.heads % model.keyValueHeads == 0,
      of: ["model.keyValueHeads", "model.heads"],
      else: "model.keyValueHeads \(model.keyValueHeads) must divide model.heads \(model.heads)")
    let trunkKeys = HeadKind.all.filter { $0.tensorName != nil }.map(\.weightKey)
    require(
      heads.contains { $0.kind.tensorName != nil },
      of: trunkKeys,
      else: "\(trunkKeys.dropLast().joined(separator: ", ")) and \(trunkKeys.last ?? "") are all 0: nothing would be "
        + "learned; set one above 0")
    for rule in model.memory.brokenRules(blocks: inferenceBlocks + heads.count(where: \.hasBlock)) {
      require(false, of: rule.keys.map { "model.memory.\($0)" }, else: rule.sentence)
    }
    let mtp = objective.mtp
    require(
      mtp.heads == 1 || objective.ntp > 0,
      of: ["objective.mtp.heads", "objective.ntp"],
      else: "objective.mtp.heads is \(mtp.heads), whose first is the NTP head, but objective.ntp is 0: set it above 0")
    require(
      mtp.weights.isEmpty || mtp.weights.count == mtp.heads - 1,
      of: ["objective.mtp.weights", "objective.mtp.heads"],
      else:
        "objective.mtp.weights has \(mtp.weights.count) numbers for \(mtp.heads - 1) heads (2 to \(mtp.heads)): give"
        + " one each, or none")
    require(
      mtp.kind == .parallel || mtp.weights.drop { $0 > 0 }.allSatisfy { $0 == 0 },
      of: ["objective.mtp.weights", "objective.mtp.kind"],
      else:
        "objective.mtp.weights has a 0 before a head with a weight, but each sequential head reads the one before: put"
        + " zeros last")
    require(
      mtp.heads == 1 || mtp.kind == .sequential || trunkBlocks > 0,
      of: ["objective.mtp.heads", "objective.mtp.kind", "objective.mtp.trunk", "objective.mtp.budget", "model.blocks"],
      else:
        "\(mtp.heads) parallel heads take a block each, and model.blocks \(model.blocks) leaves none for the trunk:"
        + " make model.blocks larger, or set objective.mtp.trunk")
    require(
      mtp.alone == 0 || mtp.heads > 1, of: ["objective.mtp.alone", "objective.mtp.heads"],
      else:
        "objective.mtp.alone is \(mtp.alone), but objective.mtp.heads is 1: there are no heads that could learn alone")
    require(
      mtp.schedule == .constant || mtp.heads > 1, of: ["objective.mtp.schedule", "objective.mtp.heads"],
      else:
        "objective.mtp.schedule is \(mtp.schedule.rawValue), but objective.mtp.heads is 1: there are no weights to change"
    )
    require(
      mtp.alone == 0 || optimizer.kind == .adamw, of: ["objective.mtp.alone", "optimizer.kind"],
      else:
        "objective.mtp.alone holds all other parameters still, which optimizer.kind muon cannot: use adamw, or set "
        + "objective.mtp.alone to 0")
    require(
      objective.jtp.weight == 0 || objective.ntp > 0, of: ["objective.jtp.weight", "objective.ntp"],
      else:
        "objective.jtp.weight is \(objective.jtp.weight), whose heads use NTP's unembedding, but objective.ntp is 0: "
        + "set it above 0")
    let next = objective.next
    let shaping = ["ahead", "prefix", "beta", "head", "tail", "steerable"].map { "objective.next.\($0)" }
    require(
      !next.isShaped || objective.ntp > 0, of: ["objective.ntp"] + shaping,
      else: "objective.next shapes the next-token loss, but objective.ntp is 0: set it above 0")
    require(
      next.further == 1 || next.ahead > 1, of: ["objective.next.further", "objective.next.ahead"],
      else:
        "objective.next.further weights the tokens after the next one, but objective.next.ahead is 1: there are none; "
        + "make objective.next.ahead larger")
    require(
      next.prefix == 0 || [.sentencepiece, .bpe].contains(tokenizer.kind),
      of: ["objective.next.prefix", "tokenizer.kind"],
      else:
        "objective.next.prefix needs tokens that begin with other tokens, and tokenizer.kind \(tokenizer.kind.rawValue) has "
        + "none: use sentencepiece or bpe, or set objective.next.prefix to 0")
    let teacher = objective.teacher
    require(
      !teacher.isThere || objective.ntp > 0, of: ["objective.teacher.file", "objective.ntp"],
      else: "objective.teacher.file gives the NTP head a teacher, but objective.ntp is 0: set it above 0")
    require(
      !teacher.isThere || !next.isShaped, of: ["objective.teacher.file"] + shaping,
      else: "objective.teacher.file and objective.next both shape the next-token loss: leave one of them out")
    require(
      !teacher.isThere || data.kind == .text, of: ["objective.teacher.file", "data.kind"],
      else: "objective.teacher.file is about a text, and data.kind is \(data.kind.rawValue): leave it out")
    require(
      !data.drawn.isOn || objective.ntp > 0, of: ["data.drawn.share", "objective.ntp"],
      else: "data.drawn.share draws tokens by the NTP head, but objective.ntp is 0: set it above 0")
    require(
      !data.drawn.isOn || data.kind == .text, of: ["data.drawn.share", "data.kind"],
      else: "data.drawn.share is about a text, and data.kind is \(data.kind.rawValue): leave it at 0")
    let graph = data.graph
    if data.kind == .stargraph {
      require(
        data.paths.isEmpty, of: ["data.paths", "data.kind"],
        else: "data.kind is stargraph, whose graphs are made from the seed, but data.paths names files: leave one out")
      require(
        graph.labels <= graph.nodes, of: ["data.graph.nodes", "data.graph.degree", "data.graph.length"],
        else: "\(graph.name) has \(graph.labels) nodes, all different, but data.graph.nodes is \(graph.nodes): make it "
          + "\(graph.labels) or more")
      require(
        graph.labels > graph.nodes || graph.hasEnoughGraphs,
        of: ["data.graph.nodes", "data.graph.degree", "data.graph.length"],
        else: "there are too few different graphs \(graph.name) of \(graph.nodes) nodes to keep some for testing: make "
          + "data.graph.nodes larger")
      require(
        model.context >= graph.sampleLength, of: ["model.context", "data.graph.degree", "data.graph.length"],
        else:
          "a sample of \(graph.name) has \(graph.sampleLength) tokens, but model.context is \(model.context): make it "
          + "\(graph.sampleLength) or more")
    }
    require(
      evaluate.task.isEmpty || (data.kind == .text && tokenizer.kind != .tokens && objective.ntp > 0),
      of: ["evaluate.task", "data.kind", "tokenizer.kind", "objective.ntp"],
      else:
        "evaluate.task asks questions in text, which needs a text, a tokenizer and next-token prediction: leave it empty"
    )
    require(
      data.kind == .text || (data.order == .text && !data.deduplicate),
      of: ["data.order", "data.deduplicate", "data.kind"],
      else: "data.order and data.deduplicate are about documents of text, and data.kind is \(data.kind.rawValue): leave"
        + " them out")
    for kind in diagnostics {
      require(
        !kind.needsText || data.kind == .text, of: ["measure.\(kind.name)", "data.kind"],
        else: "measure.\(kind.name) needs text, and data.kind is \(data.kind.rawValue): leave measure.\(kind.name) at 0"
      )
      require(
        !kind.needsNextToken || objective.ntp > 0, of: ["measure.\(kind.name)", "objective.ntp"],
        else: "measure.\(kind.name) needs next-token prediction, but objective.ntp is 0: set it above 0, or "
          + "measure.\(kind.name) to 0")
    }
    require(
      tokenizer.kind != .graph || data.kind == .stargraph, of: ["tokenizer.kind", "data.kind"],
      else: "tokenizer.kind graph belongs to data.kind stargraph: set data.kind, or choose another tokenizer")
    require(
      tokenizer.kind != .tokens || !data.paths.isEmpty,
      of: ["tokenizer.kind", "data.paths"],
      else: "tokenizer.kind is tokens, but data.paths is empty: name token files, such as train.bin and val.bin")
    require(
      tokenizer.kind != .tokens || !tokenizer.model.isEmpty
        || sample.prompt.split(separator: " ").allSatisfy { Int32($0) != nil },
      of: ["sample.prompt", "tokenizer.kind", "tokenizer.model"],
      else:
        "sample.prompt is \(sample.prompt.quotation), but token files have only numbers: write numbers such as “17 4”,"
        + " leave sample.prompt empty, or name the tokenizer in tokenizer.model")
    let condition = Result { () throws(UserError) in try StopRule(self).condition }
    if case .failure(let error) = condition {
      require(false, of: ["stop.until"], else: "stop.until: \(error.message)")
    } else if case .success(let condition?) = condition {
      let names = Evaluation.names(self)
      let unmeasured = DiagnosticKind.all.filter { measure[every: $0.name] == 0 }
        .first { condition.metric.hasPrefix($0.name + "/") }
      require(
        names.contains(condition.metric), of: ["stop.until"],
        else: "stop.until asks for \(condition.metric.quotation), which evaluations of this recipe lack"
          + (unmeasured.map { ": set measure.\($0.name) above 0, which measures it" }
            ?? names.nearest(to: condition.metric).map { "; did you mean \($0)?" }
            ?? ": they have \(names.joined(separator: ", "))"))
    }
    require(
      stop == StopSettings() || evaluate.every > 0, of: ["stop.until", "stop.patience", "evaluate.every"],
      else: "stop.until and stop.patience look at evaluations, but evaluate.every is 0: set it above 0")
    // A warm-up longer than the run is fine: a short trial of a long recipe, which never reaches the peak rate.
    require(
      !model.tied || objective.ntp > 0,
      of: ["model.tied", "objective.ntp"],
      else: "model.tied ties the NTP head to the embedding, but objective.ntp is 0: there is no NTP head")
    // Both are at most 2^17 and 2^16, so that their products fit.
    let tokens = batch.rows * model.context
    require(
      tokens <= Self.mostTokens,
      of: ["batch.rows", "model.context"],
      else: "batch.rows \(batch.rows) × model.context \(model.context) is \(tokens) tokens at once, above the limit"
        + " of \(Self.mostTokens): use batch.accumulation instead")
    let run = tokens.multipliedReportingOverflow(by: batch.accumulation)
    let (all, isTooLarge) = run.partialValue.multipliedReportingOverflow(by: steps)
    require(
      !run.overflow && !isTooLarge && all <= Self.mostTokensOfRun,
      of: ["batch.rows", "model.context", "batch.accumulation", "steps"],
      else:
        "batch.rows \(batch.rows) × model.context \(model.context) × batch.accumulation \(batch.accumulation) × steps"
        + " \(steps) is more tokens than can be counted: make steps or batch.accumulation smaller")
    return rules
  }

  /// The most tokens of a run: 2^62, so that what is added to them can be counted too.
  private static let mostTokensOfRun = 1 << 62

  /// The most tokens of a micro-batch: 2^22.
  private static let mostTokens = 4_194_304
}
