// Translates a run's tokenizer into one of llama.cpp's: SPM for SentencePiece with merges, UGM for unigram models and characters,
// byte-level BPE for byte-level BPE and bytes.
import Corpus
import Run

extension GGUF {
  /// The keys that begin with `tokenizer.ggml.`.
  static func vocabulary(_ tokenizer: TokenizerRecord) throws -> [(key: String, value: GGUFValue)] {
    let keys =
      switch tokenizer.kind {
      case "sentencepiece": try sentencePiece(tokenizer.model)
      case "bpe": try pairs(tokenizer.model)
      case "bytes": bytes
      case "graph":
        throw UserError(.usage, "llama.cpp has no tokenizer for star graphs: use --to huggingface or safetensors")
      default: try characters(String(decoding: tokenizer.model, as: UTF8.self))
      }
    // Foretop trains without tokens for the beginning and the end of a text.
    let without = ["bos", "eos"].map { ("add_\($0)_token", GGUFValue.flag(false)) }
    return (keys + without).map { ("tokenizer.ggml.\($0.0)", $0.1) }
  }

  private typealias Keys = [(String, GGUFValue)]

  private static func sentencePiece(_ model: [UInt8]) throws -> Keys {
    guard let file = SentencePieceFile(model) else {
      throw UserError(.data, "the checkpoint's tokenizer is not a SentencePiece model, or is damaged")
    }
    let pieces = SentencePieceFile.pieces(of: model)
    let kind: String
    switch SentencePieceFile.Algorithm(rawValue: file.algorithm) {
    case .bpe: kind = "llama"
    case .unigram: kind = "t5"
    default:
      throw UserError(
        .usage,
        "the tokenizer is a SentencePiece model of words or characters, but llama.cpp supports only bpe and unigram "
          + "models: use --to huggingface")
    }
    let unknown = pieces.firstIndex { $0.kind == .unknown } ?? 0
    func control(_ name: String) -> UInt32 {
      UInt32(pieces.firstIndex { $0.kind == .control && $0.text == Array(name.utf8) } ?? unknown)
    }
    var keys: Keys = [
      ("model", .text(kind)), ("pre", .text("default")), ("tokens", .texts(pieces.map(\.text))),
      ("scores", .numbers(pieces.map(\.score))), ("token_type", .signed(pieces.map { Int32($0.kind.rawValue) })),
      ("unknown_token_id", .whole(UInt32(unknown))), ("bos_token_id", .whole(control("<s>"))),
      ("eos_token_id", .whole(control("</s>"))), ("add_space_prefix", .flag(file.addsSpaceBefore)),
    ]
    if kind == "t5" {
      keys += [("remove_extra_whitespaces", .flag(file.removesSpaces)), ("padding_token_id", .whole(UInt32(unknown)))]
      if !file.characterMap.isEmpty { keys.append(("precompiled_charsmap", .bytes(file.characterMap))) }
    }
    return keys
  }

  /// Byte-level BPE, with llama.cpp's name for the pre-tokenizer.
  private static func pairs(_ model: [UInt8]) throws -> Keys {
    let file: BytePairFile
    do { file = try BytePairFile(model) } catch { throw UserError(.data, "the checkpoint's tokenizer: \(error)") }
    let pattern: String
    switch (file.pattern, file.takesWholeWords) {
    case (.gpt2, false): pattern = "gpt-2"
    case (.smolLM, false): pattern = "smollm"
    case (.llama3(digits: 1), false): pattern = "qwen2"
    case (.llama3, true): pattern = "llama-bpe"
    case (.llama3, false): pattern = "smaug-bpe"
    case (_, true):
      throw UserError(
        .usage,
        "the tokenizer takes whole words before it merges, which llama.cpp does only for Llama 3: use --to huggingface"
      )
    }
    func name(_ token: Int32) -> [UInt8] {
      file.specials[token]
        ?? file.tokens[Int(token)].flatMap { Array(String(BytePairFile.byteNames[Int($0)]).utf8) }
    }
    let names = file.tokens.indices.map { name(Int32($0)) }
    let kinds = file.tokens.indices.map { file.specials[Int32($0)] == nil ? SentencePiece.Category.normal : .control }
    var keys: Keys = [
      ("model", .text("gpt2")), ("pre", .text(pattern)), ("tokens", .texts(names)),
      ("token_type", .signed(kinds.map { Int32($0.rawValue) })),
      ("merges", .texts(file.merges.map { names[Int($0.left)] + [0x20] + names[Int($0.right)] })),
    ]
    for (key, known) in [
      ("bos_token_id", ["<|begin_of_text|>", "<|endoftext|>", "<|im_start|>", "<s>"]),
      ("eos_token_id", ["<|end_of_text|>", "<|endoftext|>", "<|im_end|>", "</s>"]),
    ] {
      let ids = known.compactMap { text in file.specials.first { $0.value == Array(text.utf8) }?.key }
      // llama.cpp's default is token 11, which is a comma in GPT-2: better a token that no text makes, or the zero byte.
      let other = file.specials.keys.min() ?? Int32(file.tokens.firstIndex(of: [0]) ?? 0)
      keys.append((key, .whole(UInt32(ids.first ?? other))))
    }
    return keys
  }

  /// One token per byte, and no merges. llama.cpp needs a token for the end of a text: the zero byte, which no text has.
  private static var bytes: Keys {
    let names = BytePairFile.byteNames.map { String($0) }
    return [
      ("model", .text("gpt2")), ("pre", .text("gpt-2")), ("tokens", .texts(names.map { Array($0.utf8) })),
      ("token_type", .signed(names.map { _ in Int32(SentencePiece.Category.normal.rawValue) })), ("merges", .texts([])),
      ("bos_token_id", .whole(0)), ("eos_token_id", .whole(0)), ("unknown_token_id", .whole(0)),
      ("padding_token_id", .whole(0)),
    ]
  }

  /// One piece per character, all of equal score. All other characters are the unknown token, the last one, which also ends a
  /// text.
  private static func characters(_ text: String) throws -> Keys {
    let space: Unicode.Scalar = "\u{2581}"
    guard !text.unicodeScalars.contains(space) else {
      throw UserError(
        .usage,
        "the tokenizer has the character ▁, which llama.cpp uses for the space: use --to huggingface")
    }
    let pieces = text.unicodeScalars.map { Array(String($0 == " " ? space : $0).utf8) } + [Array("<unk>".utf8)]
    let last = UInt32(pieces.count - 1)
    let kinds = pieces.indices.map { $0 == last ? SentencePiece.Category.unknown : .normal }
    return [
      ("model", .text("t5")), ("pre", .text("default")), ("tokens", .texts(pieces)),
      ("scores", .numbers(pieces.map { _ in 0 })), ("token_type", .signed(kinds.map { Int32($0.rawValue) })),
      ("unknown_token_id", .whole(last)), ("bos_token_id", .whole(last)), ("eos_token_id", .whole(last)),
      ("padding_token_id", .whole(last)), ("add_space_prefix", .flag(false)),
      ("remove_extra_whitespaces", .flag(false)),
    ]
  }
}
