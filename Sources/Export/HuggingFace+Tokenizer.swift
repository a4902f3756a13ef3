// Writes a run's tokenizer for transformers: SentencePiece models and byte-level BPE unchanged, bytes and characters as a
// `tokenizer.json` of single characters without merges.
import Corpus
import Run

extension HuggingFace {
  /// The tokenizer's files in a model folder.
  static func tokenizerFiles(_ tokenizer: TokenizerRecord, context: Int, addsSpaceBefore: Bool) throws -> [DocumentFile]
  {
    let settings: [JSON.Member] = [
      // Foretop trains without tokens for the beginning and the end of a text.
      JSON.Member("add_bos_token", .flag(false)), JSON.Member("add_eos_token", .flag(false)),
      JSON.Member("bos_token", .null), JSON.Member("eos_token", .null),
      JSON.Member("clean_up_tokenization_spaces", .flag(false)), JSON.Member("model_max_length", .integer(context)),
    ]
    func configuration(_ own: [JSON.Member]) -> DocumentFile {
      DocumentFile(name: "tokenizer_config.json", bytes: JSON.object(own + settings).file)
    }
    switch tokenizer.kind {
    case "sentencepiece":
      return [
        DocumentFile(name: "tokenizer.model", bytes: tokenizer.model),
        configuration([
          JSON.Member("tokenizer_class", .text("LlamaTokenizer")), JSON.Member("unk_token", .text("<unk>")),
          JSON.Member("legacy", .flag(false)), JSON.Member("add_prefix_space", .flag(addsSpaceBefore)),
        ]),
      ]
    case "bpe":
      return [
        DocumentFile(name: "tokenizer.json", bytes: try pairs(tokenizer.model)),
        configuration([JSON.Member("tokenizer_class", .text("PreTrainedTokenizerFast"))]),
      ]
    case "tokens", "graph":
      // Without files: the tokenizer of token files belongs to their author, and the tokens of star graphs are nodes and signs.
      return []
    case "bytes":
      return [
        DocumentFile(name: "tokenizer.json", bytes: bytes.file),
        configuration([JSON.Member("tokenizer_class", .text("PreTrainedTokenizerFast"))]),
      ]
    default:
      return [
        DocumentFile(name: "tokenizer.json", bytes: characters(String(decoding: tokenizer.model, as: UTF8.self)).file),
        configuration([
          JSON.Member("tokenizer_class", .text("PreTrainedTokenizerFast")), JSON.Member("unk_token", .text(unknown)),
        ]),
      ]
    }
  }

  /// The token for all characters that the table does not have.
  private static let unknown = "<unk>"

  /// One token per Unicode scalar; the last id is for all others.
  private static func characters(_ text: String) -> JSON {
    let scalars = text.unicodeScalars.map(String.init)
    let vocabulary = scalars + [unknown]
    return document(
      vocabulary, unknown: .text(unknown), added: [addedToken(unknown, id: scalars.count)], splitting: .null,
      joining: .object([JSON.Member("type", .text("Fuse"))]))
  }

  /// A special token, which is not text.
  static func addedToken(_ name: String, id: Int) -> JSON {
    .object([
      JSON.Member("id", .integer(id)), JSON.Member("content", .text(name)),
      JSON.Member("single_word", .flag(false)), JSON.Member("lstrip", .flag(false)),
      JSON.Member("rstrip", .flag(false)), JSON.Member("normalized", .flag(false)), JSON.Member("special", .flag(true)),
    ])
  }

  /// One token per byte; the id is the byte.
  private static var bytes: JSON {
    let level: [JSON.Member] = [
      JSON.Member("type", .text("ByteLevel")), JSON.Member("add_prefix_space", .flag(false)),
      JSON.Member("trim_offsets", .flag(false)), JSON.Member("use_regex", .flag(false)),
    ]
    return document(
      BytePairFile.byteNames.map { String($0) }, unknown: .null, added: [], splitting: .object(level),
      joining: .object(level))
  }

  /// The document of a byte-level BPE, without the tokens that it would add around a text.
  private static func pairs(_ model: [UInt8]) throws -> [UInt8] {
    guard let members = (try? JSON.read(model))?.members else {
      throw UserError(.data, "the checkpoint's tokenizer is not a tokenizer.json, or is damaged")
    }
    return JSON.object(members.map { $0.key == "post_processor" ? JSON.Member($0.key, .null) : $0 }).file
  }

  /// A `tokenizer.json` with byte-pair encoding without pairs.
  private static func document(
    _ vocabulary: [String], unknown: JSON, added: [JSON], splitting: JSON, joining: JSON
  ) -> JSON {
    .object([
      JSON.Member("version", .text("1.0")), JSON.Member("truncation", .null), JSON.Member("padding", .null),
      JSON.Member("added_tokens", .array(added)), JSON.Member("normalizer", .null),
      JSON.Member("pre_tokenizer", splitting), JSON.Member("post_processor", .null), JSON.Member("decoder", joining),
      JSON.Member(
        "model",
        .object([
          JSON.Member("type", .text("BPE")), JSON.Member("dropout", .null), JSON.Member("unk_token", unknown),
          JSON.Member("continuing_subword_prefix", .null), JSON.Member("end_of_word_suffix", .null),
          JSON.Member("fuse_unk", .flag(false)), JSON.Member("byte_fallback", .flag(false)),
          JSON.Member("vocab", .object(vocabulary.enumerated().map { JSON.Member($1, .integer($0)) })),
          JSON.Member("merges", .array([])),
        ])),
    ])
  }
}
