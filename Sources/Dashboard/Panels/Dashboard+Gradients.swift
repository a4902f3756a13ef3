// The gradients panel: the gradient's norm before clipping over the run, and the clipping norm.
import Run
import TerminalUI

extension Dashboard {
  func drawGradients(in rectangle: Rectangle, on canvas: inout Canvas) {
    let inside = frame(
      .gradients, notes: ["norm before clipping · x \(axis.label)", "x \(axis.label)"], in: rectangle, on: &canvas)
    let norms = history.gradientNorm
    guard norms.count > 0 else { return drawNothing("norms come with the first step", in: inside, on: &canvas) }
    let (left, table) = splitGradients(inside)
    if let table { drawGroups(in: table, on: &canvas) }
    drawNorms(norms, in: left, on: &canvas)
  }

  private func drawNorms(_ norms: Series, in inside: Rectangle, on canvas: inout Canvas) {
    let (chart, below) = inside.splitTop(inside.rows - (inside.rows >= 4 ? 1 : 0))
    canvas.write(gradientLine(columns: below.columns), line: 0, of: below)
    let axisRows = chart.rows >= 6 ? 2 : chart.rows >= 4 ? 1 : 0
    let rows = chart.rows - axisRows
    guard rows > 0, norms.summary.count > 0 else {
      return drawNothing("no finite norm yet", in: chart, on: &canvas)
    }
    let y = gradientScale(norms)
    guard let (left, columns) = canvas.drawScale(y, rows: rows, in: chart) else { return }
    let x = visibleX
    var plot = Plot(columns: columns, rows: rows, glyphs: glyphs)
    if let clip, clip <= y.upper, clip >= y.lower {
      let level = plot.height - 1 - y.point(of: clip, among: plot.height)
      let pen = Pen(style: Style(.warning), dash: Pen.Dash(on: 3, off: 3), symbol: "-")
      plot.line(from: (0, level), to: (plot.width - 1, level), pen)
    }
    let pen = Pen(style: Style(.fourth), symbol: "*")
    Self.drawBand(norms, history.places.ranges(axis, x, plot.width, covering: true), y, pen.style.behind, &plot)
    Self.drawLine(norms, history.places.ranges(axis, x, plot.width), y, pen, &plot)
    plot.draw(on: &canvas, column: left, row: chart.row)
    canvas.note(.chart(x), in: Rectangle(column: left, row: chart.row, columns: columns, rows: rows))
    guard axisRows > 0 else { return }
    let area = Rectangle(column: chart.column, row: chart.row + rows, columns: chart.columns, rows: axisRows)
    drawAxis(x, left: left, columns: columns, in: area, on: &canvas)
  }

  /// The clipping norm; nil without clipping.
  private var clip: Double? {
    guard let clip = beginning?.recipe.optimizer.clip, clip > 0 else { return nil }
    return clip
  }

  /// From the smallest norm to a few times the usual one. A spike of the first steps is cut off at the upper edge.
  private func gradientScale(_ norms: Series) -> Scale {
    let summary = norms.summary
    let usual = max((summary.mean ?? 1) * 4, (clip ?? 0) * 1.25)
    return Scale(
      from: isLogarithmic ? Double(summary.minimum) : 0, to: min(Double(summary.maximum), usual),
      isLogarithmic: isLogarithmic)
  }

  /// The newest norm, the share of the last steps that were clipped, and the mean if there is room.
  private func gradientLine(columns: Int) -> [Span] {
    guard let last = history.last else { return [] }
    let recent = history.recent(256)
    let norm = [Span("norm "), Span(Figure.norm(Double(last.gradientNorm)), Style(.fourth, .bold))]
    let mean = history.gradientNorm.summary(of: recent).mean.map {
      [Span("   mean ", .faint), Span(Figure.norm($0))]
    }
    var clipping = [Span("   not clipped", .faint)]
    if let clip {
      let single = max(recent.lowerBound, history.gradientNorm.summedUp)..<recent.upperBound
      let clipped = single.count { Double(history.gradientNorm.values[$0]) > clip }
      clipping = [Span("   clip ", .faint), Span(Figure.factor(clip), Style(.warning))]
      if !single.isEmpty {
        let share = 100 * Double(clipped) / Double(single.count)
        clipping.append(Span("   \(Figure.fixed(share, 0)) % clipped", .faint))
      }
    }
    let all = norm + (mean ?? []) + clipping
    return all.width <= columns ? all : norm + clipping
  }
}
