// Draws the experiment screen: a header, the table of cells, and a chart below.
import Experiments
import Run
import TerminalUI

extension ExperimentScreen {
  /// Draws the screen for a terminal of any size, without side effects.
  package func draw(size: (columns: Int, rows: Int)) -> Canvas {
    picture(size, name: "experiment", notes: Self.words) { canvas in
      let (header, rest) = canvas.bounds.splitTop(1)
      let (body, footer) = rest.splitTop(rest.rows - 1)
      drawHeader(in: header, on: &canvas)
      let wanted = table.rows.count + 3
      let (cells, chart) = body.splitTop(body.rows >= 16 ? min(wanted, body.rows / 2) : body.rows)
      drawCells(in: canvas.box(cells, title: "cells", isFocused: true), on: &canvas)
      if chart.rows >= 5 { drawChart(in: chart, on: &canvas) }
      drawFooter(in: footer, message: message, typing: nil, on: &canvas)
    }
  }

  private static let words =
    "Each cell is a run: a setting with a seed. · waits, ▶ trains (how far it is), ✓ solved the task or took its last step (its "
    + "value), ✗ failed or diverged. When the experiment is stopped or killed, the same command goes on with the runs as they are."

  private func drawHeader(in area: Rectangle, on canvas: inout Canvas) {
    let over = table.results.count(where: \.isOver)
    var pieces = [
      Dashboard.Piece("foretop", .faint, rank: 5),
      Dashboard.Piece(
        long: [Span("experiment "), Span(table.name.harmlessLine, .bold)],
        short: [Span(table.name.harmlessLine, .bold)], rank: 1),
    ]
    func add(_ text: String, _ style: Style, _ rank: Int) {
      pieces.append(Dashboard.Piece(text, style, rank: rank))
    }
    add("\(over) of \(phases.count) cells", .plain, 0)
    let training = phases.count { $0 == .training }
    if training > 0 { add("\(training) training", Style(.good, .bold), 2) }
    let failed = phases.count { $0 == .failed }
    if failed > 0 { add("\(failed) failed", Style(.bad, .bold), 2) }
    if let left, over < phases.count { add("about \(Figure.duration(left)) left", .plain, 3) }
    drawHeader(pieces, in: area, on: &canvas)
  }

  // MARK: Cells

  private static let cellWidth = 9

  private func drawCells(in inside: Rectangle, on canvas: inout Canvas) {
    let names = min(max(table.rows.map(\.name.width).max() ?? 0, 7), max(inside.columns / 3, 8))
    let across = table.seeds.count
    let room = max((inside.columns - names - 2) / Self.cellWidth, 1)
    let column = chosen % across
    let first = across <= room ? 0 : min(max(column - room / 2, 0), across - room)
    let seeds = first..<min(first + room, across)
    canvas.write(
      [Span("setting".padded(to: names + 2), .faint)]
        + seeds.map { Span("seed \(table.seeds[$0])".cut(to: Self.cellWidth - 1).padded(to: Self.cellWidth), .faint) },
      line: 0, of: inside)
    let rows = max(inside.rows - 1, 1)
    let row = chosen / across
    let top = table.rows.count <= rows ? 0 : min(max(row - rows / 2, 0), table.rows.count - rows)
    for setting in top..<min(top + rows, table.rows.count) {
      var spans = [
        Span(
          table.rows[setting].name.harmlessLine.cut(to: names).padded(to: names + 2), setting == row ? .bold : .plain)
      ]
      for seed in seeds {
        let cell = setting * across + seed
        var span = look(of: cell)
        span.text = span.text.cut(to: Self.cellWidth - 1).padded(to: Self.cellWidth - 1)
        if cell == chosen { span.style.attributes.insert(.reverse) }
        canvas.note(
          .row(cell),
          in: Rectangle(
            column: inside.column + spans.width, row: inside.row + 1 + setting - top, columns: Self.cellWidth, rows: 1))
        spans += [span, Span(" ")]
      }
      let mean = table.rows[setting].values.first.flatMap { $0 }
      if let mean, seeds.upperBound == across {
        spans.append(Span("  " + ExperimentTable.figure(mean.mean, of: table.metrics[0]), .bold))
      }
      canvas.write(spans, line: 1 + setting - top, of: inside)
    }
  }

  private func look(of cell: Int) -> Span {
    let result = table.results[cell]
    switch phases[cell] {
    case .waiting: return Span(result.step > 0 ? "· " + share(of: cell) : "·", .faint)
    case .training: return Span("▶ " + share(of: cell), Style(.accent, .bold))
    case .failed: return Span("✗ failed", Style(.bad, .bold))
    case .diverged: return Span("✗ div.", Style(.bad, .bold))
    case .over:
      let value = table.metrics.first.flatMap { metric in
        result.evaluation?.number(named: metric).map { ExperimentTable.figure($0, of: metric) }
      }
      return Span(
        "\(result.fate == .solved ? "✓" : "■") \(value ?? "")", Style(result.fate == .solved ? .good : .plain))
    }
  }

  private func share(of cell: Int) -> String {
    "\(table.results[cell].step * 100 / max(table.cells[cell].recipe.steps, 1)) %"
  }

  private func drawChart(in area: Rectangle, on canvas: inout Canvas) {
    if showsSolved, let solved = table.solvedChart {
      let inside = canvas.box(area, title: "share of runs with \(table.until)", notes: ["over samples"])
      return solved.draw(in: inside, glyphs: glyphs, on: &canvas)
    }
    let chart = chart
    let inside = canvas.box(area, title: "\(chart.yLabel) of \(chart.title.harmlessLine)", notes: ["over samples"])
    chart.draw(in: inside, glyphs: glyphs, on: &canvas)
  }
}
