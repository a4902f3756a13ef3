// The losses panel: a chart of every head's training and held-out losses, with a legend.
import Run
import TerminalUI

extension Dashboard {
  /// The pen of a head's line, from the head's row in `HeadKind`; heads of one kind have shades of one colour.
  /// - Parameter farthest: the largest distance of the heads on the chart.
  static func pen(_ head: Head, farthest: Int = Head.most) -> Pen {
    let look = head.look
    let role: Role =
      switch look.colour {
      case .first: .first
      case .second: .second
      case .third: .third
      case .fourth: .fourth
      }
    let place = head.isNumbered ? 1 + (head.number - 2) * (Tone.farthest - 1) / max(farthest - 2, 4) : look.tone
    return Pen(
      style: Style(role, tone: Tone(place: place)), dash: look.dash.map { Pen.Dash(on: $0.on, off: $0.off) },
      symbol: look.symbol)
  }

  func pen(_ head: Head) -> Pen {
    Self.pen(head, farthest: (history.tracks.map(\.head) + history.evaluations.heads).map(\.number).max() ?? Head.most)
  }

  /// The pen of a line: what is beside a head's loss has the head's colour, and a pattern of its own.
  func pen(_ track: History.LossTrack) -> Pen {
    let own = pen(track.head)
    return switch track.quantity {
    case .loss: own
    case .trained: Pen(style: own.style, dash: Pen.Dash(on: 5, off: 2), symbol: "-")
    case .entropy: Pen(style: own.style, dash: Pen.Dash(on: 2, off: 4), symbol: ",")
    }
  }

  /// The line in a legend.
  static func sign(_ track: History.LossTrack) -> String {
    switch track.quantity {
    case .loss: track.head.look.sign
    case .trained: "╌"
    case .entropy: "╍"
    }
  }

  static func sign(_ kind: Mark.Meaning) -> (character: Character, label: String, style: Style) {
    switch kind {
    case .diverged: ("×", "not finite", Style(.bad, .bold))
    case .alert: ("⚑", "alert", Style(.bad, .bold))
    case .rate: ("▲", "rate", Style(.accent, .bold))
    case .weight: ("△", "weight", Style(.accent, .bold))
    case .pause: ("‖", "pause", Style(.warning, .bold))
    case .resumed: ("▸", "resumed", Style(.good, .bold))
    case .saved: ("◆", "saved", Style(.plain, .bold))
    case .branch: ("↳", "branch", Style(.accent, .bold))
    }
  }

  /// True if the layout shows the line of this name on the chart of the losses.
  func shows(_ name: String) -> Bool {
    guard let series = layout.settings.series else {
      return name.hasPrefix("loss/") || name.hasPrefix("trained/")
        || name == heldOutHeads.first.map { "held-out/\($0.name)" }
    }
    return series.contains { name.matches($0) }
  }

  private var heldOutHeads: [Head] { history.evaluations.heads }

  /// The losses that the layout shows.
  var shownTracks: [History.LossTrack] { history.chartTracks.filter { shows($0.name) } }

  /// The heads whose held-out losses the layout shows; the first evaluated head if the layout names none of the evaluated ones.
  var shownHeldOut: [Head] {
    let heads = heldOutHeads
    let shown = heads.filter { shows("held-out/\($0.name)") }
    return shown.isEmpty ? Array(heads.prefix(1)) : shown
  }

  func drawLosses(in rectangle: Rectangle, on canvas: inout Canvas) {
    let smooth = history.smoothing > 0 ? "smooth \(Smoothing.figure(history.smoothing))" : "raw"
    let y = (isLogarithmic ? "y log" : "y linear") + (chart.showsWholeRange ? ", whole" : "")
    let zoom = chart.zoom > 0 ? " · 1/\(Figure.short(Double(1 << chart.zoom))) of x" : ""
    let inside = frame(
      .losses,
      notes: [
        "x \(axis.label)\(zoom) · \(y) · \(smooth)", "x \(axis.label)\(zoom) · \(smooth)", "x \(axis.label)\(zoom)",
      ], in: rectangle, on: &canvas)
    guard history.count > 0 else { return drawStart(in: inside, on: &canvas) }
    let axisRows = inside.rows >= 6 ? 2 : inside.rows >= 5 ? 1 : 0
    let legend = lossLegend(columns: inside.columns, rows: inside.rows, axisRows: axisRows)
    var (area, below) = inside.splitTop(inside.rows - legend.below.count)
    for (index, line) in legend.below.enumerated() { canvas.write(line, line: index, of: below) }
    below = Rectangle(column: 0, row: 0, columns: 0, rows: 0)
    if legend.isAtEdge { area.columns -= legend.edgeWidth }
    if !area.isEmpty { drawChart(in: area, axisRows: axisRows, legend: legend, on: &canvas) }
    if inside.row > rectangle.row { drawMarks(on: &canvas, edge: rectangle) }
  }

