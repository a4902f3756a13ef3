// What a corpus is made from.
import Run

extension Corpus {
  /// The settings of a corpus: keys of the recipe, and the folders of the cache.
  package struct Source: Sendable, Equatable {
    /// `data.paths`: text files and folders, at least one.
    package var paths: [String]
    /// `tokenizer.kind`.
    package var kind: TokenizerKind
    /// `tokenizer.vocabulary`: vocabulary size of a SentencePiece tokenizer that is to be trained.
    package var vocabulary: Int
    /// `tokenizer.model`: a SentencePiece model file to use instead of training one; empty trains one. A `tokenizer.json`
    /// for `bpe`.
    package var model: String
    /// `tokenizer.ids`: vocabulary size of token files; 0: one more than their largest token.
    package var ids = 0
    /// `data.heldOut`: the fraction of the tokens held out for evaluation, 0 ..< 1.
    package var heldOut: Double
    /// `model.context`: T, tokens of a window.
    package var context: Int
    /// `data.documents` and `data.separator`: how texts are divided into documents; nil treats all as one text.
    package var documents: DocumentBounds?
    /// `data.order`: the order of the training part's documents, and whether near duplicates are left out.
    package var order = Recipe.DataSettings.DocumentOrder.text
    package var deduplicates = false
    /// True if `documents` are known for their order alone: rows cross their boundaries.
    package var isPacked = false
    /// `seed`: of the random order of documents.
    package var seed: UInt64 = 1
    /// True if the training part's documents are not simply those of the text.
    package var ordersDocuments: Bool { order != .text || deduplicates }
    /// `tokenizer.width`: bytes per token in token files without a header; nil takes 2 and refuses ambiguous files.
    package var width: Int?
    /// `data.kind` stargraph: graphs instead of text; nil for text.
    package var graphs: StarGraphSource?
    /// The folder for token files and trained tokenizers; it is made if it does not exist.
    package var cache: String
    /// The folder to use if `cache` cannot be written.
    package var spareCache: String?

    package init(
      paths: [String], kind: TokenizerKind = .sentencepiece, vocabulary: Int = 4096, model: String = "",
      heldOut: Double = 0.05, context: Int = 256, documents: DocumentBounds? = nil, cache: String
    ) {
      self.paths = paths
      self.kind = kind
      self.vocabulary = vocabulary
      self.model = model
      self.heldOut = heldOut
      self.context = context
      self.documents = documents
      self.cache = cache
    }
  }
}
