// What must hold between a recipe's keys. Each key's own range is in Recipe+Fields.

extension Recipe {
  /// Checks what no key can say alone.
  /// - Parameter source: What to begin messages with: the recipe's path or name.
  /// - Throws: `UserError` with the keys, their values, and what to change.
  package func validate(source: String) throws {
    for rule in brokenRules { throw UserError(.data, "\(source): \(rule)") }
  }

  /// A sentence for every rule that this recipe breaks.
  private var brokenRules: [String] {
    var rules: [String] = []
    func require(_ holds: Bool, _ sentence: @autoclosure () -> String) {
      if !holds { rules.append(sentence()) }
    }
    require(
      model.headWidth > 0 || model.width % model.heads == 0,
      "model.width \(model.width) cannot be shared by model.heads \(model.heads): make it a multiple of \(model.heads), or"
        + " set model.headWidth")
    let isShared = model.headWidth == 0
    require(
      model.kind.style.learnsPositions || (isShared && model.width % model.heads != 0) || model.widthOfHead % 2 == 0,
      "a head of \(model.widthOfHead) numbers cannot turn in pairs (rotary positions): "
        + (isShared ? "model.width / model.heads" : "model.headWidth") + " must be even")
    require(
      isShared || model.kind == .llama || model.headWidth * model.heads == model.width,
      "model.headWidth \(model.headWidth) is not model.width / model.heads, which all heads of model.kind gpt2 are: leave"
        + " model.headWidth out")
    require(
      !model.kind.style.learnsPositions || !model.qkNorm,
      "model.qkNorm is for model.kind llama, and this is gpt2: leave one of them out")
    require(
      !model.kind.style.learnsPositions || model.ropeTheta == Recipe.Model.usualRopeTheta,
      "model.ropeTheta is the base of rotary positions, and model.kind gpt2 learns its positions: leave one of them out"
    )
    require(
      model.heads % model.keyValueHeads == 0,
      "model.keyValueHeads \(model.keyValueHeads) must divide model.heads \(model.heads)")
    require(
      objective.ntp > 0 || objective.top > 0,
      "objective.ntp and objective.top are both 0: nothing would be learned; set one above 0")
    let mtp = objective.mtp
    require(
      mtp.heads == 1 || objective.ntp > 0,
      "objective.mtp.heads is \(mtp.heads), whose first is the NTP head, but objective.ntp is 0: set it above 0")
    require(
      mtp.weights.isEmpty || mtp.weights.count == mtp.heads - 1,
      "objective.mtp.weights has \(mtp.weights.count) numbers for \(mtp.heads - 1) heads (2 to \(mtp.heads)): give"
        + " one each, or none")
    require(
      mtp.kind == .parallel || mtp.weights.drop { $0 > 0 }.allSatisfy { $0 == 0 },
      "objective.mtp.weights has a 0 before a head with a weight, and sequential heads read the one before: put zeros"
        + " last")
    require(
      mtp.heads == 1 || mtp.kind == .sequential || mtp.trunk > 0 || model.blocks > mtp.heads,
      "\(mtp.heads) parallel heads are a block each: of model.blocks \(model.blocks) none is left for the trunk; make"
        + " model.blocks larger, or set objective.mtp.trunk")
    require(
      tokenizer.kind != .tokens || !data.paths.isEmpty,
      "tokenizer.kind is tokens, and data.paths names no token files: name some, such as train.bin and val.bin")
    require(
      tokenizer.kind != .tokens || !tokenizer.model.isEmpty
        || sample.prompt.split(separator: " ").allSatisfy { Int32($0) != nil },
      "sample.prompt is \(sample.prompt.quotation), and token files have numbers only: write some such as “17 4”, leave it empty,"
        + " or name their tokenizer in tokenizer.model")
    // A warm-up longer than the run is fine: a short trial of a long recipe, that never reaches the highest rate.
    require(
      !model.tied || objective.ntp > 0,
      "model.tied ties the NTP head to the embedding, but objective.ntp is 0 and there is no such head")
    // Both are at most 2^17 and 2^16, so that their products fit.
    let tokens = batch.rows * model.context
    require(
      tokens <= Self.mostTokens,
      "batch.rows \(batch.rows) × model.context \(model.context) is \(tokens) tokens at once; more than"
        + " \(Self.mostTokens) are not taken: use batch.accumulation instead")
    let run = tokens.multipliedReportingOverflow(by: batch.accumulation)
    let (all, isTooLarge) = run.partialValue.multipliedReportingOverflow(by: steps)
    require(
      !run.overflow && !isTooLarge && all <= Self.mostTokensOfRun,
      "batch.rows \(batch.rows) × model.context \(model.context) × batch.accumulation \(batch.accumulation) × steps"
        + " \(steps) is more tokens than can be counted: make steps or batch.accumulation smaller")
    return rules
  }

  /// The most tokens of a run: 2^62, so that what is added to them can be counted too.
  private static let mostTokensOfRun = 1 << 62

  /// The most tokens of a micro-batch: 2^22.
  private static let mostTokens = 4_194_304
}
