// What leaves foretop, read by others.
import Corpus
import Export
import Foundation
import Kernels
import Run
import RunFile
import RunFileTorture
import Testing
import Training
import Transformer

@Suite(.serialized) struct ExportTests {
  private let room: Room

  init() throws { room = try Room() }

  @Test func `Llama written from its formulas makes the same logits of an exported model`() throws {
    let (checkpoint, tokens, logits) = try Room.network { _ in }
    try room.write(checkpoint)
    let said = try room.compare(tokens, logits)
    #expect(said.hasSuffix("\nlm_head.weight model.embed_tokens.weight model.norm.weight\n"), "\(said)")
  }

  @Test func `tied embeddings, another base of the positions and a given inner width come through`() throws {
    let (checkpoint, tokens, logits) = try Room.network {
      $0.model.tied = true
      $0.model.ropeTheta = 500_000
      $0.model.inner = 0
      $0.model.keyValueHeads = 1
    }
    try room.write(checkpoint)
    let said = try room.compare(tokens, logits)
    #expect(said.hasSuffix("\nmodel.embed_tokens.weight model.norm.weight\n"), "\(said)")
  }

  @Test(arguments: [true, false])
  func `GPT-2 written from its formulas makes the same logits of an exported model`(isTied: Bool) throws {
    let (checkpoint, tokens, logits) = try Room.network {
      $0.model.kind = .gpt2
      $0.model.keyValueHeads = 4
      $0.model.tied = isTied
      $0.model.inner = isTied ? 0 : 80
    }
    try room.write(checkpoint)
    let said = try room.compare(tokens, logits)
    let trunk = "transformer.ln_f.bias transformer.ln_f.weight transformer.wpe.weight transformer.wte.weight\n"
    #expect(said.hasSuffix("\n\(isTied ? "" : "lm_head.weight ")\(trunk)"), "\(said)")
  }

  @Test func `normed queries and keys come through, as Qwen3`() throws {
    let (checkpoint, tokens, logits) = try Room.network { $0.model.qkNorm = true }
    try room.write(checkpoint)
    let said = try room.compare(tokens, logits)
    #expect(said.hasSuffix("\nlm_head.weight model.embed_tokens.weight model.norm.weight\n"), "\(said)")
  }

  @Test func `a GPT-2 that shares keys is none that transformers has`() throws {
    let (checkpoint, _, _) = try Room.network { $0.model.kind = .gpt2 }
    let error = #expect(throws: UserError.self) { try room.write(checkpoint) }
    #expect(error?.message.contains("has 2 (model.keyValueHeads) for 4") == true)
  }

  @Test func `the TOP head is kept as one more tensor where asked`() throws {
    let (checkpoint, tokens, logits) = try Room.network { _ in }
    try room.write(checkpoint, withHeads: true)
    let said = try room.compare(tokens, logits)
    #expect(
      said.hasSuffix("\nlm_head.weight model.embed_tokens.weight model.norm.weight top_head.weight\n"), "\(said)")
  }

  @Test func `a weight that was changed makes other logits`() throws {
    var (checkpoint, tokens, logits) = try Room.network { _ in }
    checkpoint.weights[checkpoint.tensors[3].offset] += 0.5
    try room.write(checkpoint)
    let error = #expect(throws: Room.Differs.self) { _ = try room.compare(tokens, logits) }
    #expect(error?.said.hasPrefix("largest difference") == true)
  }

  @Test func `a network without NTP is no causal language model`() {
    var checkpoint = Sample.checkpoint(1)
    checkpoint.recipe.objective.ntp = 0
    let error = #expect(throws: UserError.self) {
      _ = try HuggingFace(checkpoint, inner: 24, epsilon: 1e-6, addsSpaceBefore: true, withHeads: false)
    }
    #expect(error?.message.contains("trained without NTP") == true)
  }

  @Test func `a SentencePiece model goes out as it came in`() throws {
    var checkpoint = Sample.checkpoint(1)
    checkpoint.tokenizer = TokenizerRecord(kind: "sentencepiece", model: [1, 2, 3], vocabulary: 20)
    let model = try HuggingFace(checkpoint, inner: 24, epsilon: 1e-6, addsSpaceBefore: true, withHeads: false)
    #expect(model.files.first { $0.name == "tokenizer.model" }?.bytes == [1, 2, 3])
    let settings = try #require(model.files.first { $0.name == "tokenizer_config.json" })
    #expect(String(decoding: settings.bytes, as: UTF8.self).contains("\"add_prefix_space\":true"))
    #expect(
      model.files.map(\.name) == [
        "tokenizer.model", "tokenizer_config.json", "generation_config.json", "config.json",
      ])
  }

  @Test func `numbers go out in a line a step, and come back as they were`() throws {
    let events = [Event.evaluated(Sample.evaluation(0))] + (1...40).flatMap(Sample.events)
    var lines: [String] = []
    try MetricLines.csv(EvaluationContent(heads: [.ntp, .top]), of: { try events.forEach($0) }) { lines.append($0) }
    let rows = lines.map { $0.dropLast().split(separator: ",", omittingEmptySubsequences: false) }
    #expect(rows.count == 42 && rows.allSatisfy { $0.count == rows[0].count })
    let columns = Dictionary(uniqueKeysWithValues: rows[0].enumerated().map { (String($1), $0) })
    func number(_ row: Int, _ name: String) throws -> Double? { Double(rows[row][try #require(columns[name])]) }
    for step in 1...40 {
      #expect(try number(step + 1, "step") == Double(step))
      #expect(try number(step + 1, "rate") == Sample.report(step).rate)
      #expect(try number(step + 1, "weight/top") == 1)
      #expect(try number(step + 1, "loss/ntp").map(Float.init) == Sample.report(step).losses[0].loss)
      let heldOut = step % 20 == 0 ? Sample.evaluation(step).losses[1].loss : nil
      #expect(try number(step + 1, "heldout/loss/top").map(Float.init) == heldOut)
    }
    #expect(try number(1, "step") == 0 && number(1, "rate") == nil)
    #expect(try number(1, "heldout/loss/ntp").map(Float.init) == Sample.evaluation(0).losses[0].loss)
    var objects: [String] = []
    try MetricLines.json(of: { try events.forEach($0) }) { objects.append($0) }
    #expect(objects.count == 43 && objects.allSatisfy { $0.hasPrefix("{\"event\":") && $0.hasSuffix("}\n") })
  }
}
