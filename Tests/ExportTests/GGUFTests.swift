// Files for llama.cpp, read by the package of its authors.
import Corpus
import Export
import Foundation
import Run
import RunFileTorture
import Testing

@Suite(.serialized) struct GGUFTests {
  private let room: Room

  init() throws { room = try Room() }

  @Test func `with neighbouring lanes turned, as llama.cpp does it, the logits are the same`() throws {
    let (checkpoint, tokens, logits) = try Room.network { _ in }
    try room.write(GGUF(checkpoint, name: "sample", inner: 80, storage: .f32))
    let said = try room.compare(tokens, logits, of: "model.gguf")
    #expect(said.hasPrefix("t5 F32\n"), "\(said)")
    #expect(said.hasSuffix("\nlm_head.weight model.embed_tokens.weight model.norm.weight\n"), "\(said)")
  }

  @Test func `tied embeddings, one key head and other numbers come through`() throws {
    let (checkpoint, tokens, logits) = try Room.network {
      $0.model.tied = true
      $0.model.ropeTheta = 500_000
      $0.model.epsilon = 1e-3
      $0.model.keyValueHeads = 1
    }
    try room.write(GGUF(checkpoint, name: "sample", inner: 80, storage: .f32))
    let said = try room.compare(tokens, logits, of: "model.gguf")
    #expect(said.hasSuffix("\nmodel.embed_tokens.weight model.norm.weight\n"), "\(said)")
  }

  @Test(arguments: [0, 32])
  func `normed queries and keys go out as qwen3, whose lanes turn as ours`(headWidth: Int) throws {
    let (checkpoint, tokens, logits) = try Room.network {
      $0.model.qkNorm = true
      $0.model.headWidth = headWidth
    }
    try room.write(GGUF(checkpoint, name: "sample", inner: 80, storage: .f32))
    let said = try room.compare(tokens, logits, of: "model.gguf")
    #expect(said.hasPrefix("t5 F32\n"), "\(said)")
  }

  @Test(arguments: [false, true])
  func `a GPT-2 goes out as gpt2, with biases and learned positions`(isTied: Bool) throws {
    let (checkpoint, tokens, logits) = try Room.network {
      $0.model.kind = .gpt2
      $0.model.keyValueHeads = 4
      $0.model.tied = isTied
      $0.model.epsilon = 1e-3
    }
    try room.write(GGUF(checkpoint, name: "sample", inner: 80, storage: .f32))
    let said = try room.compare(tokens, logits, of: "model.gguf")
    #expect(said.hasPrefix("t5 F32\n"), "\(said)")
    let trunk = "transformer.ln_f.bias transformer.ln_f.weight transformer.wpe.weight transformer.wte.weight\n"
    #expect(said.hasSuffix("\n\(isTied ? "" : "lm_head.weight ")\(trunk)"), "\(said)")
    try room.write(GGUF(checkpoint, name: "sample", inner: 80, storage: .f16))
    #expect(try room.compare(tokens, logits, of: "model.gguf", within: 0.1).hasPrefix("t5 F16 F32\n"))
  }

  @Test func `a GPT-2 that shares keys is refused`() throws {
    let (checkpoint, _, _) = try Room.network { $0.model.kind = .gpt2 }
    let error = #expect(throws: UserError.self) { try GGUF(checkpoint, name: "a", inner: 80, storage: .f32) }
    #expect(error?.message.contains("has 2 (model.keyValueHeads) for 4") == true)
  }

  @Test(arguments: [(GGUF.ElementType.f16, 0.1), (.bf16, 0.5)])
  func `sixteen bits a weight make nearly the same logits`(storage: GGUF.ElementType, bound: Double) throws {
    let (checkpoint, tokens, logits) = try Room.network { _ in }
    try room.write(GGUF(checkpoint, name: "sample", inner: 80, storage: storage))
    let said = try room.compare(tokens, logits, of: "model.gguf", within: bound)
    #expect(said.hasPrefix("t5 \(storage.rawValue.uppercased()) F32\n"), "\(said)")
    #expect(throws: Room.Differs.self) { _ = try room.compare(tokens, logits, of: "model.gguf", within: 1e-4) }
  }

