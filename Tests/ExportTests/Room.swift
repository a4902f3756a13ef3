// A folder to export into, a network to export, and the Python that reads it.
import Corpus
import Export
import Foundation
import Kernels
import Run
import RunFile
import RunFileTorture
import Training
import Transformer

struct Room {
  let folder = NSTemporaryDirectory() + "/foretop-export-" + UUID().uuidString

  init() throws { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) }

  /// A checkpoint of a network with random weights, and the logits of its NTP head after each token of a text.
  static func network(_ change: (inout Recipe) -> Void) throws -> (Checkpoint, tokens: [Int32], logits: [[Float]]) {
    var recipe = Sample.recipe
    recipe.model.width = 48
    recipe.model.heads = 4
    recipe.model.keyValueHeads = 2
    recipe.model.inner = 80
    recipe.model.deviation = 0.3
    change(&recipe)
    let characters = TokenizerRecord(kind: "characters", model: Array(" abcdefghijklmnopqr".utf8), vocabulary: 20)
    let configuration = recipe.configuration(vocabulary: 20)
    let model = try Transformer(NetworkPlan(configuration, rows: 1, precision: .fp32, threads: 1, isTrained: false))
    model.parameters.initialize(seed: 3, deviation: recipe.model.deviation, threads: 1)
    // Norms and biases that do something.
    for i in 0..<model.parameters.layout.count where i % 3 == 0 { model.parameters.weights[i] += 0.1 }
    var decoder = try Decoder(configuration)
    let tokens: [Int32] = [1, 5, 0, 19, 7, 7, 2, 11, 3, 0, 12]
    let logits = try tokens.map { token in
      try decoder.read(token, by: model)
      return decoder.logits(of: model)
    }
    let plan = model.parameters.layout
    let weights = Array(UnsafeBufferPointer(start: model.parameters.weights, count: plan.count))
    let checkpoint = Checkpoint(
      state: TrainerState(step: 7, seed: 3, threads: 1), recipe: recipe, tokenizer: characters,
      tensors: plan.tensors.map { Checkpoint.Tensor(path: $0.path, shape: $0.shape, offset: $0.offset) },
      weights: weights, firstMoments: weights, secondMoments: weights)
    return (checkpoint, tokens, logits)
  }

  /// A byte-level BPE of 420 tokens: gpt2, smollm, llama3 or qwen.
  static func bytePairs(_ name: String) throws -> TokenizerRecord {
    let file = URL(filePath: #filePath).appending(path: "../../CorpusTests/BytePair/\(name).json").standardizedFileURL
    return TokenizerRecord(kind: "bpe", model: Array(try Data(contentsOf: file)), vocabulary: 420)
  }

  /// Writes a model folder as the program does.
  func write(_ checkpoint: Checkpoint, withHeads: Bool = false) throws {
    let configuration = checkpoint.recipe.configuration(vocabulary: checkpoint.tokenizer.vocabulary)
    let model = try HuggingFace(
      checkpoint, inner: configuration.inner, epsilon: configuration.epsilon, addsSpaceBefore: false,
      withHeads: withHeads)
    for file in model.files { try Data(file.bytes).write(to: URL(filePath: "\(folder)/\(file.name)")) }
    var bytes = Data()
    SafeTensors.write(model.tensors, of: model.source, notes: [("format", "pt")]) { bytes.append(contentsOf: $0) }
    try bytes.write(to: URL(filePath: folder + "/model.safetensors"))
  }

  /// The script did not find what was expected.
  struct Differs: Error { let said: String }

  static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path

  /// The Python with numpy, h5py and gguf.
  static let python = ProcessInfo.processInfo.environment["FORETOP_PYTHON"] ?? root + "/.venv/bin/python3"

  /// Runs a script beside this file.
  /// - Returns: what it said on standard output.
  /// - Throws: `Differs` when it did not find what was expected.
  func script(_ arguments: [String], of name: String = "llama.py") throws -> String {
    let process = Process()
    process.executableURL = URL(filePath: Self.python)
    process.arguments = ["-B", Self.root + "/Tests/ExportTests/\(name)"] + arguments
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let said = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    if process.terminationStatus != 0 { throw Differs(said: said) }
    return said
  }

  /// Writes a file for llama.cpp as the program does.
  func write(_ model: GGUF) throws {
    var bytes = Data()
    model.write { bytes.append(contentsOf: $0) }
    try bytes.write(to: URL(filePath: folder + "/model.gguf"))
  }

  /// What a file for llama.cpp says about its tokenizer: a line, and a line for each merge.
  func vocabulary(of file: String) throws -> String { try script(["\(folder)/\(file)"], of: "vocabulary.py") }

  /// - Parameter file: in the folder; the folder itself where there is none.
  func compare(_ tokens: [Int32], _ logits: [[Float]], of file: String = "", within bound: Double = 1e-4) throws
    -> String
  {
    try script([folder + (file.isEmpty ? "" : "/" + file), try write(tokens, logits), "\(bound)"])
  }

  /// Writes what is wanted of a network for a script.
  /// - Returns: the file's path.
  func write(_ tokens: [Int32], _ logits: [[Float]]) throws -> String {
    let wanted = JSON.object([
      JSON.Member("tokens", .array(tokens.map { .integer(Int($0)) })),
      JSON.Member("logits", .array(logits.map { .array($0.map(JSON.float)) })),
    ])
    let path = folder + "/logits.json"
    try wanted.line.write(toFile: path, atomically: true, encoding: .utf8)
    return path
  }

  // MARK: The way in

  /// The tensors of a safetensors file.
  static func tensors(_ file: [UInt8]) throws -> ForeignTensors {
    var tensors = ForeignTensors()
    try tensors.add(Self.entries(file), of: "model.safetensors")
    return tensors
  }

  static func entries(_ file: [UInt8]) throws -> [SafeTensors.TensorEntry] {
    let length = try SafeTensors.headerLength(Array(file.prefix(8)), size: file.count, source: "a")
    return try SafeTensors.entries(Array(file[8..<8 + length]), size: file.count, source: "a")
  }

  /// A checkpoint of a recipe, filled from a safetensors file as the program does it.
  static func imported(_ network: ForeignConfiguration, _ recipe: Recipe, _ file: [UInt8], _ tokenizer: TokenizerRecord)
    throws -> Checkpoint
  {
    var checkpoint = try recipe.firstCheckpoint(tokenizer: tokenizer, threads: 1)
    let found = try tensors(file).matches(checkpoint.tensors, of: network, source: "a").found
    try checkpoint.fill(found, from: "a") { match, numbers in
      file[match.entry.bytes].withUnsafeBytes { _ = SafeTensors.read($0, match.entry.storage, into: numbers) }
    }
    return checkpoint
  }

  /// The logits of a checkpoint's NTP head after each token of a text.
  static func logits(_ checkpoint: Checkpoint, after tokens: [Int32]) throws -> [[Float]] {
    let configuration = checkpoint.recipe.configuration(vocabulary: checkpoint.tokenizer.vocabulary)
    let model = try Transformer(NetworkPlan(configuration, rows: 1, precision: .fp32, threads: 1, isTrained: false))
    try model.restore(checkpoint)
    var decoder = try Decoder(configuration)
    return try tokens.map { token in
      try decoder.read(token, by: model)
      return decoder.logits(of: model)
    }
  }
}
