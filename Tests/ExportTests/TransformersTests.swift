// The way out and in beside transformers itself, where it is installed: the networks of its authors, not formulas of ours.
import Corpus
import Export
import Foundation
import Run
import Testing
import Training

/// The Python that has torch and transformers, which `make bench-peers` installs too.
enum Peers {
  static let python =
    ProcessInfo.processInfo.environment["FORETOP_PEERS_PYTHON"] ?? Room.root + "/.venv-peers/bin/python"

  static let areInstalled: Bool = {
    let question = Process()
    question.executableURL = URL(filePath: python)
    question.arguments = [
      "-c", "import sys, importlib.util as u; sys.exit(not all(map(u.find_spec, ('torch', 'transformers'))))",
    ]
    question.standardError = FileHandle.nullDevice
    guard (try? question.run()) != nil else { return false }
    question.waitUntilExit()
    return question.terminationStatus == 0
  }()

  /// peer.py, which has imported torch and answers a line with a line. One test at a time asks it.
  private static let process = { () -> (questions: FileHandle, answers: FileHandle)? in
    let (process, questions, answers) = (Process(), Pipe(), Pipe())
    process.executableURL = URL(filePath: python)
    process.arguments = ["-B", Room.root + "/Tests/ExportTests/peer.py"]
    process.standardInput = questions
    process.standardOutput = answers
    guard (try? process.run()) != nil else { return nil }
    return (questions.fileHandleForWriting, answers.fileHandleForReading)
  }()

  /// Has peer.py do something.
  /// - Returns: what it said.
  /// - Throws: `Room.Differs` when it did not find what was expected.
  static func ask(_ words: [String]) throws -> String {
    let process = try #require(process, "\(python) does not start")
    try process.questions.write(contentsOf: Data((JSON.array(words.map(JSON.text)).line + "\n").utf8))
    var line = Data()
    while line.last != UInt8(ascii: "\n") {
      let more = process.answers.availableData
      try #require(!more.isEmpty, "peer.py ended")
      line += more
    }
    let answer = try JSON.read([UInt8](line))
    guard case .text(let said)? = answer["said"] else { throw Room.Differs(said: answer.line) }
    if answer["status"]?.whole != 0 { throw Room.Differs(said: said) }
    return said
  }

  static let absence: Comment =
    "torch and transformers are not installed: “make .venv-peers/ready” installs both, and then these tests run"
}

@Suite(.serialized, .enabled(if: Peers.areInstalled, Peers.absence))
struct TransformersTests {
  private let room: Room

  init() throws { room = try Room() }

  private func peer(_ verb: String, _ arguments: String...) throws -> String {
    try Peers.ask([verb, room.folder] + arguments)
  }

  // MARK: Out

  private static let networks: [(String, @Sendable (inout Recipe) -> Void)] = [
    ("LlamaForCausalLM", { _ in }),
    (
      "LlamaForCausalLM",
      {
        $0.model.tied = true
        $0.model.keyValueHeads = 1
        $0.model.ropeTheta = 500_000
        $0.model.epsilon = 1e-3
        $0.model.inner = 0
      }
    ),
    ("Qwen3ForCausalLM", { $0.model.qkNorm = true }),
    (
      "Qwen3ForCausalLM",
      {
        $0.model.qkNorm = true
        $0.model.headWidth = 32
      }
    ),
    ("LlamaForCausalLM", { $0.model.headWidth = 10 }),
    (
      "GPT2LMHeadModel",
      {
        $0.model.kind = .gpt2
        $0.model.keyValueHeads = 4
      }
    ),
    (
      "GPT2LMHeadModel",
      {
        $0.model.kind = .gpt2
        $0.model.keyValueHeads = 4
        $0.model.tied = true
        $0.model.inner = 0
      }
    ),
  ]

  @Test(arguments: 0..<networks.count)
  func `transformers makes the logits of an exported network`(which: Int) throws {
    let withHeads = which % 2 == 0
    let (checkpoint, tokens, logits) = try Room.network(Self.networks[which].1)
    try room.write(checkpoint, withHeads: withHeads)
    let said = try peer("logits", try room.write(tokens, logits))
    print("transformers, out: \(said.prefix { $0 != "\n" })")
    #expect(said.hasPrefix(Self.networks[which].0 + ": "), "\(said)")
    #expect(said.hasSuffix("\nunexpected:\(withHeads ? " top_head.weight" : "")\n"), "\(said)")
  }

  @Test func `transformers makes other logits of a weight that was changed`() throws {
    var (checkpoint, tokens, logits) = try Room.network { _ in }
    checkpoint.weights[checkpoint.tensors[3].offset] += 0.5
    try room.write(checkpoint)
    let error = #expect(throws: Room.Differs.self) { try peer("logits", try room.write(tokens, logits)) }
    #expect(error?.said.hasPrefix("LlamaForCausalLM: largest difference") == true)
  }

  @Test(arguments: ["gpt2", "smollm", "llama3", "qwen"])
  func `transformers makes the tokens of an exported byte-level BPE`(name: String) throws {
    let record = try Room.bytePairs(name)
    try compare(record, Tokenizer(kind: "bpe", model: record.model))
  }

