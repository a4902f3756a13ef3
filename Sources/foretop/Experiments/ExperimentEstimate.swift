// What an experiment will take, before it is begun: --dry-run.
import Benchmark
import Corpus
import Experiments
import Foundation
import Run
import TerminalUI
import Training

/// Time and disk of the cells that are not over.
struct ExperimentEstimate {
  private let work: ExperimentWork
  private let settings: [SettingEstimate]

  /// Of one cell of a setting.
  private struct SettingEstimate {
    var name: String
    var cells: Int
    var left: Int
    var parameters: Int
    /// Bytes of memory that a run needs.
    var memory: Int
    /// Seconds, the mean over the run.
    var step: Double
    /// Seconds that the steps of all cells take which are left.
    var seconds: Double
    /// Bytes of a cell's files.
    var bytes: Int
  }

  /// Measures a step of every setting for some seconds.
  init(_ work: ExperimentWork) throws {
    self.work = work
    let results = work.results(try work.readings())
    let memory = MachineMemory.current
    settings = try work.file.settings.enumerated().map { index, setting in
      let members = work.cells.indices.filter { work.cells[$0].setting == index }
      let recipe = work.cells[members[0]].recipe
      let vocabulary = try Corpus.vocabulary(of: try Corpus.Source(recipe, runs: work.folder.parentFolder)).count
      let plan = try RunPlan(recipe, vocabulary: vocabulary, threads: work.threads)
      guard let estimate = try Estimate(plan, memory: memory) else {
        throw UserError(.unavailable, "setting \(setting.name) does not fit into the available memory")
      }
      let left = members.filter { !results[$0].isOver }.map { min(results[$0].step, recipe.steps)..<recipe.steps }
      return SettingEstimate(
        name: setting.name, cells: members.count, left: left.count,
        parameters: plan.network.parameters.parameters, memory: plan.bytes, step: estimate.step,
        seconds: left.reduce(0) { $0 + estimate.duration(of: $1) },
        bytes: plan.disk.bytes)
    }
  }

  var text: String {
    let rows = settings.map { setting in
      [
        setting.name, "\(setting.cells)", "\(setting.left)", Figure.short(Double(setting.parameters)),
        Figure.bytes(setting.memory), Figure.milliseconds(setting.step), Figure.duration(setting.seconds),
        Figure.bytes(Double(setting.bytes * setting.cells)),
      ]
    }
    let header = ["SETTING", "RUNS", "LEFT", "PARAMETERS", "MEMORY", "A STEP", "TIME", "DISK"]
    let left = settings.reduce(0) { $0 + $1.left }
    let seconds = settings.reduce(0) { $0 + $1.seconds } / Double(max(1, min(work.jobs, max(left, 1))))
    let bytes = settings.reduce(0) { $0 + $1.bytes * $1.cells }
    let early =
      work.cells.contains { $0.recipe.stop != Recipe.StopSettings() }
      ? "at most, since stop.until or stop.patience may end runs early; " : ""
    return """
      \(TextTable.text([header] + rows, right: Set(1..<header.count)))

      \(settings.reduce(0) { $0 + $1.cells }) runs in \(work.folder), \(left) of them left: about \(Figure.duration(seconds)) with \
      \(work.jobs) side by side of \(Figure.threads(work.threads)) each, and \(Figure.bytes(Double(bytes))) on the disk
      (\(early)without evaluations, samples and checkpoints, with nothing else running)
      """
  }
}
