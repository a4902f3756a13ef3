// foretop experiment NAME: runs what is not done yet, and prints the table.
import ArgumentParser
import Curses
import Dashboard
import Experiments
import Foundation
import Run
import TerminalUI

struct ExperimentRun: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Runs or continues an experiment, and prints its table.",
    discussion: """
      Signals: INT and TERM save and stop the runs in training; the same command continues the experiment. The exit \
      status is 1 if a run failed.
      """)

  @Argument(help: ArgumentHelp("A name in experiments/ or a path to a YAML file.", valueName: "experiment"))
  var name: String

  @Option(value: "scale", "Size of an experiment that has several: quick, evening, small or paper.")
  var scale: String?

  @OptionGroup var options: ExperimentOptions
  @OptionGroup var running: RunningOptions
  @OptionGroup var slurm: SlurmOptions

  func run() throws {
    let (file, sentence) = try ExperimentWork.file(name, scale: scale)
    let work = try running.work(options.applied(to: file), sentence: sentence, options)
    if let cell = slurm.cell { return try work.become(cell) }
    guard slurm.on == .local else {
      let array = SlurmArray(work: work, options: slurm, arguments: arguments(of: work), most: running.jobs)
      return print(try array.submit(isDry: running.dryRun))
    }
    try running.carryOut(work) { $0.resultChart(of: $1) }
  }
}

extension ExperimentRun {
  /// The arguments with which another process has the same experiment.
  private func arguments(of work: ExperimentWork) -> [String] {
    // Tasks begin in the folder that this process is in.
    ["experiment", "run", name] + (scale.map { ["--scale", $0] } ?? []) + work.options
      + (options.seeds.map { ["--seeds", $0] } ?? []) + options.only.flatMap { ["--only", $0] }
      + ["--name", work.file.name, "--runs", options.folder.runs, "--threads", "\(work.threads)"]
  }
}

/// How an experiment is run.
struct RunningOptions: ParsableArguments {
  @Option(value: "n", "Number of runs to train in parallel; they divide the threads among them.")
  var jobs: Int?

  @OptionGroup var computing: ThreadOptions

  @Flag(help: "Prints the number of runs, the time and the disk space that they need, and runs nothing.")
  var dryRun = false

  @Flag(help: "Prints lines instead of showing the screen.")
  var headless = false

  @OptionGroup var results: ResultOptions
  @OptionGroup var looks: LookOptions

  func validate() throws {
    if let jobs, !(1...64).contains(jobs) { throw ValidationError("--jobs must be from 1 to 64, and \(jobs) is not") }
  }

  func work(_ file: ExperimentFile, sentence: String, _ options: ExperimentOptions) throws -> ExperimentWork {
    try Computation.prepare()
    if let threads = file.threads {
      try ThreadOptions.check(
        threads, of: "“threads: \(threads)” of the experiment \(file.name)", advice: "change that line, or leave it out"
      )
    }
    return try ExperimentWork(file, sentence: sentence, options, jobs: jobs, threads: computing.count())
  }

  /// - Parameters:
  ///   - chart: what is drawn below the table, given what is stored of each cell.
  ///   - say: called with the table at the end.
  func carryOut(
    _ work: ExperimentWork, chart: (ExperimentTable, [CellReading?]) -> ChartData?,
    saying say: (ExperimentTable) -> String? = { _ in nil }
  ) throws {
    if dryRun {
      print(try ExperimentEstimate(work).text)
      return
    }
    var runner = ExperimentRunner(work, try work.readings())
    let isPlain = headless || results.json || results.csv
    var status: Int32?
    if !isPlain, isatty(STDIN_FILENO) == 1, isatty(STDOUT_FILENO) == 1, !runner.isDone {
      status = try show(&runner)
    }
    if status == nil { status = try follow(&runner, isQuiet: results.json || results.csv) }
    let table = work.table(runner.readings)
    let glyphs = looks.glyphs.glyphs ?? (Screen.isUTF8Asked ? .braille : .ascii)
    try results.put(table, chart(table, runner.readings), glyphs: glyphs)
    if let sentence = say(table), !results.json, !results.csv { print(sentence) }
    for (cell, words) in runner.failures.sorted(by: { $0.key < $1.key }) {
      Output.warn("\(work.cells[cell].name): \(words)".harmlessLine)
    }
    if !table.isOver, runner.failures.isEmpty {
      Output.warn("the experiment is not over: the same command continues it")
    }
    if status == 0, !runner.failures.isEmpty { status = 1 }
    if let status, status != 0 { throw Ended(status: status) }
  }

  /// Goes on until all cells are over, and prints a line for each that begins or ends unless it is to be quiet.
  /// - Returns: the process's exit status.
  private func follow(_ runner: inout ExperimentRunner, isQuiet: Bool) throws -> Int32 {
    let signals = Signals(withScreen: false)
    var status: Int32 = 0
    var training: Set<Int> = []
    while !runner.isDone {
      for signal in signals.taken() where Signals.isStop(signal) || signal == SIGHUP {
        status = 128 + signal
        runner.stop()
      }
      for cell in runner.turn() { read(cell, &runner) }
      let now = Set(runner.training)
      if !isQuiet {
        for cell in now.subtracting(training).sorted() { tell("\(runner.work.cells[cell].name) trains") }
        for cell in training.subtracting(now).sorted() { tell(runner, cell) }
      }
      training = now
      if !runner.isDone { signals.wait(milliseconds: 50) }
    }
    return status
  }

  private func tell(_ words: String) {
    print(words)
    fflush(nil)
  }

  private func tell(_ runner: ExperimentRunner, _ cell: Int) {
    let result = runner.results[cell]
    let words = runner.failures[cell] ?? "\(result.word) at step \(Figure.grouped(result.step))"
    let over = runner.results.count(where: \.isOver)
    tell("\(runner.work.cells[cell].name) \(words)  ·  \(over) of \(runner.results.count) cells are over")
  }

  private func read(_ cell: Int, _ runner: inout ExperimentRunner) {
    do {
      runner.take(try runner.work.reading(of: runner.work.cells[cell]), of: cell)
    } catch {
      runner.fail(cell, UserError(error, while: "reading \(runner.work.cells[cell].name)"))
    }
  }

  /// Shows the screen.
  /// - Returns: the process's exit status; nil where no screen can be had.
  private func show(_ runner: inout ExperimentRunner) throws -> Int32? {
    let layouts = try LayoutFiles()
    var place = FolderOptions()
    place.runs = runner.work.folder
    let (table, phases) = (runner.table, runner.phases)
    let loop = try BrowserLoop(place, looks, layouts) { glyphs in
      var browser = Browser(layouts: layouts.layouts, problems: layouts.problems)
      browser.experiment = ExperimentScreen(table, phases, glyphs: glyphs)
      return browser
    }
    guard var loop else { return nil }
    loop.experiment = ExperimentFollower(runner)
    let status = loop.run()
    if let follower = loop.experiment { runner = follower.runner }
    // What still saves is waited for; a signal hurries it.
    runner.stop()
    let late = try follow(&runner, isQuiet: true)
    return late == 0 ? status : late
  }
}
