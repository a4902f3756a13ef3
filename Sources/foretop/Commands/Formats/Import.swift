// foretop import: a run that begins with the weights of a Hugging Face Llama or GPT-2 checkpoint.
import ArgumentParser
import Corpus
import Export
import Foundation
import Run
import RunFile
import Session
import TerminalUI
import Training

struct Import: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Makes a run from a Hugging Face checkpoint (Llama, Qwen3 or GPT-2).",
    discussion: """
      The folder has config.json, model.safetensors (or several files with model.safetensors.index.json) and \
      tokenizer.model or tokenizer.json (made from a SentencePiece model, or a byte-level BPE). The run gets a \
      checkpoint of step 0 for eval, generate, export and resume: “foretop resume NAME --data TEXT --steps N” continues \
      the training. The network has only the next-token head; --set objective.top=1 or --set objective.mtp.heads=4 adds \
      heads with initial weights. Keys that do not describe the network come from the recipe. Some checkpoints expect a \
      special token at the beginning of a text; foretop adds none. With --set tokenizer.kind=tokens --data FILE.bin the \
      tokenizer is not imported: the run trains on token files.
      """)

  @Argument(help: ArgumentHelp("The checkpoint's folder.", valueName: "dir"))
  var folder: String

  @Option(help: ArgumentHelp("The run's name. Default: the folder's name.", valueName: "name"))
  var name: String?

  @Option(
    help: ArgumentHelp(
      "A recipe for the keys that config.json does not set: schedule, optimizer, batch.", valueName: "recipe"))
  var recipe: String?

  @OptionGroup var changes: RecipeOptions
  @OptionGroup var place: PlaceOptions

  func run() throws {
    try Computation.prepare()
    let name = try freeName()
    let source = "\(folder)/config.json"
    let configuration = try ForeignConfiguration(ForeignFile.bytes(source), source: source)
    let (tensors, files) = try openTensors()
    let recipe = try recipe(for: configuration, tensors, source: source)
    // The tensors first: a claimed vocabulary is believed only if the file has tensors of that size.
    let (found, new) = try tensors.matches(
      recipe.tensors(vocabulary: configuration.vocabulary), of: configuration, source: folder)
    let tokenizer = try tokenizer(recipe, vocabulary: configuration.vocabulary)
    var imported = recipe
    imported.tokenizer.kind = TokenizerKind(rawValue: tokenizer.kind) ?? .sentencepiece
    imported.tokenizer.model = ""
    // The recipe names the tokenizer's size, if a tokenizer of that size could be trained.
    if tokenizer.kind == "sentencepiece" {
      try? imported.set("tokenizer.vocabulary", to: String(tokenizer.vocabulary), source: folder)
    }
    let threads = try place.threads()
    var checkpoint = try imported.firstCheckpoint(tokenizer: tokenizer, threads: threads)
    try checkpoint.fill(found, from: folder) { match, numbers in try files[match.file]?.read(match.entry, into: numbers)
    }
    let address = RunAddress(name: name, runs: place.runs)
    try store(checkpoint, address)
    report(checkpoint, tensors, new, address, configuration)
  }

  // MARK: The checkpoint

  private func freeName() throws -> String {
    guard let name else {
      let last = URL(filePath: folder).standardizedFileURL.lastPathComponent
      return try RunName.nextFree(last, in: place.runs)
    }
    try RunName.check(name)
    let run = RunAddress(name: name, runs: place.runs).folder
    guard RunName.isFree(run) else {
      throw UserError(.cannotCreate, "there is a run “\(name)” already in \(place.runs): choose another --name")
    }
    return name
  }

  private func openTensors() throws -> (ForeignTensors, [String: ForeignFile]) {
    let index = "\(folder)/model.safetensors.index.json"
    let names: [String]
    if FileManager.default.fileExists(atPath: "\(folder)/model.safetensors") {
      names = ["model.safetensors"]
    } else if FileManager.default.fileExists(atPath: index) {
      names = try ForeignTensors.files(inIndex: ForeignFile.bytes(index), source: index)
    } else {
      throw UserError(
        .noInput,
        "\(folder) has no model.safetensors and no model.safetensors.index.json: save a model in an older format again with transformers' save_pretrained"
      )
    }
    var tensors = ForeignTensors()
    var files: [String: ForeignFile] = [:]
    for name in names {
      let file = try ForeignFile("\(folder)/\(name)")
      try tensors.add(file.entries(), of: name)
      files[name] = file
    }
    return (tensors, files)
  }

  /// The recipe: the network's shape and heads from the checkpoint, the user's changes, and all else from the named recipe.
  private func recipe(for network: ForeignConfiguration, _ tensors: ForeignTensors, source: String) throws -> Recipe {
    let file = try self.recipe.map(RecipeFile.init)
    var origins = file?.origins ?? KeyOrigins(folder)
    var base = file?.recipe ?? Recipe()
    if base.objective.ntp == 0 { base.objective.ntp = 1 }
    tensors.setWeights(of: &base, keepingOthers: self.recipe != nil)
    if tensors.multiTokenHeads > 1 {
      base.objective.mtp.heads = tensors.multiTokenHeads
      base.objective.mtp.kind = tensors.isSequential ? .sequential : .parallel
      base.objective.mtp.weights = []
    }
    if tensors.hasFetch {
      // A weight of 0 would leave the heads out.
      if base.objective.jtp.weight == 0 { base.objective.jtp.weight = 0.1 }
    } else if self.recipe == nil {
      base.objective.jtp.weight = 0
    }
    base.model.context = min(network.context, Self.context)
    try network.shape(&base, source: source)
    var recipe = try changes.applied(to: base, &origins)
    // Heads that the user added may bring blocks of their own.
    let mtp = recipe.objective.mtp
    if mtp.heads != base.objective.mtp.heads || mtp.kind != base.objective.mtp.kind {
      recipe.objective.mtp.trunk = 0
      try network.shape(&recipe, source: source)
    }
    if let key = try network.contradiction(in: recipe, source: source) {
      throw UserError(.usage, "\(key) comes from \(source), and cannot be set")
    }
    try recipe.validate(origins)
    try recipe.requireDecisions(origins)
    return recipe
  }

  /// The context of the run, which may be shorter than the checkpoint's, since whole rows are computed.
  private static let context = 2048

  private func tokenizer(_ recipe: Recipe, vocabulary: Int) throws -> TokenizerRecord {
    func optional(_ name: String) throws -> [UInt8]? {
      let path = "\(folder)/\(name)"
      return FileManager.default.fileExists(atPath: path) ? try ForeignFile.bytes(path) : nil
    }
    if recipe.tokenizer.kind == .tokens, recipe.tokenizer.model.isEmpty {
      return TokenizerRecord(kind: "tokens", model: Array(String(vocabulary).utf8), vocabulary: vocabulary)
    }
    try Sandbox.require(.tokenizer("\(folder)/tokenizer.model"))
    var files = HuggingFace.TokenizerFiles(
      model: try optional("tokenizer.model"), document: try optional("tokenizer.json"),
      settings: try optional("tokenizer_config.json"))
    if !recipe.tokenizer.model.isEmpty {
      try Sandbox.require(.tokenizer(recipe.tokenizer.model))
      files.model = try ForeignFile.bytes(recipe.tokenizer.model)
    }
    let named = recipe.tokenizer.model.isEmpty ? nil : recipe.tokenizer.model
    let record = try HuggingFace.tokenizer(files, vocabulary: vocabulary, folder: folder, named: named)
    // Only the library knows whether it can load the model.
    let tokenizer = try Tokenizer(record)
    guard tokenizer.vocabulary == vocabulary else {
      throw UserError(
        .data, "the tokenizer in \(folder) has \(tokenizer.vocabulary) tokens, but the network \(vocabulary)")
    }
    return record
  }

  // MARK: The run

  private func store(_ checkpoint: Checkpoint, _ address: RunAddress) throws {
    let beginning = try checkpoint.beginning(name: address.name, source: "none yet: imported from \(folder)")
    let recorder = try Recorder(creating: address.folder, beginning: beginning)
    do {
      _ = try recorder.record(
        .occurred(Occurrence(.notice, step: 0, time: beginning.time, text: "imported from \(folder)")))
      _ = try recorder.save(checkpoint, isBest: false)
      try recorder.close(.stopped)
    } catch {
      // Without its checkpoint, the run would begin with other weights.
      try? recorder.close()
      let removal = try Removal(ofRun: address.folder)
      _ = try removal.carryOut()
      throw error
    }
  }

  private func report(
    _ checkpoint: Checkpoint, _ tensors: ForeignTensors, _ new: [Checkpoint.Tensor], _ address: RunAddress,
    _ network: ForeignConfiguration
  ) {
    let recipe = checkpoint.recipe
    let count = checkpoint.tensors.reduce(0) { $0 + $1.count }
    let files = tensors.files == 1 ? "" : " in \(tensors.files) files"
    var lines = [
      "\(address.name)  imported from \(folder)",
      "  network   \(Figure.short(Double(count))) parameters (\(tensors.storages.joined(separator: ", "))\(files)), \(network.blocks) \(network.blocks == 1 ? "block" : "blocks"), width \(recipe.model.width), vocabulary \(checkpoint.tokenizer.vocabulary)",
    ]
    if recipe.model.context < network.context {
      lines.append(
        "  context   \(recipe.model.context) of the checkpoint's \(network.context); --set model.context=N chooses another"
      )
    }
    if !tensors.wrappers.isEmpty {
      lines.append(
        "  names     without \(tensors.wrappers.sorted().joined(separator: ", ")), which PyTorch adds to a network that it wraps"
      )
    }
    if !new.isEmpty {
      let heads = Set(
        new.map { tensor in
          let kind = HeadKind.all.first { tensor.path.hasPrefix("\($0.tensorName ?? $0.name)/") }
          return (kind ?? .multiToken).name.uppercased()
        }
      ).sorted()
      let what =
        new.count == 1
        ? "the \(heads[0]) head's tensor" : "\(new.count) tensors of \(heads.joined(separator: " and ")) heads"
      lines.append("  new       \(what), with initial weights")
    }
    lines.append("  stored    \(address.folder)  ·  checkpoint of step 0")
    lines.append("  go on     \(address.command("resume")) --data TEXT --steps N")
    print(lines.joined(separator: "\n"))
  }
}
