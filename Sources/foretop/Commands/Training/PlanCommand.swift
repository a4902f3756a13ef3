// foretop plan: the memory, disk, operations and time that a recipe needs.
import ArgumentParser
import Benchmark
import Corpus
import Foundation
import Kernels
import Run
import Training
import Transformer

struct PlanCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan",
    abstract: "Prints what a recipe needs: parameters, memory, disk, FLOPs, time.",
    discussion: """
      Neither a network nor a tokenizer is trained. The time is an estimate: for some seconds, one block, a part of \
      the heads and a part of the update are measured at the recipe's shapes, on made-up tokens. The exit status is 69 \
      when the recipe does not fit into the available memory.
      """)

  @Argument(help: ArgumentHelp("A name in recipes/ or a path to a YAML file.", valueName: "recipe"))
  var recipe = "default"

  @OptionGroup var changes: RecipeOptions

  @OptionGroup var computing: ThreadOptions

  @Flag(help: "Omits the estimate of the time; the measurement for it takes some seconds.")
  var noMeasure = false

  @OptionGroup var output: JSONOption

  func run() throws {
    try Computation.prepare()
    let file = try RecipeFile(recipe)
    var origins = file.origins
    let recipe = try changes.applied(to: file.recipe, &origins)
    try recipe.validate(origins)
    try recipe.requireDecisions(origins)
    let vocabulary = try Corpus.vocabulary(of: try Corpus.Source(recipe, runs: "runs"))
    let plan = try RunPlan(recipe, vocabulary: vocabulary.count, threads: try computing.count())
    let memory = MachineMemory.current
    var refusal: UserError?
    do throws(UserError) { try plan.checkMachine() } catch { refusal = error }
    let measures = !noMeasure && refusal == nil
    if measures, isatty(STDERR_FILENO) == 1 {
      Output.warn("measuring a block, a part of the heads and a part of the update at the recipe's shapes …")
    }
    let page = PlanPage(
      name: file.name, plan: plan, vocabulary: vocabulary, memory: memory,
      estimate: measures ? try Estimate(plan, memory: memory) : nil)
    print(output.json ? page.json.line : page.text)
    if let refusal { throw refusal }
  }
}

/// A plan as text or JSON.
struct PlanPage {
  let name: String
  let plan: RunPlan
  let vocabulary: (count: Int, origin: String)
  let memory: MachineMemory?
  let estimate: Estimate?

  private var recipe: Recipe { plan.recipe }
  private var tokens: Double { Double(recipe.tokensPerStep) * Double(recipe.steps) }

  // MARK: Text

  /// A line: quantity, value and remark.
  private typealias Line = (what: String, value: String, about: String)

  var text: String {
    [parameterLines, memoryLines, diskLines, operationLines, diagnosticLines, stepLines].filter { !$0.isEmpty }.map {
      lines in
      lines.map { line in
        line.what.padding(toLength: 24, withPad: " ", startingAt: 0)
          + String(repeating: " ", count: max(0, 12 - line.value.count)) + line.value
          + (line.about.isEmpty ? "" : "   " + line.about)
      }.joined(separator: "\n")
    }.joined(separator: "\n\n") + (timeText.map { "\n\n" + $0 } ?? "")
  }

  private var parameterLines: [Line] {
    [("parameters", Figure.short(Double(plan.network.parameters.parameters)), "")]
      + plan.network.parametersByPart.map { ("  \(words($0.part.rawValue))", Figure.short(Double($0.count)), "") }
      + memoryLines(of: plan.network.parameters)
      + [("  vocabulary", Figure.grouped(vocabulary.count), "by \(vocabulary.origin)")]
  }

  /// What memory layers make of the parameters; empty where there are none.
  private func memoryLines(of parameters: ParameterLayout) -> [Line] {
    guard parameters.tableBytesPerToken > 0 else { return [] }
    return [
      (
        "  active", Figure.short(Double(parameters.activeParameters)),
        "without the rows of tables that a token does not read"
      ),
      (
        "  tables read a token", Figure.bytes(parameters.tableBytesPerToken),
        "forward, and again backward; \(Figure.bytes(24 * tableElements)) are read and written for an update"
      ),
    ]
  }

  private var tableElements: Int {
    plan.network.parametersByPart.first { $0.part == .tables }?.count ?? 0
  }

