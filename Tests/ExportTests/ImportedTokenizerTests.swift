// Tokenizers of other programs: taken over, brought back, or refused.
import Corpus
import Export
import Foundation
import Run
import Support
import Testing
import Training
import Transformer

extension ImportTests {
  // MARK: Tokenizers

  /// As transformers saves a Llama tokenizer of `<unk>`, `<s>`, `</s>`, all bytes, and seven pieces from id 259 on.
  static let llamaDocument: String = {
    let bytes = (0..<256).map { byte in
      let digits = String(byte, radix: 16, uppercase: true)
      return "\"<0x\(digits.count == 1 ? "0" : "")\(digits)>\":\(3 + byte),"
    }.joined()
    return
      #"{"version":"1.0","added_tokens":[{"id":0,"content":"<unk>","special":true},{"id":1,"content":"<s>","special":true},{"id":2,"content":"</s>","special":true}],"normalizer":{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"}]},"pre_tokenizer":null,"model":{"type":"BPE","unk_token":"<unk>","byte_fallback":true,"vocab":{"<unk>":0,"<s>":1,"</s>":2,"#
      + bytes
      + #""ab":259,"▁ab":260,"▁":261,"a":262,"b":263,"é":264,"▁a":265},"merges":["a b","▁ ab","▁a b","▁ a"]}}"#
  }()

  private func tokenizer(_ document: String, vocabulary: Int) throws -> TokenizerRecord {
    try HuggingFace.tokenizer(.init(document: Array(document.utf8)), vocabulary: vocabulary, folder: "d")
  }

  @Test func `a tokenizer json that came from SentencePiece becomes one again`() throws {
    let record = try tokenizer(Self.llamaDocument, vocabulary: 268)
    #expect(record.kind == "sentencepiece" && record.vocabulary == 268)
    let pieces = SentencePieceFile.pieces(of: record.model)
    #expect(pieces.map(\.kind.rawValue) == [2, 3, 3] + Array(repeating: 6, count: 256) + [1, 1, 1, 1, 1, 1, 1, 3, 3])
    #expect(pieces[259].score > pieces[260].score && pieces[260].score > pieces[265].score)
    #expect(String(decoding: pieces[267].text, as: UTF8.self) == "<unused 267>")
    let tokenizer = try Tokenizer(kind: "sentencepiece", model: record.model)
    #expect(tokenizer.vocabulary == 268 && tokenizer.addsSpaceBefore)
    #expect(tokenizer.tokens(of: "ab aé\n") == [260, 265, 264, 3 + 10])
    #expect(tokenizer.text(of: [260, 265, 264, 13]) == "ab aé\n")
  }

  @Test func `tokenizers of foretop's own exports come back`() throws {
    var (checkpoint, _, _) = try Room.network { _ in }
    checkpoint.tokenizer = TokenizerRecord(kind: "characters", model: Array("\n abcé☺".utf8), vocabulary: 8)
    func back() throws -> TokenizerRecord {
      let model = try HuggingFace(checkpoint, inner: 80, epsilon: 1e-6, addsSpaceBefore: false, withHeads: false)
      let file = try #require(model.files.first { $0.name == "tokenizer.json" })
      return try HuggingFace.tokenizer(
        .init(document: file.bytes), vocabulary: checkpoint.tokenizer.vocabulary, folder: "d")
    }
    #expect(try back() == checkpoint.tokenizer)
    checkpoint.tokenizer = TokenizerRecord(kind: "bytes", model: [], vocabulary: 256)
    #expect(try back() == checkpoint.tokenizer)
  }

  @Test(arguments: [
    (#"["a b","▁ ab","▁a b","▁ a"]"#, #""merges":["a b","▁ ab","▁ a"]"#, "merges differ from those"),
    (#""byte_fallback":true"#, #""byte_fallback":false"#, "with byte_fallback"),
    (#""type":"BPE""#, #""type":"WordPiece""#, "its model is WordPiece"),
    (#""prepend":"▁""#, #""prepend":"x""#, "treats spaces"),
    (#""pre_tokenizer":null"#, #""pre_tokenizer":{"type":"ByteLevel"}"#, "its normalizer changes the text (Prepend)"),
    (#""ab":259"#, #""ab":260"#, "the ids of its tokens"),
  ])
  func `a tokenizer that foretop does not have is refused with the reason`(
    old: String, new: String, reason: String
  ) throws {
    let old = new.hasPrefix("\"merges\"") ? "\"merges\":" + old : old
    let range = try #require(Self.llamaDocument.range(of: old))
    let error = #expect(throws: UserError.self) {
      try tokenizer(Self.llamaDocument.replacingCharacters(in: range, with: new), vocabulary: 266)
    }
    #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")")
  }

  @Test(arguments: ["gpt2", "smollm", "llama3", "qwen"])
  func `a byte-level BPE is taken over, filled up, and goes out again`(name: String) throws {
    let source = try Room.bytePairs(name)
    func taken(_ document: [UInt8], _ vocabulary: Int) throws -> TokenizerRecord {
      try HuggingFace.tokenizer(.init(document: document), vocabulary: vocabulary, folder: "d")
    }
    #expect(try taken(source.model, 420) == source)
    #expect(throws: UserError.self) { try taken(source.model, 419) }
    // The network has more tokens than the tokenizer, as many have.
    let padded = try taken(source.model, 448)
    #expect(padded.kind == "bpe" && padded.vocabulary == 448)
    let (few, many) = (try Tokenizer(kind: "bpe", model: source.model), try Tokenizer(kind: "bpe", model: padded.model))
    #expect(many.vocabulary == 448 && many.visible(447) == "⟨unused 447⟩")
    let text = "In the beginning, 123 ½ 日本語\n\n  don't"
    #expect(many.tokens(of: text) == few.tokens(of: text))
    // Named in tokenizer.model it is taken as well.
    #expect(try HuggingFace.tokenizer(.init(model: source.model), vocabulary: 420, folder: "d") == source)
    var (checkpoint, _, _) = try Room.network { _ in }
    checkpoint.tokenizer = padded
    let model = try HuggingFace(checkpoint, inner: 80, epsilon: 1e-6, addsSpaceBefore: false, withHeads: false)
    let file = try #require(model.files.first { $0.name == "tokenizer.json" })
    #expect(
      try Tokenizer(kind: "bpe", model: taken(file.bytes, 448).model).tokens(of: text) == few.tokens(of: text))
  }

  @Test func `a tokenizer with more tokens than the network is refused`() {
    let error = #expect(throws: UserError.self) { try tokenizer(Self.llamaDocument, vocabulary: 265) }
    #expect(error?.message.contains("makes 266 tokens, and the network has only 265") == true)
  }
}
