// Text to tokens and back.
import Run

/// A tokenizer: encodes bytes as token ids in 0 ..< vocabulary, and decodes ids.
///
/// `bytes(of:)` restores the bytes given to `tokens` exactly, with two exceptions: `characters` has an ⟨unk⟩ for
/// characters that its corpus did not have, and a SentencePiece model without byte fallback or with its own
/// normalization loses what it cannot represent. No special tokens are added.
package struct Tokenizer: Sendable {
  private enum Method: Sendable {
    case pieces(SentencePieceModel)
    case pairs(BytePairModel)
    case bytes
    case characters(CharacterTable)
    case numbers(Int)
    case graph(StarGraphTokens)
  }

  package let kind: TokenizerKind
  /// The data from which `init(kind:model:)` makes the same tokenizer: the SentencePiece model file; the
  /// `tokenizer.json`; the UTF-8 text of all characters in order of their ids; for `tokens`, the vocabulary size in
  /// decimal; for `graph`, the number of nodes in decimal; for bytes, empty.
  package let model: [UInt8]
  private let table: Method

  /// Makes a tokenizer from its stored model, or from the bytes of a SentencePiece model file.
  /// - Throws: `CorpusError.badTokenizer` when `model` is not a model of this kind.
  package init(kind: TokenizerKind, model: [UInt8]) throws(CorpusError) {
    self.kind = kind
    self.model = model
    switch kind {
    case .sentencepiece: table = .pieces(try SentencePieceModel(model))
    case .bpe: table = .pairs(try BytePairModel(model))
    case .characters: table = .characters(try CharacterTable(model))
    case .tokens:
      guard let count = Int32(String(decoding: model, as: UTF8.self)), count > 0 else {
        throw CorpusError(.badTokenizer, "the stored number of tokens is damaged: it is not a number above 0")
      }
      table = .numbers(Int(count))
    case .graph: table = .graph(try StarGraphTokens(model))
    case .bytes:
      guard model.isEmpty else {
        throw CorpusError(
          .badTokenizer, "a byte tokenizer has no model, but \(model.count) bytes are stored as one")
      }
      table = .bytes
    }
  }

  /// Makes a tokenizer from a stored record's kind and model.
  /// - Throws: `CorpusError.badTokenizer` for an unknown kind, or a model that the kind cannot use.
  package init(kind name: String, model: [UInt8]) throws(CorpusError) {
    guard let kind = TokenizerKind(rawValue: name) else {
      let known = TokenizerKind.allCases.map(\.rawValue).joined(separator: ", ")
      throw CorpusError(.badTokenizer, "unknown tokenizer kind \(name.quotation); known: \(known)")
    }
    try self.init(kind: kind, model: model)
  }

  /// The tokenizer kind of a model file: a `tokenizer.json` or a SentencePiece model.
  package static func kind(ofModelFile bytes: [UInt8]) -> TokenizerKind {
    BytePairFile.begins(bytes) ? .bpe : .sentencepiece
  }

  /// Number of tokens: ids are 0 ..< vocabulary.
  package var vocabulary: Int {
    switch table {
    case .pieces(let pieces): pieces.vocabulary
    case .pairs(let pairs): pairs.vocabulary
    case .bytes: 256
    case .characters(let characters): characters.vocabulary
    case .numbers(let count): count
    case .graph(let graph): graph.vocabulary
    }
  }

  /// A description for the line about the corpus: `sentencepiece 4096`, `bytes`, `characters 71`.
  package var summary: String {
    kind == .bytes ? kind.rawValue : "\(kind.rawValue) \(vocabulary)"
  }

  /// True if a space is added before every text, as by Llama's tokenizers.
  package var addsSpaceBefore: Bool {
    switch table {
    case .pieces(let pieces): pieces.addsSpaceBefore
    case .pairs, .bytes, .characters, .numbers, .graph: false
    }
  }

  /// The tokens of arbitrary bytes.
  package func tokens(of bytes: [UInt8]) -> [Int32] {
    bytes.withUnsafeBytes { tokens(of: $0) }
  }

  /// The tokens of arbitrary bytes. Long texts are divided among the processor's cores; the result does not depend on
  /// their number.
  /// - Parameters:
  ///   - continuing: whether other bytes of the same text came before these: see `blocks`.
  ///   - threads: how many work on it.
  package func tokens(
    of bytes: UnsafeRawBufferPointer, continuing: Bool = false, threads: Int = Processors.helpers
  ) -> [Int32] {
    switch table {
    case .pieces(let pieces): pieces.tokens(of: bytes, continuing: continuing, threads: threads)
    case .pairs(let pairs): pairs.tokensByWords(of: bytes, continuing: continuing, threads: threads)
    case .bytes: bytes.map { Int32($0) }
    case .characters(let characters): characters.tokens(of: bytes)
    case .numbers(let count):
      // Words that are not numbers of tokens are skipped.
      bytes.split { $0 == 0x20 || $0 == 0x0A }.compactMap { word in
        Int32(String(decoding: word, as: UTF8.self)).flatMap { (0..<Int32(count)).contains($0) ? $0 : nil }
      }
    case .graph(let graph): graph.tokens(of: bytes)
    }
  }

  /// Divides a long text into blocks that can be tokenized one after the other with the same result, so that only one
  /// block's tokens are in memory.
  /// - Parameter size: approximate bytes per block; a block ends with a line or a word.
  func blocks(of bytes: [UInt8], size: Int = 1 << 24) -> [Range<Int>] {
    if case .pieces(let pieces) = table, pieces.cut == .nowhere { return [0..<bytes.count] }
    var blocks: [Range<Int>] = []
    var start = 0
    while start < bytes.count {
      let least = min(start + size, bytes.count)
      let end: Int
      if case .pairs(let pairs) = table {
        end = bytes.withUnsafeBytes { pairs.nextCut($0, after: least - 1, before: bytes.count) }
      } else {
        end = bytes[(least - 1)...].firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? bytes.count
      }
      blocks.append(start..<end)
      start = end
    }
    return blocks
  }

  package func tokens(of text: String) -> [Int32] { tokens(of: Array(text.utf8)) }

  /// True if a whole text can be tokenized: with token files, each word must be the number of a token; other tokenizers
  /// accept any text.
  package func takesAll(of text: String) -> Bool {
    switch table {
    case .numbers: tokens(of: text).count == text.split(separator: " ").count
    case .graph(let graph): graph.takesAll(of: text)
    default: true
    }
  }

  /// The bytes that tokens stand for, from 0 ..< vocabulary each.
  /// - Parameter continuing: whether other tokens came before these. Models that add a space before every text (such as
  ///   Llama's) remove the space only at the start of a text.
  package func bytes(of tokens: [Int32], continuing: Bool = false) -> [UInt8] {
    for token in tokens {
      precondition(0 <= token && token < vocabulary, "token \(token) is not among the \(vocabulary) of the tokenizer")
    }
    switch table {
    case .pieces(let pieces): return pieces.bytes(of: tokens, continuing: continuing)
    case .pairs(let pairs): return tokens.flatMap { pairs.bytes(of: $0) }
    case .bytes: return tokens.map { UInt8($0) }
    case .characters(let characters): return tokens.flatMap { characters.bytes(of: $0) }
    case .numbers: return tokens.flatMap { Array("\($0) ".utf8) }
    case .graph(let graph): return tokens.flatMap { Array(graph.text(of: $0).utf8) }
    }
  }

  /// The text that tokens stand for; bytes that are not UTF-8 become U+FFFD.
  package func text(of tokens: [Int32], continuing: Bool = false) -> String {
    String(decoding: bytes(of: tokens, continuing: continuing), as: UTF8.self)
  }

  /// True for a token that stands for no text, such as the beginning of one.
  package func isSpecial(_ token: Int32) -> Bool {
    switch table {
    case .pieces(let pieces): pieces.special(token) != nil
    case .pairs(let pairs): pairs.special(token) != nil
    case .characters(let characters): token == characters.unknown
    case .bytes, .numbers, .graph: false
    }
  }

  /// True for a SentencePiece token that stands for one byte: a text has it only where no piece has its character.
  package func isByteOfUnknown(_ token: Int32) -> Bool {
    if case .pieces(let pieces) = table { pieces.byteTokens.contains(token) } else { false }
  }

  /// The text of one token for a screen: see `Visible`. A special token is shown by its name, ⟨unk⟩; a number outside
  /// the vocabulary by its digits, ⟨99999⟩.
  package func visible(_ token: Int32) -> String {
    guard 0 <= token && token < vocabulary else { return "⟨\(token)⟩" }
    switch table {
    case .pieces(let pieces):
      return pieces.special(token).map { Visible.special($0) } ?? Visible.text(Array(pieces.bytes(of: token)))
    case .pairs(let pairs):
      return pairs.special(token).map { Visible.special($0) } ?? Visible.text(pairs.bytes(of: token))
    case .bytes: return Visible.text([UInt8(token)])
    case .numbers: return "\(token) "
    case .graph(let graph): return graph.text(of: token)
    case .characters(let characters):
      return token == characters.unknown ? "⟨unk⟩" : Visible.text(characters.bytes(of: token))
    }
  }
}
