// foretop export: writes a run in formats of other programs.
import ArgumentParser
import Corpus
import Export
import Foundation
import Run
import RunFile
import TerminalUI
import Training

struct ExportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export", abstract: "Writes a run's network or metrics in a format that other programs read.",
    discussion: """
      huggingface   a folder that transformers' AutoModelForCausalLM and
                    AutoTokenizer read: config.json, model.safetensors, tokenizer
      gguf          one file for llama.cpp; --type f16 or bf16 halves its size
      safetensors   all weights of a checkpoint in one file
      csv           one line per step, with held-out losses
      jsonl         one JSON object per step or evaluation, as --json prints
      tensorboard   a folder with an event file that TensorBoard shows
      """)

  enum Format: String, ExpressibleByArgument, CaseIterable {
    case huggingface, gguf, safetensors, csv, jsonl, tensorboard
  }

  @OptionGroup var which: RunArgument

  @Argument(help: ArgumentHelp("The file to write; for huggingface and tensorboard, the folder.", valueName: "path"))
  var path: String

  @Option(
    name: .customLong("to"),
    help: ArgumentHelp("huggingface, gguf, safetensors, csv, jsonl or tensorboard.", valueName: "format"))
  var format: Format

  @OptionGroup var choice: CheckpointOption

  @Flag(help: "With huggingface, also writes the heads that transformers ignores into model.safetensors.")
  var withHeads = false

  @Option(help: ArgumentHelp("Number format of matrices in gguf: f32 (the default), f16 or bf16.", valueName: "type"))
  var type: GGUF.ElementType?

  @Flag(help: "Replaces existing files.")
  var force = false

  @OptionGroup var place: FolderOptions

  func validate() throws {
    if choice.step != nil, ![.huggingface, .gguf, .safetensors].contains(format) {
      throw ValidationError("--step chooses a checkpoint, but \(format.rawValue) has the numbers of all steps")
    }
    if withHeads, format != .huggingface {
      throw ValidationError(
        format == .gguf
          ? "--with-heads is for huggingface: llama.cpp has no place for other heads"
          : "--with-heads is for huggingface: \(format.rawValue) always has everything")
    }
    if type != nil, format != .gguf {
      throw ValidationError("--type is for gguf: \(format.rawValue) keeps every number unchanged")
    }
  }

  func run() throws {
    switch format {
    case .huggingface: try writeModel(RunLookup.checkpoint(which.name, in: place, step: choice.step))
    case .gguf: try writeGGUF(RunLookup.checkpoint(which.name, in: place, step: choice.step))
    case .safetensors: try writeTensors(RunLookup.checkpoint(which.name, in: place, step: choice.step))
    case .csv, .jsonl: try writeNumbers(RunLookup.archive(which.name, in: place))
    case .tensorboard: try writeEvents(RunLookup.archive(which.name, in: place))
    }
  }

  private func writeModel(_ checkpoint: Checkpoint) throws {
    let configuration = checkpoint.recipe.configuration(vocabulary: checkpoint.tokenizer.vocabulary)
    let model = try HuggingFace(
      checkpoint, inner: configuration.inner, epsilon: configuration.epsilon,
      addsSpaceBefore: Tokenizer(checkpoint.tokenizer).addsSpaceBefore, withHeads: withHeads)
    try AtomicFile.prepareFolder(path, isReplacing: force)
    try write(model.tensors, of: model.source, to: path + "/model.safetensors")
    for file in model.files {
      try AtomicFile.writePieces("\(path)/\(file.name)", isReplacing: force) { take in
        try file.bytes.withUnsafeBytes(take)
      }
    }
    try removeFormer(but: model.files.map(\.name))
    say(model.tensors, of: checkpoint)
  }

  /// Removes files of another model's export or download, which readers would take for a part of this model.
  private func removeFormer(but written: [String]) throws {
    let parts = [
      "tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
      "vocab.json", "merges.txt", "generation_config.json", "model.safetensors.index.json",
    ]
    for name in parts where !written.contains(name) {
      let file = "\(path)/\(name)"
      guard unlink(file) == 0 || errno == ENOENT else {
        throw UserError(.cannotCreate, "\(file) belongs to another model and cannot be removed: remove it by hand")
      }
    }
  }

  private func writeGGUF(_ checkpoint: Checkpoint) throws {
    let file = try GGUF(checkpoint, name: which.name, inner: checkpoint.recipe.model.innerWidth, storage: type ?? .f32)
    try AtomicFile.writePieces(path, isReplacing: force) { try file.write($0) }
    say(file.sources, of: checkpoint)
  }

  private func writeTensors(_ checkpoint: Checkpoint) throws {
    try write(checkpoint.tensors, of: checkpoint, to: path)
    say(checkpoint.tensors, of: checkpoint)
  }

  private func write(_ tensors: [Checkpoint.Tensor], of checkpoint: Checkpoint, to path: String) throws {
    let notes = [("format", "pt"), ("run", which.name), ("step", String(checkpoint.state.step))]
    try AtomicFile.writePieces(path, isReplacing: force) { take in
      try SafeTensors.write(tensors, of: checkpoint, notes: notes, take)
    }
  }

  private func say(_ tensors: [Checkpoint.Tensor], of checkpoint: Checkpoint) {
    let count = tensors.reduce(0) { $0 + $1.count }
    print(
      "\(path): \(which.name) at step \(Figure.grouped(checkpoint.state.step)), \(tensors.count) tensors, \(Figure.short(Double(count))) numbers"
    )
  }

  private func writeNumbers(_ archive: StoredRun) throws {
    var lines = 0
    var damaged = 0
    try AtomicFile.writePieces(path, isReplacing: force) { take in
      func put(_ line: String) throws {
        lines += 1
        try Array(line.utf8).withUnsafeBytes(take)
      }
      if format == .csv {
        try MetricLines.csv(
          heads: archive.recipe.heads, path: archive.recipe.pathLength, groups: archive.recipe.tensorGroups,
          of: { damaged = try archive.forEachNumber($0) }, put)
      } else {
        try MetricLines.json(of: { damaged = try archive.forEachNumber($0) }, put)
      }
    }
    print("\(path): \(which.name), \(Figure.grouped(lines)) \(lines == 1 ? "line" : "lines")")
    try complain(of: damaged)
  }

  /// Throws if rows could not be read; the file has all others.
  private func complain(of damaged: Int) throws {
    guard damaged > 0 else { return }
    throw UserError(
      .data,
      "\(damaged) damaged \(damaged == 1 ? "row is" : "rows are") left out: “foretop verify \(which.name)” says which, and a copy of the run "
        + "may have \(damaged == 1 ? "it" : "them")")
  }

  private func writeEvents(_ archive: StoredRun) throws {
    // The folder may hold other runs, since TensorBoard shows all runs of a folder.
    try AtomicFile.prepareFolder(path, isReplacing: true)
    let file = "\(path)/\(TensorBoard.fileName(run: which.name, time: archive.beginning.time))"
    var damaged = 0
    try AtomicFile.writePieces(file, isReplacing: force) { take in
      try TensorBoard.write(
        heads: archive.recipe.heads, path: archive.recipe.pathLength, groups: archive.recipe.tensorGroups,
        of: { damaged = try archive.forEachNumber($0) }, take)
    }
    print("\(file): \(which.name); “tensorboard --logdir \(path)” shows it")
    try complain(of: damaged)
  }
}

extension GGUF.ElementType: ExpressibleByArgument {}
