// The diagnostics of an evaluation. They read what the evaluation computes, and a pass over training windows where they need one;
// no step reads what they leave.
import Corpus
import Run
import Transformer

extension Trainer {
  /// The diagnostics that an evaluation at this step measures; nil if none is due.
  func dueDiagnostics() -> DiagnosticPass? {
    let due = recipe.dueDiagnostics(at: state.step)
    guard !due.isEmpty else { return nil }
    return DiagnosticPass(
      due,
      DiagnosticSetting(
        recipe: recipe, heads: heads, vocabulary: corpus.tokenizer.vocabulary, threads: model.threads,
        frequencies: corpus.frequencies, heldOut: corpus.heldOut))
  }

  /// Reads training windows for the diagnostics that need them.
  /// - Returns: false if `shouldContinue` ended it.
  /// - Throws: `CorpusError` if the text cannot be read; other errors if the means cannot be computed.
  func readTraining(
    for pass: DiagnosticPass, while shouldContinue: (_ done: Int, _ total: Int) -> Bool
  ) throws -> Bool {
    guard pass.needs.contains(.training) else { return true }
    var watch = Stopwatch()
    let heldOut = recipe.evaluate.tokens > 0 ? min(recipe.evaluate.tokens, corpus.heldOut.count) : corpus.heldOut.count
    let isRead = try model.look(
      at: corpus.training, by: recipe, tokens: recipe.measure.tokens > 0 ? recipe.measure.tokens : heldOut, for: pass,
      while: shouldContinue)
    guard isRead else { return false }
    try pass.finish(.training, after: watch.lap(), of: model)
    return true
  }
}
