// The screen of a running experiment: a table of cells that fills up, and the curves of the chosen setting.
import Experiments
import Run
import TerminalUI

/// The screen of an experiment.
package struct ExperimentScreen: Sendable, KeyedScreen {
  enum ExperimentAction: Hashable, Sendable {
    case left, right, up, down, open, chart, runs, palette, glyphs, help, leave, stay, redraw
  }

  /// What a key asks the program to do.
  package enum ExperimentRequest: Sendable, Equatable {
    /// Saves and stops the cells in training; the experiment can be continued later.
    case leave
    /// Shows the run of the cell with this name.
    case open(String)
  }

  /// The progress of a cell.
  package enum CellPhase: Sendable, Equatable {
    case waiting, training, over, diverged
    /// The cell's process ended before the run was complete.
    case failed
  }

  package private(set) var table: ExperimentTable
  private(set) var phases: [CellPhase]
  /// For each cell, its first metric (y) over rows trained on (x).
  private var points: [[(x: Double, y: Double)]]
  /// An estimate of the seconds until all cells are over; nil before there is one.
  private(set) var left: Double?
  /// The index of the chosen cell.
  private(set) var chosen = 0
  private(set) var showsSolved = false
  package var message = ""
  var help: HelpPage?
  package var palette: Palette
  var glyphs: Glyphs
  package var mostGlyphs = Glyphs.braille
  private var size = (columns: 80, rows: 24)

  package init(
    _ table: ExperimentTable, _ phases: [CellPhase], palette: Palette = .okabe, glyphs: Glyphs = .braille
  ) {
    precondition(phases.count == table.cells.count)
    self.table = table
    self.phases = phases
    points = table.cells.map { _ in [] }
    self.palette = palette
    self.glyphs = glyphs
    showsSolved = !table.until.isEmpty
  }

  static let staying: ExperimentRequest? = nil
  static let leaving: ExperimentRequest? = .leave

  static let keys = ScreenKeys<ExperimentAction>([
    ScreenKeys.KeyRow(
      [
        (.left, .left), (.right, .right), (.up, .up), (.down, .down), (.character("h"), .left),
        (.character("l"), .right),
        (.character("k"), .up), (.character("j"), .down),
      ], shown: "← → ↑ ↓", label: "choose", "choose a cell (also h, l, k, j)"),
    ScreenKeys.KeyRow(
      [(.enter, .open), (.character("o"), .open)], shown: "enter", label: "open", "show the chosen cell's run (also o)"),
    ScreenKeys.KeyRow(
      [(.character("m"), .chart)], label: "chart",
      "show the share of runs that solved the task, or the chosen setting's curves"),
    ScreenKeys.KeyRow(
      [(.character("q"), .leave)], label: "stop", "save and stop all runs in training; the same command continues"),
    ScreenKeys.KeyRow([(.character("?"), .help)], label: "help", "show the keys"),
    ScreenKeys.KeyRow([(.escape, .stay)], "close what is open; esc never stops the experiment"),
  ]).withRuns(.runs).withLooks(.palette, .glyphs, .redraw)

  // MARK: News

  /// Sets the results and the progress of all cells. `left`: an estimate of the remaining seconds.
  package mutating func take(_ table: ExperimentTable, _ phases: [CellPhase], left: Double?) {
    (self.table, self.phases, self.left) = (table, phases, left)
  }

  /// Replaces the evaluations of a cell.
  package mutating func take(_ evaluations: [Evaluation], of cell: Int) {
    let samples = Double(table.cells[cell].recipe.samplesPerStep)
    points[cell] = evaluations.compactMap { evaluation in
      evaluation.number(named: metric).map { (Double(evaluation.step) * samples, $0) }
    }
  }

  private var metric: String { table.metrics.first ?? "" }

  /// The run's name of the chosen cell.
  package var chosenName: String { table.cells[chosen].name }

  // MARK: Keys

  package mutating func fit(columns: Int, rows: Int) { size = (columns, rows) }

  var lastPicture: Canvas { draw(size: size) }

  mutating func choose(_ meaning: ClickMeaning, value: Double?) {
    if case .row(let index) = meaning, phases.indices.contains(index) { chosen = index }
  }

  mutating func press(_ key: Key) -> ExperimentRequest? { dispatch(key) }

  func refusal(of deed: ExperimentAction) -> String? {
    switch deed {
    case .chart: table.until.isEmpty ? "this experiment has no stop.until: nothing is solved" : nil
    case .open: phases[chosen] == .waiting ? "this cell has not begun" : nil
    case .runs: "foretop in another terminal lists all runs; this screen trains the experiment's"
    default: nil
    }
  }

  mutating func perform(_ deed: ExperimentAction) -> ExperimentRequest? {
    let across = table.seeds.count
    switch deed {
    case .left: chosen = max(chosen - 1, chosen / across * across)
    case .right: chosen = min(chosen + 1, (chosen / across + 1) * across - 1)
    case .up: chosen = chosen >= across ? chosen - across : chosen
    case .down: chosen = chosen + across < phases.count ? chosen + across : chosen
    case .open: return .open(chosenName)
    case .chart: showsSolved.toggle()
    case .palette: changePalette()
    case .glyphs: changeGlyphs()
    case .help: help = HelpPage()
    case .leave: return .leave
    case .stay: message = "q stops the experiment"
    // Refused: the screen belongs to the process that trains.
    case .runs, .redraw: break
    }
    return nil
  }

  // MARK: What is drawn

  /// The first metric over rows trained on, a curve per cell of the chosen setting.
  var chart: ChartData {
    let setting = table.cells[chosen].setting
    let curves = table.cells.indices.filter { table.cells[$0].setting == setting && !points[$0].isEmpty }.map { cell in
      ChartData.DataCurve(
        "seed \(table.cells[cell].recipe.seed)", xs: points[cell].map(\.x), ys: points[cell].map(\.y))
    }
    return ChartData(title: table.rows[setting].name, xLabel: "samples", yLabel: metric, curves: curves)
  }
}
