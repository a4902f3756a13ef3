// The first event of a session.

/// The first event of a session, with everything that a screen needs for its labels.
package struct Beginning: Codable, Sendable, Equatable {
  /// The run's name: the folder in `runs/`.
  package var name: String
  package var recipe: Recipe
  /// The step of the checkpoint from which the session continues; 0 for a new run.
  package var step: Int
  /// Tokens seen before this session.
  package var tokens: Int
  /// Unix time, seconds.
  package var time: Double
  /// Number of trained parameters.
  package var parameters: Int
  /// Number of compute threads, of each rank.
  package var threads: Int
  /// Processes that train together.
  package var ranks = 1
  /// `bf16` or `fp32`: the precision that `auto` selects on this CPU.
  package var precision: String
  /// A description of the corpus in one line: `kjv.txt, 31 102 lines, 1.2 M tokens, sentencepiece 4096`.
  package var corpus: String
  /// Size of the vocabulary.
  package var vocabulary: Int
  /// Training tokens and held-out tokens of the corpus.
  package var trainingTokens: Int
  package var heldOutTokens: Int
  /// Entropy of the corpus's single-token distribution in nats: the loss of a model that knows only frequencies.
  package var unigramEntropy: Double
  /// Where a branch comes from; nil for a run that began by itself.
  package var parent: ParentRun?
  /// What computes; nil in sessions of older foretops, which did not record it.
  package var place: ComputingPlace?

  package init(
    name: String, recipe: Recipe, step: Int, tokens: Int, time: Double, parameters: Int, threads: Int,
    precision: String, corpus: String, vocabulary: Int, trainingTokens: Int, heldOutTokens: Int, unigramEntropy: Double
  ) {
    self.name = name
    self.recipe = recipe
    self.step = step
    self.tokens = tokens
    self.time = time
    self.parameters = parameters
    self.threads = threads
    self.precision = precision
    self.corpus = corpus
    self.vocabulary = vocabulary
    self.trainingTokens = trainingTokens
    self.heldOutTokens = heldOutTokens
    self.unigramEntropy = unigramEntropy
  }
}

extension Beginning {
  /// True if the held-out part has at least one window, with the token after it: without one, nothing is evaluated.
  package var hasHeldOutWindow: Bool { heldOutTokens > recipe.model.context }
}
