// The diagnostics of one evaluation: hands them every batch, takes their time, and collects their numbers.
import Corpus
import Run
import Transformer

/// The diagnostics that an evaluation measures.
final class DiagnosticPass {
  private struct RunningDiagnostic {
    let kind: DiagnosticKind
    let needs: DiagnosticNeeds
    var diagnostic: any Diagnostic
    /// Seconds that it took, its share of what is computed for several included.
    var seconds = 0.0

    func looks(at part: DiagnosticPart) -> Bool { part == .heldOut || needs.contains(.training) }
  }

  private var running: [RunningDiagnostic]
  /// Seconds of the pass over the training part in which the diagnostics themselves computed.
  private var ownSecondsOfTraining = 0.0
  private let recipe: Recipe
  /// What any of them needs.
  let needs: DiagnosticNeeds

  init(_ kinds: [DiagnosticKind], _ setting: DiagnosticSetting) {
    running = kinds.map { kind in
      guard let computation = DiagnosticKind.computations[kind.name] else {
        preconditionFailure("nothing computes the diagnostic \(kind.name)")
      }
      return RunningDiagnostic(kind: kind, needs: computation.needs, diagnostic: computation.init(setting))
    }
    needs = running.reduce(into: []) { $0.formUnion($1.needs) }
    recipe = setting.recipe
  }

  /// What the diagnostics that look at a part need.
  func needs(lookingAt part: DiagnosticPart) -> DiagnosticNeeds {
    running.reduce(into: []) { needs, one in
      if one.looks(at: part) { needs.formUnion(one.needs) }
    }
  }

  /// Hands a batch to all that look at its part.
  /// - Parameter rows: the batch that the network's losses were last measured on.
  func add(_ part: DiagnosticPart, _ rows: TokenRows, of model: Transformer) {
    var watch = Stopwatch()
    let batch = DiagnosticBatch(part, rows, of: model, needs: needs(lookingAt: part))
    let looking = running.indices.filter { running[$0].looks(at: part) }
    let readers = looking.count { running[$0].needs.contains(.outputs) }
    // The time of what several read is divided equally; that of the training part is divided by `finish`.
    let batchSeconds = part == .heldOut ? watch.lap() / Double(max(1, looking.count)) : 0
    let outputSeconds = part == .heldOut ? model.secondsOfOutputs / Double(max(1, readers)) : 0
    for index in looking {
      var watch = Stopwatch()
      running[index].diagnostic.add(batch)
      let own = watch.lap()
      running[index].seconds += own + batchSeconds + (running[index].needs.contains(.outputs) ? outputSeconds : 0)
      if part == .training { ownSecondsOfTraining += own }
    }
  }

  /// Ends a part.
  /// - Parameter seconds: of the pass over the training part, which those that need it share.
  func finish(_ part: DiagnosticPart, after seconds: Double = 0, of model: Transformer) throws {
    let readers = running.count { $0.needs.contains(.training) }
    let share = part == .training ? max(0, seconds - ownSecondsOfTraining) / Double(max(1, readers)) : 0
    for index in running.indices where running[index].looks(at: part) {
      var watch = Stopwatch()
      try running[index].diagnostic.finish(part, model)
      running[index].seconds += watch.lap() + share
    }
  }

  /// All numbers in the order of the recipe's columns; those that could not be measured are left out.
  func numbers() -> [MeasuredNumber] {
    running.flatMap { one -> [MeasuredNumber] in
      let values = Dictionary(one.diagnostic.numbers().map { ($0.name, $0.value) }) { first, _ in first }
      let names = one.kind.numbers(recipe)
      precondition(values.count < names.count, "\(one.kind.name) measures numbers that its row does not have")
      return names.compactMap { number in
        let name = String(number.path.dropFirst(one.kind.name.count + 1))
        guard let value = name == "seconds" ? one.seconds : values[name], !value.isNaN else { return nil }
        // As the run file keeps it.
        return MeasuredNumber(number.path, number.isCount ? value : Double(Float(value)))
      }
    }
  }
}

extension Transformer {
  /// Passes over whole windows of the training part, spread evenly, for the diagnostics that need it.
  /// - Parameters:
  ///   - tokens: about how many tokens to read, at least a window.
  ///   - shouldContinue: asked before every batch.
  /// - Returns: false if `shouldContinue` ended it.
  /// - Throws: `CorpusError` where the part cannot be read, or has changed.
  func look(
    at training: TokenRange, by recipe: Recipe, tokens: Int, for pass: DiagnosticPass,
    while shouldContinue: (_ done: Int, _ total: Int) -> Bool
  ) throws(CorpusError) -> Bool {
    var batches = OrderedBatches(
      of: training, rows: rows, context: configuration.context, lookahead: recipe.lookahead,
      most: max(1, tokens / configuration.context))
    while true {
      let done = batches.window
      guard let batch = try batches.next() else { return true }
      guard shouldContinue(done, batches.windows) else { return false }
      let rows = TokenRows(batch)
      forward(rows)
      _ = losses(rows, measuresOutputs: pass.needs(lookingAt: .training).contains(.outputs))
      pass.add(.training, rows, of: self)
    }
  }
}
