// What takes long before a run's first step.

/// A part of setting a run up whose size is known beforehand.
package enum SetupWork: Sendable, Equatable {
  /// Bytes of texts that are looked at, or read for a tokenizer's training.
  case texts
  /// Pieces of the tokenizer that is trained.
  case tokenizer
  /// Bytes of the text that become tokens.
  case tokens
  /// Weights that get their first values.
  case weights
}
