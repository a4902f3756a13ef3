// An experiment on the screen: its processes, and the reading of its runs on the reader's thread.
import Dashboard
import Experiments
import Foundation
import Run

/// What the loop over the screens knows of the experiment that runs.
struct ExperimentFollower {
  private(set) var runner: ExperimentRunner
  /// Cells that are being read.
  private var asked: Set<Int> = []
  private var lastLook = 0.0
  private var isShown = false

  init(_ runner: ExperimentRunner) { self.runner = runner }

  /// Goes on, and asks for what is to be read.
  /// - Returns: whether the screen is due for an update: it is drawn again each time that it takes something.
  mutating func turn(_ reader: RunReader, now: Double) -> Bool {
    var wanted = runner.turn()
    let isDue = now - lastLook >= 1
    if isDue {
      lastLook = now
      wanted += runner.training.filter { !wanted.contains($0) }
    }
    for cell in wanted where asked.insert(cell).inserted { reader.send(.history(runner.work.cells[cell].name)) }
    return isDue
  }

  /// Takes a run that was read.
  /// - Returns: whether it is a cell's.
  mutating func take(_ reading: RunReader.StoredReading, _ screen: inout ExperimentScreen?) -> Bool {
    guard let cell = runner.work.cells.firstIndex(where: { $0.name == reading.name }) else { return false }
    // What was asked for while the process still trained says nothing of its end.
    asked.remove(cell)
    let read = CellReading(state: reading.state.rawValue, events: reading.events)
    if runner.training.contains(cell) || reading.state != .training { runner.take(read, of: cell) }
    screen?.take(read.evaluations, of: cell)
    update(&screen)
    return true
  }

  /// Takes that a run cannot be read.
  mutating func take(_ error: UserError, of name: String, _ screen: inout ExperimentScreen?) {
    guard let cell = runner.work.cells.firstIndex(where: { $0.name == name }) else { return }
    asked.remove(cell)
    // A run that has just begun has no file yet.
    if !runner.training.contains(cell) { runner.fail(cell, error) }
    update(&screen)
  }

  /// Shows how far all cells are; the first time also what was stored before.
  mutating func update(_ screen: inout ExperimentScreen?) {
    if !isShown {
      isShown = true
      for (cell, reading) in runner.readings.enumerated() { screen?.take(reading?.evaluations ?? [], of: cell) }
    }
    screen?.take(runner.table, runner.phases, left: runner.secondsLeft)
  }
}
