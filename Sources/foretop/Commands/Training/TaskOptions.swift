// foretop eval --task: multiple choice and last words.
import ArgumentParser
import Corpus
import Dashboard
import Foundation
import Run
import TerminalUI
import Training

struct TaskOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Scores the questions of a JSONL file, or of a set in tasks/, by log-likelihood.", valueName: "file"))
  var task: String?

  func validate() throws {
    if task == "" { throw ValidationError("--task is empty: give a JSONL file") }
  }

  /// The questions; nil where none are asked for.
  func questions() throws -> TaskSet? { try task.map { try TaskSet(named: $0, what: "--task") } }

  /// Scores and prints.
  func score(
    _ questions: TaskSet, by network: TrainedNetwork, of checkpoint: Checkpoint,
    name: String, json: Bool
  ) throws {
    var results: [TaskResult] = []
    try network.score(questions, by: Tokenizer(checkpoint.tokenizer)) { result in
      if json { try Output.put(Array((result.json.line + "\n").utf8)) }
      results.append(result)
      return true
    }
    let summary = TaskSummary(results)
    guard !json else { return print(summary.json.line) }
    func withError(_ share: Double) -> String {
      "\(Figure.quality(share)) ± \(Figure.quality(summary.standardError(share)))"
    }
    var words = ["accuracy \(withError(summary.accuracy))"]
    if let normalized = summary.normalizedAccuracy { words.append("normalised for length \(withError(normalized))") }
    if let chance = summary.chance { words.append("chance \(Figure.quality(chance))") }
    if let perplexity = summary.perplexity { words.append("perplexity of the word \(Figure.fixed(perplexity, 2))") }
    print(
      "\(name) at step \(Figure.grouped(checkpoint.state.step))  \(words.joined(separator: "  "))  over "
        + "\(Figure.grouped(summary.items)) questions of \(questions.source)")
  }
}

extension TaskSet {
  /// - Parameters:
  ///   - name: a file, or else a set that comes with the program.
  ///   - what: who names it, for errors.
  /// - Throws: `UserError` when there is no such file or set, or it has a line that is no question.
  init(named name: String, what: String) throws {
    let known = BundledFiles.files(in: "tasks", ending: ".jsonl")
    var path = name
    if !name.contains("/"), !FileManager.default.fileExists(atPath: name) {
      guard let file = known.first(where: { $0.name == name }) else {
        let meant = known.map(\.name).nearest(to: name).map { "; did you mean \($0)?" } ?? ""
        throw UserError(
          .noInput,
          "\(what): there is no task \(name.quotation)\(meant): give a JSONL file, or one of "
            + known.map(\.name).joined(separator: ", "))
      }
      path = file.path
    }
    try self.init(jsonLines: ForeignFile.bytes(path), source: path)
  }

  /// The questions of a recipe's `evaluate.task`; nil without.
  init?(_ recipe: Recipe) throws {
    guard !recipe.evaluate.task.isEmpty else { return nil }
    try self.init(named: recipe.evaluate.task, what: "evaluate.task")
  }
}