  /// Draws the key to the x axis's marks on the lower edge of the box.
  private func drawMarks(on canvas: inout Canvas, edge rectangle: Rectangle) {
    var spans: [Span] = []
    let edge = Rectangle(
      column: rectangle.column + 2, row: rectangle.bottom - 1, columns: rectangle.columns - 4, rows: 1)
    for kind in history.marks.kinds {
      let sign = Self.sign(kind)
      let entry = [Span(" "), Span(String(sign.character), sign.style), Span(" " + sign.label + " ", .faint)]
      // Rarer marks come first.
      if spans.width + entry.width <= edge.columns { spans += entry }
    }
    canvas.write(spans, line: 0, of: edge, .right)
  }

  /// As long as there are fewer steps, the y axis has a least range, as a share of the losses.
  private static let fewSteps = 10
  private static let leastRange = 0.02

  private func drawChart(in area: Rectangle, axisRows: Int, legend: LossLegend, on canvas: inout Canvas) {
    let rows = area.rows - axisRows
    let x = visibleX
    let tracks = shownTracks.map { (track: $0, pen: pen($0)) }
    let heldOut = shownHeldOut.map { (head: $0, style: Style(.third, .bold)) }
    // A first estimate of the plot's width; the final one depends on the numbers beside it, and these on the visible part of
    // the lines.
    let whole = LossChart(
      history, axis: axis, x: x, width: max(area.columns - 7, 1) * glyphs.points.across, tracks: tracks,
      heldOut: heldOut)
    guard rows > 0, var bounds = whole.bounds(isWhole: chart.showsWholeRange) else {
      return drawNothing("no finite loss yet", in: area, on: &canvas)
    }
    // The first few losses hardly differ: they are shown near each other, with short numbers beside them.
    if history.count < Self.fewSteps {
      let least = max(abs(bounds.low), abs(bounds.high)) * Self.leastRange
      let missing = max(least - (bounds.high - bounds.low), 0) / 2
      bounds = (bounds.low - missing, bounds.high + missing)
    }
    let down = glyphs.points.down
    let range = Scale(from: bounds.low, to: bounds.high, isLogarithmic: isLogarithmic)
    guard let (y, left, columns) = canvas.drawEvenScale(range, rows: rows, points: down, in: area) else { return }
    var plot = Plot(columns: columns, rows: rows, glyphs: glyphs)
    let lines =
      plot.width == whole.width
      ? whole
      : LossChart(history, axis: axis, x: x, width: plot.width, tracks: tracks, heldOut: heldOut)
    // In ASCII, bands and lines have characters of their own.
    lines.draw(y, hasShades: hasShades || glyphs == .ascii, on: &plot)
    let plotArea = Rectangle(column: left, row: area.row, columns: columns, rows: rows)
    drawCursor(x, in: plotArea, on: &canvas)
    plot.draw(on: &canvas, column: left, row: area.row)
    canvas.note(.chart(x), in: plotArea)
    if axisRows > 0 {
      let below = Rectangle(column: area.column, row: area.row + rows, columns: area.columns, rows: axisRows)
      drawAxis(x, left: left, columns: columns, in: below, on: &canvas)
    }
    if legend.isAtEdge {
      let edge = Rectangle(column: area.end, row: area.row, columns: legend.edgeWidth, rows: rows)
      drawEdge(legend, y, in: edge, on: &canvas)
    }
    if let entry = legend.read { drawReadings(at: entry, legend, in: plotArea, on: &canvas) }
  }

  static func drawBand(_ series: Series, _ ranges: [Range<Int>], _ y: Scale, _ style: Style, _ plot: inout Plot) {
    for (column, range) in ranges.enumerated() where !range.isEmpty {
      let summary = series.summary(of: range)
      guard summary.count > 0 else { continue }
      plot.band(
        x: column, from: plot.height - 1 - y.point(of: Double(summary.maximum), among: plot.height),
        to: plot.height - 1 - y.point(of: Double(summary.minimum), among: plot.height), style: style)
    }
  }

  static func drawLine(_ series: Series, _ ranges: [Range<Int>], _ y: Scale, _ pen: Pen, _ plot: inout Plot) {
    let height = plot.height
    LossChart.drawLine(
      ranges.map { $0.isEmpty ? nil : series.summary(of: $0).mean },
      { height - 1 - y.point(of: $0, among: height) }, pen,
      isThick: plot.glyphs == .braille && plot.rows >= 6, &plot)
  }
}
