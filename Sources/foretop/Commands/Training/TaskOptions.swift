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

  /// The questions, with what errors call their file; nil where none are asked for.
  func items() throws -> (items: [TaskItem], source: String)? {
    guard let task else { return nil }
    let path = try path(task)
    return (try [TaskItem](jsonLines: ForeignFile.bytes(path), source: path), path)
  }

  /// A file, or else a set that comes with the program.
  private func path(_ word: String) throws -> String {
    let known = BundledFiles.files(in: "tasks", ending: ".jsonl")
    guard !word.contains("/"), !FileManager.default.fileExists(atPath: word) else { return word }
    guard let file = known.first(where: { $0.name == word }) else {
      let meant = known.map(\.name).nearest(to: word).map { "; did you mean \($0)?" } ?? ""
      throw UserError(
        .noInput,
        "there is no task \(word.quotation)\(meant): give a JSONL file, or one of \(known.map(\.name).joined(separator: ", "))"
      )
    }
    return file.path
  }

  /// Scores and prints.
  func score(
    _ questions: (items: [TaskItem], source: String), by network: borrowing TrainedNetwork, of checkpoint: Checkpoint,
    name: String, json: Bool
  ) throws {
    var results: [TaskResult] = []
    try network.score(questions.items, by: Tokenizer(checkpoint.tokenizer), source: questions.source) { result in
      if json { try Output.put(Array((result.json.line + "\n").utf8)) }
      results.append(result)
      return true
    }
    let summary = TaskSummary(results)
    guard !json else { return print(summary.json.line) }
    func percent(_ share: Double) -> String {
      String(format: "%.1f %% ± %.1f", share * 100, summary.standardError(share) * 100)
    }
    var words = ["accuracy \(percent(summary.accuracy))"]
    if let normalized = summary.normalizedAccuracy { words.append("normalised for length \(percent(normalized))") }
    if let chance = summary.chance { words.append(String(format: "chance %.1f %%", chance * 100)) }
    if let perplexity = summary.perplexity { words.append(String(format: "perplexity of the word %.2f", perplexity)) }
    print(
      "\(name) at step \(Figure.grouped(checkpoint.state.step))  \(words.joined(separator: "  "))  over "
        + "\(Figure.grouped(summary.items)) questions of \(questions.source)")
  }
}