  @Test func `a weight that was changed makes other logits`() throws {
    var (checkpoint, tokens, logits) = try Room.network { _ in }
    checkpoint.weights[checkpoint.tensors[3].offset] += 0.5
    try room.write(GGUF(checkpoint, name: "sample", inner: 80, storage: .f32))
    #expect(throws: Room.Differs.self) { _ = try room.compare(tokens, logits, of: "model.gguf") }
  }

  @Test func `a weight that f16 does not hold is named`() throws {
    var (checkpoint, _, _) = try Room.network { _ in }
    checkpoint.weights[checkpoint.tensors[0].offset + 5] = 70_000
    let error = #expect(throws: UserError.self) { try GGUF(checkpoint, name: "a", inner: 80, storage: .f16) }
    #expect(error?.message.contains("model/embed_tokens/weight has a weight of 70000.0") == true)
    _ = try GGUF(checkpoint, name: "a", inner: 80, storage: .bf16)
  }

  @Test func `a SentencePiece model goes out piece by piece`() throws {
    let text = Array(String(repeating: "in the beginning was the word, and the word was with God ", count: 40).utf8)
    let folder = room.folder + "/text.txt"
    try Data(text).write(to: URL(filePath: folder))
    let corpus = try Corpus(
      opening: Corpus.Source(
        paths: [folder], kind: .sentencepiece, vocabulary: 300, model: "", heldOut: 0, context: 8,
        cache: room.folder + "/cache"))
    var checkpoint = Sample.checkpoint(1)
    let vocabulary = corpus.tokenizer.vocabulary
    checkpoint.tokenizer = TokenizerRecord(
      kind: "sentencepiece", model: corpus.tokenizer.model, vocabulary: vocabulary)
    let pieces = SentencePieceFile.pieces(of: corpus.tokenizer.model)
    #expect(pieces.count == vocabulary)
    #expect(pieces.count { $0.kind == .byte } == 256)
    #expect(pieces[0].kind == .unknown && pieces[0].text == Array("<unk>".utf8))
    let scores = (0..<pieces.count - 259).map { -Float($0) }
    #expect(pieces.filter { $0.kind == .normal }.map(\.score) == scores)
    for (id, piece) in pieces.enumerated() where piece.kind == .normal {
      let shown = String(decoding: piece.text, as: UTF8.self).replacing("\u{2581}", with: " ")
      #expect(corpus.tokenizer.text(of: [Int32(id)]) == shown)
    }
    var bytes: [UInt8] = []
    try GGUF(checkpoint, name: "a", inner: 24, storage: .f32).write { bytes += $0 }
    let wanted = pieces.flatMap { piece in
      withUnsafeBytes(of: UInt64(piece.text.count).littleEndian) { Array($0) } + piece.text
    }
    #expect(Data(bytes).range(of: Data(wanted)) != nil)
  }

  @Test(arguments: [("gpt2", "gpt-2"), ("smollm", "smollm"), ("llama3", "llama-bpe"), ("qwen", "qwen2")])
  func `a byte-level BPE goes out with its merges and its way of cutting`(name: String, pattern: String) throws {
    var checkpoint = Sample.checkpoint(1)
    checkpoint.tokenizer = try Room.bytePairs(name)
    let file = try BytePairFile(checkpoint.tokenizer.model)
    try room.write(GGUF(checkpoint, name: "sample", inner: 24, storage: .f32))
    let said = try room.vocabulary(of: "model.gguf")
    let end = name == "llama3" ? "<|end_of_text|>" : "<|endoftext|>"
    #expect(said.hasPrefix("gpt2 \(pattern) 420 tokens \(file.merges.count) merges, end \(end)\n"), "\(said)")
    // Ġ is how a space is written, and the first pair of any English text has one.
    #expect(said.contains("Ġ t\n"), "\(said)")
  }

  @Test func `a network without NTP and a character that means a space are refused`() {
    var checkpoint = Sample.checkpoint(1)
    checkpoint.recipe.objective.ntp = 0
    var error = #expect(throws: UserError.self) { try GGUF(checkpoint, name: "a", inner: 24, storage: .f32) }
    #expect(error?.message.contains("trained without NTP") == true)
    checkpoint.recipe.objective.ntp = 1
    checkpoint.tokenizer = TokenizerRecord(kind: "characters", model: Array("ab▁".utf8), vocabulary: 4)
    error = #expect(throws: UserError.self) { try GGUF(checkpoint, name: "a", inner: 24, storage: .f32) }
    #expect(error?.message.contains("which llama.cpp uses for the space") == true)
  }
}
