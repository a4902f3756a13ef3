// Runs the cells of an experiment as processes beside each other. What a cell has done is in its run's files; nothing else is kept.
import Dashboard
import Experiments
import Foundation
import Run
import RunFile

/// The processes of an experiment, and how far all cells are.
struct ExperimentRunner {
  let work: ExperimentWork
  private(set) var readings: [CellReading?]
  private(set) var results: [CellResult]
  private var processes: [Int: CellProcess] = [:]
  /// Cells whose processes have ended, until they are read.
  private var unread: [Int: String] = [:]
  /// What a cell's process said when it ended before its run did.
  private(set) var failures: [Int: String] = [:]
  private var isStopping = false
  private let start = ContinuousClock.now
  /// Steps that were stored before this process began.
  private let stepsBefore: Int

  /// - Parameter readings: what is stored of each cell.
  init(_ work: ExperimentWork, _ readings: [CellReading?]) {
    self.work = work
    self.readings = readings
    results = work.results(readings)
    stepsBefore = results.reduce(0) { $0 + $1.step }
  }

  /// True if nothing is left to be done.
  var isDone: Bool { processes.isEmpty && unread.isEmpty && (isStopping || open.isEmpty) }

  var training: [Int] { processes.keys.sorted() }

  /// The first cell that can be begun; cells that another process trains, such as one of an experiment that was killed and still
  /// saves, are waited for.
  private var next: Int? { open.first { !isLive($0) } }

  private var open: [Int] {
    results.indices.filter { !results[$0].isOver && processes[$0] == nil && unread[$0] == nil && failures[$0] == nil }
  }

  private func isLive(_ cell: Int) -> Bool {
    StoredRun.entry(work.cells[cell].name, in: work.folder)?.version.isLive == true
  }

  /// Takes what ended, and begins what can be.
  /// - Returns: cells that are to be read now.
  mutating func turn() -> [Int] {
    for (cell, process) in processes {
      guard let ending = process.ending() else { continue }
      processes[cell] = nil
      unread[cell] = ending
    }
    while !isStopping, processes.count < work.jobs, let cell = next {
      do {
        processes[cell] = try CellProcess(work.arguments(of: work.cells[cell]))
      } catch {
        failures[cell] = UserError(error, while: "beginning \(work.cells[cell].name)").message
      }
    }
    return unread.keys.sorted()
  }

  /// Takes what is stored of a cell.
  mutating func take(_ reading: CellReading?, of cell: Int) {
    readings[cell] = reading
    results[cell] = CellResult(work.cells[cell].recipe, reading)
    guard let words = unread.removeValue(forKey: cell) else { return }
    // What it said of its end matters only where its run is not over.
    if !results[cell].isOver, !isStopping {
      failures[cell] = words.isEmpty ? "its process ended before the run did" : words
    }
  }

  /// A cell that cannot be read.
  mutating func fail(_ cell: Int, _ error: UserError) {
    // What its process said says more than that there is nothing to read.
    let words = unread.removeValue(forKey: cell) ?? ""
    failures[cell] = words.isEmpty ? error.message : words
  }

  /// Tells all processes to save and stop.
  mutating func stop() {
    isStopping = true
    for process in processes.values { process.stop() }
  }

  var table: ExperimentTable { ExperimentTable(work.file, work.cells, results) }

  var phases: [ExperimentScreen.CellPhase] {
    results.indices.map { cell in
      if results[cell].fate == .diverged { return .diverged }
      if results[cell].isOver { return .over }
      if failures[cell] != nil { return .failed }
      return processes[cell] == nil ? .waiting : .training
    }
  }

  /// Seconds until all cells are over, where each takes all of its steps, at the pace so far; nil before there is one.
  var secondsLeft: Double? {
    let taken = results.reduce(0) { $0 + $1.step } - stepsBefore
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    guard taken > 0, seconds > 2 else { return nil }
    let left = zip(work.cells, results).reduce(0) { $0 + ($1.1.isOver ? 0 : max(0, $1.0.recipe.steps - $1.1.step)) }
    return Double(left) * seconds / Double(taken)
  }
}