  private var memoryLines: [Line] {
    [("memory", Figure.bytes(plan.bytes), machine)]
      + plan.memory.map { ("  \($0.name)", Figure.bytes($0.bytes), $0.about) }
  }

  private var diskLines: [Line] { [("disk, at most", Figure.bytes(plan.disk.bytes), plan.disk.words)] }

  private var operationLines: [Line] {
    let drawn = plan.drawingOperations
    return [("FLOPs a token", Figure.short(plan.operationsPerToken), "forward and backward")]
      + plan.network.operations.map { ("  \(words($0.part.rawValue))", Figure.short($0.count), "") }
      + (drawn > 0 ? [("  drawn inputs", Figure.short(drawn), "forward, by the frozen copy")] : [])
  }

  /// What each diagnostic of the recipe costs; empty where all are off.
  private var diagnosticLines: [Line] {
    guard !plan.diagnostics.isEmpty else { return [] }
    return [("diagnostics", "", "FLOPs of a measurement; steps are not slower")]
      + plan.diagnostics.map { one -> Line in
        var parts: [String] = []
        if one.perTrainingToken > 0 {
          parts.append("\(Figure.short(one.perTrainingToken)) for each training token read")
        }
        if one.perHeldOutToken > 0 { parts.append("\(Figure.short(one.perHeldOutToken)) for each held-out token") }
        if one.once > 0 { parts.append("\(Figure.short(one.once)) once") }
        let cost = parts.isEmpty ? "counts only" : parts.joined(separator: ", ")
        return ("  \(one.kind.name)", one.every == 1 ? "every" : "every \(one.every)", "evaluation: \(cost)")
      }
  }

  private var stepLines: [Line] {
    let batch = recipe.batch
    let pieces = batch.accumulation > 1 ? " × \(batch.accumulation) micro-batches" : ""
    let rows = batch.rows == 1 ? "1 row" : "\(batch.rows) rows"
    return [
      (
        "tokens a step", Figure.short(Double(recipe.tokensPerStep)), "\(rows) × \(recipe.model.context) tokens\(pieces)"
      ),
      ("steps", Figure.grouped(recipe.steps), "\(Figure.short(tokens)) tokens in all"),
    ]
  }

  private var timeText: String? {
    guard let estimate else { return nil }
    let share = Int((estimate.products / estimate.step * 100).rounded())
    let rate = Double(recipe.tokensPerStep) / estimate.step
    let drawn = estimate.drawing > 0 ? "drawn inputs \(Figure.milliseconds(estimate.drawing)), " : ""
    let parts =
      "blocks \(Figure.milliseconds(estimate.blocks)), heads \(Figure.milliseconds(estimate.heads)), \(drawn)update "
      + Figure.milliseconds(estimate.update)
    let firstSteps = lines(ofFirstSteps: estimate)
    return """
      time, estimated from \(Figure.duration(estimate.measuring)) of measuring: with nothing else running
        \(rate < 10 ? Figure.fixed(rate, 1) : Figure.short(rate)) tokens/s, \(share) % of what the matrix products \
      alone would allow
        \(Figure.milliseconds(estimate.step)) a step\(firstSteps.isEmpty ? "" : " on average") (\(parts))\(firstSteps)
        \(Figure.duration(estimate.step * Double(recipe.steps))) the run, without evaluations, samples and checkpoints
      """
  }

  /// What only the first steps take, or all of them because of a shaped loss: a line each, behind a line's end.
  private func lines(ofFirstSteps estimate: Estimate) -> String {
    func line(_ extra: Estimate.FirstSteps, _ reason: String) -> String {
      guard extra.steps > 0 else { return "" }
      let which = extra.steps >= recipe.steps ? "every step" : "each of the first \(Figure.grouped(extra.steps)) steps"
      let sign = extra.seconds < 0 ? "−" : "+"
      return "\n  \(sign)\(Figure.milliseconds(abs(extra.seconds))) in \(which): \(reason)"
    }
    return line(estimate.shaping, "the next-token loss is not plain cross-entropy")
      + line(estimate.alone, "MTP heads learn alone, and nothing else is updated")
  }

  private var machine: String {
    guard let memory else { return "" }
    let limit = memory.limit.map { "; the control group's limit is \(Figure.bytes($0))" } ?? ""
    return "of \(Figure.bytes(memory.available)) available; the machine has \(Figure.bytes(memory.total))\(limit)"
  }

