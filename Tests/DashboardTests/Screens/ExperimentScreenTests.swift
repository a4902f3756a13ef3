// The screen of an experiment: what its cells say, and what keys ask for.
import Experiments
import Run
import Testing
import TerminalUI

@testable import Dashboard

@Suite struct ExperimentScreenTests {
  private static func evaluation(_ step: Int, path: Float) -> Evaluation {
    Evaluation(
      step: step, tokens: step, time: 0, losses: [HeadLoss(head: .ntp, loss: 1, positions: 1)], paths: [1, path],
      isBest: false, seconds: 0)
  }

  private static func screen() throws -> ExperimentScreen {
    var base = Recipe()
    base.data.kind = .stargraph
    (base.data.graph.length, base.data.graph.nodes) = (2, 30)
    (base.steps, base.evaluate.every) = (200, 100)
    base.stop.until = "accuracy/path >= 0.99"
    let file = try ExperimentFile(
      yaml: "recipe: x\nsettings: {top: {}, ntp: {objective.top: 0}}\nseeds: 2", source: "x", name: "paths")
    let cells = try file.cells(of: base)
    let over = CellReading(state: "finished", events: [.evaluated(evaluation(100, path: 0.995))])
    let results = [CellResult(base, over)] + (1...3).map { _ in CellResult(base, nil) }
    var screen = ExperimentScreen(
      ExperimentTable(file, cells, results), [.over, .training, .waiting, .failed])
    screen.take([evaluation(100, path: 0.995)], of: 0)
    return screen
  }

  private static func text(_ screen: ExperimentScreen, _ columns: Int = 100, _ rows: Int = 30) -> String {
    screen.draw(size: (columns, rows)).text
  }

  @Test func `cells, counts and a chart are shown`() throws {
    let text = try Self.text(Self.screen())
    for words in [
      "experiment paths", "1 of 4 cells", "1 training", "1 failed", "seed 2", "✓ 0.995", "▶ 0 %", "✗ failed",
    ] {
      #expect(text.contains(words), "\(words) is missing:\n\(text)")
    }
    #expect(text.contains("share of runs with accuracy/path >= 0.99"))
  }

  @Test func `keys choose a cell, open it and stop the experiment`() throws {
    var screen = try Self.screen()
    #expect(screen.press(.right) == nil && screen.chosenName == "top-2")
    #expect(screen.press(.right) == nil && screen.chosenName == "top-2")
    #expect(screen.press(.enter) == .open("top-2"))
    #expect(screen.press(.down) == nil && screen.chosenName == "ntp-2")
    #expect(screen.press(.left) == nil && screen.press(.enter) == nil)
    #expect(screen.message.contains("has not begun"))
    #expect(screen.press(.character("m")) == nil && Self.text(screen).contains("accuracy/path of ntp"))
    #expect(screen.press(.character("R")) == nil && screen.message.contains("foretop in another terminal"))
    #expect(screen.press(.character("q")) == .leave)
  }

  @Test(arguments: [(1, 1), (10, 3), (30, 8), (44, 12), (80, 24), (200, 60)]) func `it fits any terminal`(
    columns: Int, rows: Int
  ) throws {
    let canvas = try Self.screen().draw(size: (columns, rows))
    #expect(canvas.columns == columns && canvas.rows == rows)
  }
}
