// The vocabulary size, before any tokenizer is trained or cached.

extension Corpus {
  /// Vocabulary size of the tokenizer that a source describes.
  /// - Returns: the size, and its origin in words that end a sentence.
  /// - Throws: `CorpusError` if characters must be counted in a text that cannot be read, or a model file is invalid.
  package static func vocabulary(of source: Source) throws(CorpusError) -> (count: Int, origin: String) {
    if let graphs = source.graphs { return (graphs.task.vocabulary, "data.graph.nodes") }
    switch source.kind {
    case .tokens: return (try vocabulary(ofTokenFiles: source), "the token files")
    case .graph: throw Self.noGraphs
    case .bytes: return (256, "one token per byte")
    case .sentencepiece where source.model.isEmpty: return (source.vocabulary, "tokenizer.vocabulary")
    case .sentencepiece, .bpe, .characters:
      let cache = Cache(folder: source.cache, spare: source.spareCache)
      let texts = try cache.texts(at: source.paths)
      let tokenizer = try cache.tokenizer(
        for: texts, source, { _ in }, reading: { _ in }, pieces: { _, _ in })
      return (tokenizer.vocabulary, source.kind == .characters ? "the characters of the text" : source.model)
    }
  }
}
