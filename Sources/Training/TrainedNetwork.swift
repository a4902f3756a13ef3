// A network loaded from a checkpoint, for evaluation and generation.
import Corpus
import Kernels
import Run
import Transformer

/// A trained network for evaluation and generation, without gradients.
package struct TrainedNetwork: ~Copyable {
  let model: Transformer
  let recipe: Recipe

  /// Rows that are read at a time.
  private static let rows = 8

  /// - Throws: `UserError` when the checkpoint does not describe a network, or memory is short.
  package init(_ checkpoint: Checkpoint, threads: Int) throws {
    let model = try checkpoint.recipe.network(
      vocabulary: checkpoint.tokenizer.vocabulary, rows: Self.rows, threads: threads, isTrained: false, from: checkpoint
    )
    recipe = checkpoint.recipe
    self.model = model
  }

  /// Measures losses, accuracies and rank quality over consecutive windows of a text: window i starts at token i·T; an
  /// incomplete last window is left out.
  /// - Throws: `UserError` when the text is shorter than one window, or the machine cannot compute; `CorpusError` when
  ///   the text cannot be read.
  package func measure(on text: TokenRange) throws -> Measured {
    let context = recipe.model.context
    guard text.windows(of: context) > 0 else {
      throw UserError(
        .data, "the text has \(text.count) tokens, fewer than one window of \(context): give a longer one")
    }
    let measured =
      try model.measure(on: text, by: recipe, weights: recipe.weights) ?? Measured(losses: [], order: nil, paths: [])
    if let failure = model.failure { throw UserError(failure) }
    return measured
  }
}
