// foretop teach: writes a teacher's predictions for the training part of a corpus.
import ArgumentParser
import Corpus
import Dashboard
import Foundation
import Run
import RunFile
import Training

struct Teach: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Writes a teacher's predictions for a corpus; runs learn from them as well as from the text.",
    discussion: """
      The teacher is a stored run, whose last checkpoint predicts every next token of the training part, or with --ngram N \
      an n-gram model with interpolated Kneser–Ney smoothing, which is counted on the training part. The corpus is that of \
      the recipe that --recipe, --set and --data give; without --recipe, that of the teaching run, or with --ngram that of the \
      recipe “default”. Teacher and student \
      need the same tokenizer, and the same data.* keys. The file has the likeliest tokens of each position with their \
      probabilities; all other tokens count together. “foretop train --set objective.teacher.file=FILE” uses it.
      """)

  @Argument(help: ArgumentHelp("The run that teaches.", valueName: "name"))
  var name: String?

  @Option(value: "n", "Makes an n-gram model of this order the teacher, from 1 to 8, instead of a run.")
  var ngram: Int?

  @Option(
    help: ArgumentHelp("The recipe whose corpus is taught: a name in recipes/ or a YAML file.", valueName: "recipe"))
  var recipe: String?

  @OptionGroup var changes: RecipeOptions

  @Option(value: "k", "Tokens of each position that are kept, at most 64.")
  var top = 10

  @Option(help: ArgumentHelp("Predictions are softmax(z / temperature): below 1 they are sharper.", valueName: "τ"))
  var temperature = 1.0

  @Option(
    help: ArgumentHelp(
      "The file to write. Default: one in the cache folder, named by teacher and corpus.", valueName: "file"))
  var output: String?

  @OptionGroup var choice: CheckpointOption

  @Flag(help: "Prints JSON instead of text.")
  var json = false

  @OptionGroup var place: PlaceOptions

  func validate() throws {
    if (name == nil) == (ngram == nil) { throw ValidationError("give the name of a run, or --ngram N: one of them") }
    if let ngram, !(1...KneserNey.mostOrder).contains(ngram) {
      throw ValidationError("--ngram must be from 1 to \(KneserNey.mostOrder), and \(ngram) is not")
    }
    if ngram != nil, choice.step != nil {
      throw ValidationError("--step names a checkpoint of a run, and --ngram needs no run: leave one of them out")
    }
    if !(1...TeacherHeader.mostTop).contains(top) {
      throw ValidationError("--top must be from 1 to \(TeacherHeader.mostTop), and \(top) is not")
    }
    if !(temperature >= 0.01 && temperature <= 100) {
      throw ValidationError("--temperature must be from 0.01 to 100, and \(temperature) is not")
    }
  }

  func run() throws {
    try Computation.prepare()
    let checkpoint = try name.map { try RunLookup.checkpoint($0, in: place.folder, step: choice.step) }
    let recipe = try taughtRecipe(checkpoint?.recipe)
    guard recipe.data.kind == .text else {
      throw UserError(
        .usage, "data.kind is \(recipe.data.kind.rawValue), whose samples are made anew: a teacher needs a text")
    }
    if !recipe.tokenizer.model.isEmpty { try Sandbox.require(.tokenizer(recipe.tokenizer.model)) }
    let corpus = try Corpus(opening: try Corpus.Source(recipe, runs: place.runs)) { Output.warn("\($0) …") }
    for notice in corpus.notices { Output.warn(notice.harmlessLine) }
    if let checkpoint { try requireTokenizer(of: checkpoint, corpus) }
    let teacher = checkpoint.map { "run \(name ?? "") at step \($0.state.step)" } ?? "\(ngram ?? 0)-gram"
    let header = try TeacherHeader(teacher: teacher, corpus: corpus, top: top, temperature: temperature)
    let path = try self.path(header)
    var work = WorkProgress(of: .taught)
    func tell(_ done: Int, of total: Int) {
      let line = work.line(done: done, total: total, now: Date().timeIntervalSince1970)
      if let line { Output.warn(line.trimmingSpaces, from: "teach") }
    }
    var kept = 0.0
    try TeacherFile.write(to: path, header) { append in
      func add(_ rows: TeacherRows) throws {
        kept += rows.weights.reduce(0.0) { $0 + Double($1) }
        try append(rows)
      }
      if let checkpoint {
        let network = try TrainedNetwork(checkpoint, threads: try place.threads(before: checkpoint.state.threads))
        try network.teach(on: corpus.training, top: header.top, temperature: temperature, to: add) {
          tell($0, of: $1)
        }
      } else {
        Output.warn("counting the n-grams of \(corpus.training.count) tokens …")
        let model = try KneserNey(of: corpus.training, vocabulary: header.vocabulary, order: ngram ?? 1)
        for first in stride(from: 0, to: header.positions, by: 4096) {
          let range = first..<min(first + 4096, header.positions)
          try add(model.likeliest(after: range, top: header.top, temperature: temperature))
          tell(range.upperBound, of: header.positions)
        }
      }
    }
    report(header, path, share: kept / Double(header.positions))
  }

  private func taughtRecipe(_ ofRun: Recipe?) throws -> Recipe {
    if recipe == nil, let ofRun {
      var origins = KeyOrigins("run “\(name ?? "")”")
      return try changes.applied(to: ofRun, &origins)
    }
    let file = try RecipeFile(recipe ?? "default")
    var origins = file.origins
    let recipe = try changes.applied(to: file.recipe, &origins)
    try recipe.validate(origins)
    return recipe
  }

  private func requireTokenizer(of checkpoint: Checkpoint, _ corpus: Corpus) throws {
    let own = try Tokenizer(checkpoint.tokenizer)
    guard own.fingerprint == corpus.tokenizer.fingerprint else {
      throw UserError(
        .usage,
        "run “\(name ?? "")” has another tokenizer (\(own.summary)) than the corpus (\(corpus.tokenizer.summary)): teacher and "
          + "student need the same one")
    }
    guard checkpoint.recipe.objective.ntp > 0 else {
      throw UserError(.usage, "run “\(name ?? "")” has no next-token head, and predicts no next token")
    }
  }

  private func path(_ header: TeacherHeader) throws -> String {
    if let output { return output.absolutePath }
    try FileManager.default.createDirectory(atPath: BundledFiles.cache, withIntermediateDirectories: true)
    let word = header.teacher.map { $0.isLetter || $0.isNumber || $0 == "-" ? $0 : "-" }
    return "\(BundledFiles.cache)/\(String(word))-\(header.corpus)-\(header.top)-\(temperature).teacher"
  }

  private func report(_ header: TeacherHeader, _ path: String, share: Double) {
    let bytes = TeacherFile.size(header)
    guard !json else {
      return print(
        JSON.object([
          JSON.Member("file", .text(path)), JSON.Member("teacher", .text(header.teacher)),
          JSON.Member("positions", .integer(header.positions)), JSON.Member("top", .integer(header.top)),
          JSON.Member("temperature", .double(header.temperature)), JSON.Member("share", .double(share)),
          JSON.Member("bytes", .integer(bytes)),
        ]).line)
    }
    print(
      ("\(header.teacher) predicts \(Figure.grouped(header.positions)) tokens: \(header.top) a position, with "
        + "\(Figure.fixed(100 * share, 1)) % of the probability").harmlessLine)
    print("\(path)  \(Figure.bytes(Double(bytes)))".harmlessLine)
    print("train with --set objective.teacher.file=\(path)".harmlessLine)
  }
}