  @Test(arguments: [TokenizerKind.sentencepiece, .bytes, .characters])
  func `transformers makes the tokens of an exported tokenizer`(kind: TokenizerKind) throws {
    let words = "In the beginning, God created the heaven and the earth; naïve ½ ﬁ 한국어.  Two spaces\n\tand a tab.\n"
    let file = room.folder + "/text.txt"
    try String(repeating: words, count: 50).write(toFile: file, atomically: true, encoding: .utf8)
    let tokenizer = try Corpus(
      opening: Corpus.Source(
        paths: [file], kind: kind, vocabulary: 320, heldOut: 0, context: 8, cache: room.folder + "/cache")
    ).tokenizer
    try compare(
      TokenizerRecord(kind: kind.rawValue, model: tokenizer.model, vocabulary: tokenizer.vocabulary), tokenizer)
  }

  private func compare(_ record: TokenizerRecord, _ tokenizer: Tokenizer) throws {
    var (checkpoint, _, _) = try Room.network { _ in }
    checkpoint.tokenizer = record
    try room.write(checkpoint)
    let texts = ["God created", " the earth", "In  the\n\n", "\tnaïve ½ ﬁ 한국어", "d"]
    let wanted = JSON.object([
      JSON.Member("texts", .array(texts.map(JSON.text))),
      JSON.Member("tokens", .array(texts.map { .array(tokenizer.tokens(of: $0).map { .integer(Int($0)) }) })),
    ])
    try wanted.line.write(toFile: room.folder + "/wanted.json", atomically: true, encoding: .utf8)
    print("transformers, tokens: \(try peer("tokens", room.folder + "/wanted.json"))", terminator: "")
  }

  // MARK: In

  @Test(arguments: [(false, 12), (true, 12), (false, 32), (true, 8)], ["llama", "qwen3"])
  func `a network that transformers saved makes its logits here`(shape: (Bool, Int), kind: String) throws {
    let (isTied, headWidth) = shape
    let settings: [JSON.Member] = [
      JSON.Member("model_type", .text(kind)), JSON.Member("vocab_size", .integer(20)),
      JSON.Member("hidden_size", .integer(48)), JSON.Member("intermediate_size", .integer(80)),
      JSON.Member("num_hidden_layers", .integer(2)), JSON.Member("num_attention_heads", .integer(4)),
      JSON.Member("num_key_value_heads", .integer(2)), JSON.Member("head_dim", .integer(headWidth)),
      JSON.Member("max_position_embeddings", .integer(16)), JSON.Member("rms_norm_eps", .double(1e-4)),
      JSON.Member("tie_word_embeddings", .flag(isTied)), JSON.Member("initializer_range", .double(0.3)),
    ]
    let back = try imported(settings)
    #expect(back.recipe.model.tied == isTied && back.recipe.model.keyValueHeads == 2)
    #expect(back.recipe.model.headWidth == (headWidth == 12 ? 0 : headWidth))
    #expect(back.tensors.contains { $0.path == "lm_head/weight" } != isTied)
  }

  @Test(arguments: [false, true])
  func `a GPT-2 that transformers saved makes its logits here`(isTied: Bool) throws {
    let settings: [JSON.Member] = [
      JSON.Member("model_type", .text("gpt2")), JSON.Member("vocab_size", .integer(20)),
      JSON.Member("n_embd", .integer(48)), JSON.Member("n_inner", isTied ? .null : .integer(80)),
      JSON.Member("n_layer", .integer(2)), JSON.Member("n_head", .integer(4)),
      JSON.Member("n_positions", .integer(16)), JSON.Member("layer_norm_epsilon", .double(1e-4)),
      JSON.Member("tie_word_embeddings", .flag(isTied)), JSON.Member("initializer_range", .double(0.3)),
    ]
    let back = try imported(settings)
    #expect(back.recipe.model.kind == .gpt2 && back.recipe.model.tied == isTied)
    #expect(back.recipe.model.inner == (isTied ? 192 : 80) && back.recipe.model.context == 16)
  }

  /// Has transformers make a network, takes it in, and compares the logits.
  private func imported(_ settings: [JSON.Member]) throws -> Checkpoint {
    let (config, made) = (room.folder + "/wanted.json", room.folder + "/made.json")
    try JSON.object(settings).line.write(toFile: config, atomically: true, encoding: .utf8)
    let kind = try peer("make", config, made).trimmingCharacters(in: .whitespacesAndNewlines)
    func bytes(_ name: String) throws -> [UInt8] {
      [UInt8](try Data(contentsOf: URL(filePath: "\(room.folder)/\(name)")))
    }
    let network = try ForeignConfiguration(bytes("config.json"), source: "config.json")
    var recipe = Recipe()
    recipe.objective.top = 0
    recipe.model.context = network.context
    try network.shape(&recipe, source: "config.json")
    let tokenizer = TokenizerRecord(
      kind: "characters", model: Array(" abcdefghijklmnopqr".utf8), vocabulary: network.vocabulary)
    let checkpoint = try Room.imported(network, recipe, bytes("model.safetensors"), tokenizer)
    let json = try JSON.read(bytes("made.json"))
    let tokens = try #require(json["tokens"]?.elements).compactMap { $0.whole.map(Int32.init) }
    let wanted = try #require(json["logits"]?.elements).map { ($0.elements ?? []).compactMap(\.number) }
    let found = try Room.logits(checkpoint, after: tokens)
    try #require(found.count == wanted.count && wanted.allSatisfy { $0.count == network.vocabulary })
    let largest = wanted.joined().map(abs).max() ?? 0
    #expect(largest > 0.5, "logits that are all alike prove nothing")
    let difference = zip(found.joined(), wanted.joined()).map { abs(Double($0) - $1) }.max() ?? .infinity
    print("transformers, in: \(kind): largest difference \(difference) of \(largest)")
    #expect(difference < 1e-4)
    return checkpoint
  }
}
