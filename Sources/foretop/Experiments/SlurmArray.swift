// An experiment's cells as an array of Slurm jobs, a cell a task. What a cell has done is in its run's files, as when it is trained
// here: a task that is requeued goes on with its run, and the same command submits what is not over and not in the queue.
import Experiments
import Foundation
import Run
import RunFile

/// What is submitted to Slurm.
struct SlurmArray {
  let work: ExperimentWork
  let options: SlurmOptions
  /// The arguments of foretop that train a cell, without its name.
  let arguments: [String]
  /// The most tasks at a time; nil leaves that to Slurm.
  let most: Int?

  /// The status with which a task asks for another turn, after it has saved: that of sysexits' EX_TEMPFAIL. Slurm's RequeueExit may
  /// name it.
  static let requeueStatus = 75
  /// Seconds before the end of its time at which a task is told to save.
  private static let warning = 120

  private var jobName: String { "foretop-\(work.file.name)" }
  private var logs: String { "\(work.folder)/.slurm" }

  /// Submits the cells that are not over, and says what was done.
  /// - Parameter isDry: prints what would be submitted, and submits nothing.
  /// - Throws: `UserError` when a run cannot be read, or Slurm refuses.
  func submit(isDry: Bool) throws -> String {
    let results = work.results(try work.readings())
    let open = results.indices.filter { !results[$0].isOver }
    guard !open.isEmpty else { return "all \(results.count) cells are over" }
    let queued = isDry ? [] : try queuedTasks()
    let free = open.filter { !queued.contains($0) && !isLive($0) }
    guard !free.isEmpty else {
      return
        "\(results.count - open.count) of \(results.count) cells are over, and the others are in the queue or in training"
    }
    let words = words(for: free)
    guard !isDry else {
      return "sbatch \(words.map(Self.quoted).joined(separator: " ")) <<'END'\n\(script(for: free))END"
    }
    do {
      try FileManager.default.createDirectory(atPath: logs, withIntermediateDirectories: true)
    } catch {
      throw UserError(error, .cannotCreate, while: "making \(logs)")
    }
    let answer = try Self.ask("sbatch", words, input: script(for: free))
    // JOB, or JOB;CLUSTER.
    let job = answer.prefix { $0.isNumber }
    return "submitted \(free.count) of \(results.count) cells as Slurm's job \(job); their lines are in \(logs)"
  }

  /// The options of sbatch.
  private func words(for cells: [Int]) -> [String] {
    let array = cells.map(String.init).joined(separator: ",") + (most.map { "%\($0)" } ?? "")
    var words = [
      "--parsable", "--job-name=\(jobName)", "--array=\(array)", "--requeue", "--open-mode=append",
      "--cpus-per-task=\(work.threads)", "--output=\(logs)/%A_%a.log", "--signal=B:USR2@\(Self.warning)",
    ]
    if let partition = options.partition { words.append("--partition=\(partition)") }
    if let time = options.time { words.append("--time=\(time)") }
    return words + options.sbatch
  }

  /// What a task runs. Slurm tells the shell when time is nearly over (USR2) or the job is to end (TERM); the shell tells the trainer,
  /// which saves.
  private func script(for cells: [Int]) -> String {
    let cases = cells.map { "\($0)) cell=\(Self.quoted(work.cells[$0].name)) ;;" }.joined(separator: "\n")
    let command = ([BundledFiles.program ?? "foretop"] + arguments).map(Self.quoted).joined(separator: " ")
    return """
      #!/bin/sh
      # The cells of the experiment \(work.file.name), a cell a task; written by “foretop experiment --on slurm”.
      case $SLURM_ARRAY_TASK_ID in
      \(cases)
      *) echo "the array has no cell $SLURM_ARRAY_TASK_ID" >&2; exit 64 ;;
      esac
      \(command) --cell "$cell" &
      trainer=$!
      trap 'kill -TERM $trainer' TERM
      trap 'late=1; kill -USR2 $trainer' USR2
      while :; do
        wait $trainer
        status=$?
        kill -0 $trainer 2>/dev/null || break
      done
      # Saved and not over: the status asks for another turn.
      case $status in 130|140|143|152) status=\(Self.requeueStatus) ;; esac
      if [ $status = \(Self.requeueStatus) ] && [ -n "$late" ]; then scontrol requeue "$SLURM_JOB_ID"; fi
      exit $status

      """
  }

  /// A word as the shell takes it.
  private static func quoted(_ word: String) -> String {
    let plain = word.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_=./,:@%+".contains($0)) }
    return plain && !word.isEmpty ? word : "'" + word.replacing("'", with: "'\\''") + "'"
  }

  private func isLive(_ cell: Int) -> Bool {
    StoredRun.entry(work.cells[cell].name, in: work.folder)?.version.isLive == true
  }

  /// The tasks of this experiment that wait or run.
  private func queuedTasks() throws -> Set<Int> {
    let answer = try Self.ask(
      "squeue", ["--noheader", "--array", "--format=%K", "--name=\(jobName)", "--user=\(NSUserName())"], input: nil)
    return Set(answer.split(whereSeparator: \.isWhitespace).compactMap { Int($0) })
  }

  /// Runs one of Slurm's programs.
  /// - Returns: what it printed.
  /// - Throws: `UserError` with its words when it fails or is missing.
  private static func ask(_ program: String, _ words: [String], input: String?) throws -> String {
    let answer = try OtherProgram.output(
      of: program, words, input: input,
      advice: "is not in PATH: --on slurm submits to a Slurm cluster from one of its machines; --on local trains here")
    return String(decoding: answer, as: UTF8.self)
  }
}
