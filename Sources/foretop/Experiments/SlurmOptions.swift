// Where an experiment's cells are trained.
import ArgumentParser
import Experiments
import Foundation
import Run
import RunFile

/// Where cells are trained.
enum CellSite: String, ExpressibleByArgument, CaseIterable {
  /// As child processes of this one.
  case local
  /// As an array of Slurm jobs.
  case slurm
}

/// Options of training cells on a Slurm cluster.
struct SlurmOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Where runs are trained: local (here, until all are over), or slurm.",
      discussion: """
        slurm submits an array with sbatch, a run a task, and returns at once; “foretop experiment report” prints what is \
        stored, and the same command submits runs that are neither over nor in the queue. A task that is told to end saves, \
        and ends with status 75, which asks for another turn (RequeueExit=75 in slurm.conf); two minutes before the end of \
        its time, it saves and requeues itself.
        """,
      valueName: "site"))
  var on = CellSite.local

  @Option(help: ArgumentHelp("Slurm's partition.", valueName: "name"))
  var partition: String?

  @Option(help: ArgumentHelp("The time limit of a turn on Slurm, such as 4:00:00.", valueName: "time"))
  var time: String?

  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp("A further option of sbatch, such as --account=lab; can be repeated.", valueName: "option"))
  var sbatch: [String] = []

  @Option(help: .hidden)
  var cell: String?

  func validate() throws {
    guard on == .local, partition != nil || time != nil || !sbatch.isEmpty else { return }
    throw ValidationError("--partition, --time and --sbatch are for --on slurm: give that too, or leave them out")
  }
}

extension ExperimentWork {
  /// This process becomes the one that trains a cell; returns if the cell is over.
  /// - Throws: `UserError` where there is no such cell, or it cannot be trained.
  func become(_ name: String) throws {
    guard let cell = cells.first(where: { $0.name == name }) else {
      throw UserError(
        .data, "the experiment \(file.name) has no cell \(name.quotation) any more: submit it again with --on slurm")
    }
    guard !CellResult(cell.recipe, try reading(of: cell)).isOver else { return }
    let arguments = ["foretop"] + (try self.arguments(of: cell))
    let path = BundledFiles.program ?? "/proc/self/exe"
    _ = ChildProcess.withWords(arguments) { execv(path, $0) }
    throw UserError(.unavailable, "\(path) cannot be started again: \(String(cString: strerror(errno)))")
  }
}
