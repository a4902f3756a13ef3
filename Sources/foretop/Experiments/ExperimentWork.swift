// An experiment that is to be run: its cells, where their runs are, and with which options each process trains.
import Experiments
import Foundation
import Run
import RunFile
import Session
import Training

/// What is to be run.
struct ExperimentWork {
  let file: ExperimentFile
  /// A sentence from the file's first comment; empty where there is none.
  let sentence: String
  let cells: [ExperimentCell]
  /// What the command line changes in all cells, as options of `foretop train`.
  let options: [String]
  /// The folder of the cells' runs.
  let folder: String
  /// Processes side by side, and threads of each.
  let jobs: Int
  let threads: Int

  /// - Parameters:
  ///   - jobs: nil takes one process, or as many as the file's threads leave room for.
  ///   - threads: of all processes together.
  init(
    _ file: ExperimentFile, sentence: String, _ options: ExperimentOptions, jobs: Int? = nil,
    threads: Int = Processors.current.threads
  ) throws {
    try RunName.check(file.name)
    self.file = file
    self.sentence = sentence
    let base = try RecipeFile(file.recipe)
    let changes = options.changes
    cells = try file.cells(of: base.recipe) { recipe in
      var origins = base.origins
      recipe = try changes.applied(to: recipe, &origins)
    }
    for cell in cells { try RunName.check(cell.name) }
    self.options =
      changes.assignments.flatMap { ["--set", $0] } + (changes.steps.map { ["--steps", $0] } ?? [])
      + changes.data.flatMap { ["--data", $0] }
    folder = RunAddress(name: file.name, runs: options.folder.runs).folder
    self.jobs = jobs ?? file.threads.map { max(1, threads / $0) } ?? 1
    self.threads = file.threads ?? max(1, threads / self.jobs)
  }

  /// An experiment by its name in experiments/, or a path to a file.
  /// - Parameter scale: of files that have several: `NAME-SCALE`.
  static func file(_ word: String, scale: String? = nil) throws -> (file: ExperimentFile, sentence: String) {
    let known = BundledFiles.files(in: "experiments")
    let names = scale.map { $0 == "quick" ? ["\(word)-\($0)", word] : ["\(word)-\($0)"] } ?? [word]
    let isPath = word.contains("/") || word.hasSuffix(".yaml") || word.hasSuffix(".yml")
    let path: String
    if !isPath, let file = names.lazy.compactMap({ name in known.first { $0.name == name } }).first {
      path = file.path
    } else if scale == nil, isPath || FileManager.default.fileExists(atPath: word) {
      path = word
    } else {
      let all = known.map(\.name)
      let meant = all.nearest(to: names[0]).map { "; did you mean \($0)?" } ?? "."
      throw UserError(
        .noInput,
        "there is no experiment \(names[0].quotation)\(meant) Give one of \(all.joined(separator: ", ")), or a YAML file"
      )
    }
    let text = try BundledFiles.text(at: path, what: "experiment")
    let name = URL(filePath: path).deletingPathExtension().lastPathComponent
    return (try ExperimentFile(yaml: text, source: path, name: name), RecipesCommand.sentence(of: text))
  }

  /// What is stored of a cell; nil where nothing is.
  /// - Throws: `UserError` where the run cannot be read, or was trained with another recipe.
  func reading(of cell: ExperimentCell) throws -> CellReading? {
    let path = "\(folder)/\(cell.name)"
    guard StoredRun.isThere(path) else { return nil }
    let run: StoredRun
    do {
      run = try StoredRun(opening: path)
    } catch let error as UserError where error.status == .noInput || error.status == .unavailable {
      // Its process has just begun, or was killed before its first event.
      return nil
    } catch let error as UserError where error.status == .data {
      throw UserError(
        .data,
        "\(error.message); put the file back from a copy, or remove \(path), and the cell is trained again")
    }
    if let field = cell.recipe.fieldsDeciding(otherThan: run.recipe).first {
      throw UserError(
        .data,
        "\(path) was trained with \(field.key) \(field.read(run.recipe).json.line), and the experiment has "
          + "\(field.read(cell.recipe).json.line): give the experiment another --name, or remove that run")
    }
    return CellReading(state: run.state.rawValue, events: try run.history())
  }

  /// The arguments of the process that begins a cell, or goes on with it.
  func arguments(of cell: ExperimentCell) throws -> [String] {
    let place = ["--name", cell.name, "--runs", folder, "--headless"]
    let path = "\(folder)/\(cell.name)"
    guard StoredRun.isThere(path), let run = try? StoredRun(opening: path) else {
      let changes = cell.changes.flatMap { ["--set", "\($0.key)=\($0.text)"] }
      return ["train", file.recipe] + changes + options + ["--seed", "\(cell.recipe.seed)", "--threads", "\(threads)"]
        + place
    }
    // What may change without changing what is computed: more steps, other evaluations, another end.
    let changed = Recipe.fields.filter { field in
      ["steps", "evaluate.", "save.", "sample.", "stop."].contains(where: field.key.hasPrefix)
        && field.read(run.recipe) != field.read(cell.recipe)
    }
    return ["resume", cell.name] + changed.flatMap { ["--set", "\($0.key)=\($0.read(cell.recipe).assigned)"] }
      + place.dropFirst(2)
  }

  /// What the user types to run it.
  func command(_ word: String) -> String {
    let place = folder.parentFolder
    return (["foretop experiment", word] + options + (place == "runs" ? [] : ["--runs", place])).joined(separator: " ")
  }

  /// The table of what came of all cells, with the memory that a run of each setting needs.
  func table(_ readings: [CellReading?]) -> ExperimentTable {
    var table = ExperimentTable(file, cells, results(readings))
    table.memory = file.settings.indices.map { setting -> Int? in
      let begun = cells.indices.first { cells[$0].setting == setting && (readings[$0]?.parameters ?? 0) > 0 }
      guard let begun, let reading = readings[begun] else { return nil }
      // A damaged file may have any number here.
      guard (1...1 << 24).contains(reading.vocabulary), (1...1024).contains(reading.threads) else { return nil }
      let plan = try? RunPlan(cells[begun].recipe, vocabulary: reading.vocabulary, threads: reading.threads)
      return plan?.bytes
    }
    return table
  }

  /// What came of all cells.
  func results(_ readings: [CellReading?]) -> [CellResult] {
    zip(cells, readings).map { CellResult($0.recipe, $1) }
  }

  /// What is stored of all cells.
  func readings() throws -> [CellReading?] {
    let folders = cells.map { "\(folder)/\($0.name)" }.filter { StoredRun.isThere($0) }
    StoredRun.prepare(folders, withCheckpoints: false)
    return try cells.map { try reading(of: $0) }
  }
}

extension Recipe.Field.Content {
  /// As `--set KEY=` takes it.
  fileprivate var assigned: String {
    switch self {
    case .text(let text): text
    case .texts(let texts): texts.joined(separator: ",")
    case .numbers(let numbers): numbers.map { "\($0)" }.joined(separator: ",")
    default: json.line
    }
  }
}
