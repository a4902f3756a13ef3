// A tokenizer as a checkpoint keeps it.

/// A stored tokenizer, from which the same tokenizer can be made.
package struct TokenizerRecord: Codable, Sendable, Equatable {
  /// `sentencepiece`, `bytes` or `characters`.
  package var kind: String
  /// The SentencePiece model file, or the UTF-8 text of all characters in order of their ids; empty for bytes.
  package var model: [UInt8]
  /// Vocabulary size.
  package var vocabulary: Int

  package init(kind: String, model: [UInt8], vocabulary: Int) {
    (self.kind, self.model, self.vocabulary) = (kind, model, vocabulary)
  }
}
