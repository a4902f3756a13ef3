// A network loaded from a checkpoint, for evaluation and generation.
import Corpus
import Kernels
import Run
import Transformer

/// A trained network for evaluation and generation, without gradients.
package final class TrainedNetwork {
  let model: Transformer
  let recipe: Recipe

  /// Rows that are read at a time.
  package static let rows = 8

  /// - Parameter rows: rows that are read at a time; one is enough for a question.
  /// - Throws: `UserError` when the checkpoint does not describe a network, or memory is short.
  package init(_ checkpoint: Checkpoint, threads: Int, rows: Int = TrainedNetwork.rows) throws {
    let model = try checkpoint.recipe.network(
      vocabulary: checkpoint.tokenizer.vocabulary, rows: rows, threads: threads, isTrained: false, from: checkpoint
    )
    recipe = checkpoint.recipe
    self.model = model
  }

  /// Measures losses, accuracies and rank quality over consecutive windows of a text: window i starts at token i·T; an
  /// incomplete last window is left out.
  /// - Parameter progress: told before every batch how many windows of how many are measured.
  /// - Throws: `UserError` when the text is shorter than one window, or the machine cannot compute; `CorpusError` when
  ///   the text cannot be read.
  package func measure(
    on text: TokenRange, progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws -> Measured {
    let context = recipe.model.context
    guard text.windows(of: context) > 0 else {
      throw UserError(
        .data, "the text has \(text.count) tokens, fewer than one window of \(context): give a longer one")
    }
    let measured = try model.measure(on: text, by: recipe, weights: recipe.weights) { done, total in
      progress(done, total)
      return true
    }
    guard let measured else { return Measured(losses: [], order: nil, paths: []) }
    if let failure = model.failure { throw UserError(failure) }
    return measured
  }
}