  /// `multiTokenHeads` as words.
  private func words(_ name: String) -> String {
    name.reduce(into: "") { $0 += $1.isUppercase ? " \($1.lowercased())" : String($1) }
  }

  // MARK: JSON

  var json: JSON {
    func object<Key>(_ parts: [(Key, JSON)], _ name: (Key) -> String, total: JSON) -> JSON {
      .object([JSON.Member("total", total)] + parts.map { JSON.Member(name($0.0), $0.1) })
    }
    var memory = plan.memory.map { JSON.Member($0.name, .integer($0.bytes)) }
    memory.insert(JSON.Member("total", .integer(plan.bytes)), at: 0)
    var members = [
      JSON.Member("recipe", .text(name)), JSON.Member("vocabulary", .integer(vocabulary.count)),
      JSON.Member("threads", .integer(plan.network.threads)),
      JSON.Member("precision", .text("\(plan.network.precision)")),
      JSON.Member(
        "parameters",
        object(
          plan.network.parametersByPart.map { ($0.part, .integer($0.count)) }, \.rawValue,
          total: .integer(plan.network.parameters.parameters))),
      JSON.Member("memory", .object(memory)),
      JSON.Member(
        "disk",
        .object([
          JSON.Member("total", .integer(plan.disk.bytes)), JSON.Member("checkpoint", .integer(plan.disk.checkpoint)),
          JSON.Member("checkpoints", .integer(plan.disk.checkpoints)),
          JSON.Member("metrics", .integer(plan.disk.metrics)),
        ])),
    ]
    if plan.network.parameters.tableBytesPerToken > 0 {
      members += [
        JSON.Member("activeParameters", .integer(plan.network.parameters.activeParameters)),
        JSON.Member("tableBytesPerToken", .integer(plan.network.parameters.tableBytesPerToken)),
      ]
    }
    if let machine = self.memory {
      members.append(
        JSON.Member(
          "machine",
          .object([
            JSON.Member("memory", .integer(machine.total)), JSON.Member("available", .integer(machine.available)),
            JSON.Member("limit", machine.limit.map(JSON.integer) ?? .null),
          ])))
      members.append(JSON.Member("fits", .flag(plan.bytes <= machine.available)))
    }
    members += [
      JSON.Member(
        "operationsPerToken",
        object(
          plan.network.operations.map { ($0.part.rawValue, .double($0.count)) }
            + (plan.drawing == nil ? [] : [("drawn", .double(plan.drawingOperations))]), { $0 },
          total: .double(plan.operationsPerToken))),
      JSON.Member("tokensPerStep", .integer(recipe.tokensPerStep)), JSON.Member("steps", .integer(recipe.steps)),
    ]
    if !plan.diagnostics.isEmpty {
      members.append(
        JSON.Member(
          "diagnostics",
          .object(
            plan.diagnostics.map { one in
              JSON.Member(
                one.kind.name,
                .object([
                  JSON.Member("every", .integer(one.every)),
                  JSON.Member("operationsPerTrainingToken", .double(one.perTrainingToken)),
                  JSON.Member("operationsPerHeldOutToken", .double(one.perHeldOutToken)),
                  JSON.Member("operationsOnce", .double(one.once)), JSON.Member("bytes", .integer(one.bytes)),
                ]))
            })))
    }
    if let estimate { members.append(JSON.Member("estimate", json(of: estimate))) }
    return .object(members)
  }

  private func json(of estimate: Estimate) -> JSON {
    var members = [
      JSON.Member("tokensPerSecond", .double(Double(recipe.tokensPerStep) / estimate.step)),
      JSON.Member("step", .double(estimate.step)), JSON.Member("blocks", .double(estimate.blocks)),
      JSON.Member("heads", .double(estimate.heads)), JSON.Member("update", .double(estimate.update)),
      JSON.Member("run", .double(estimate.step * Double(recipe.steps))),
      JSON.Member("shareOfLimit", .double(estimate.products / estimate.step)),
      JSON.Member("measuring", .double(estimate.measuring)),
    ]
    if plan.drawing != nil { members.append(JSON.Member("drawn", .double(estimate.drawing))) }
    for (name, extra) in [("shaping", estimate.shaping), ("alone", estimate.alone)] where extra.steps > 0 {
      members.append(
        JSON.Member(
          name, .object([JSON.Member("seconds", .double(extra.seconds)), JSON.Member("steps", .integer(extra.steps))])))
    }
    return .object(members)
  }
}
