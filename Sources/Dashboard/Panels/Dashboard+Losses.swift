// The losses: every head and what is held out on one chart, smoothed lines over raw bands, with numbers on both axes.
import Run
import TerminalUI

extension Dashboard {
  /// How a head's line looks, as its row of the table of heads says.
  static func pen(_ head: Head) -> Pen {
    let look = head.look
    let role: Role =
      switch look.colour {
      case .first: .first
      case .second: .second
      case .third: .third
      case .fourth: .fourth
      }
    return Pen(style: Style(role), dash: look.dash.map { Pen.Dash(on: $0.on, off: $0.off) }, symbol: look.symbol)
  }

  static func sign(_ kind: Mark.Meaning) -> (character: Character, label: String, style: Style) {
    switch kind {
    case .rate: ("▲", "rate", Style(.accent, .bold))
    case .weight: ("△", "weight", Style(.accent, .bold))
    case .saved: ("◆", "saved", Style(.plain, .bold))
    case .pause: ("‖", "pause", Style(.warning, .bold))
    case .diverged: ("×", "not finite", Style(.bad, .bold))
    case .branch: ("↳", "branch", Style(.accent, .bold))
    }
  }

  private func shows(_ name: String) -> Bool {
    guard let series = layout.settings.series else {
      return name.hasPrefix("loss/") || name == heldOutHeads.first.map { "held-out/\($0.name)" }
    }
    return series.contains { name.matches($0) }
  }

  private var heldOutHeads: [Head] { history.evaluations.heads }

  /// The losses that the layout shows.
  private var shownTracks: [History.LossTrack] { history.tracks.filter { shows("loss/\($0.head.name)") } }

  /// The held-out losses that the layout shows; the first there is when it names none of those there are.
  private var shownHeldOut: [Head] {
    let heads = heldOutHeads
    let shown = heads.filter { shows("held-out/\($0.name)") }
    return shown.isEmpty ? Array(heads.prefix(1)) : shown
  }

  func drawLosses(in rectangle: Rectangle, on canvas: inout Canvas) {
    let smooth =
      history.smoothing > 0 ? "smooth \(Figure.fixed(history.smoothing, history.smoothing > 0.99 ? 3 : 2))" : "raw"
    let y = isLogarithmic ? "y log" : "y linear"
    let inside = frame(
      .losses, notes: ["x \(axis.label) · \(y) · \(smooth)", "x \(axis.label) · \(smooth)", "x \(axis.label)"],
      in: rectangle, on: &canvas)
    guard history.count > 0 else { return drawStart(in: inside, on: &canvas) }
    let legendRows = inside.rows >= 4 ? 1 : 0
    let axisRows = inside.rows >= 6 ? 2 : inside.rows >= 5 ? 1 : 0
    let (chart, legend) = inside.splitTop(inside.rows - legendRows)
    if !chart.isEmpty { drawChart(in: chart, axisRows: axisRows, on: &canvas) }
    if legendRows > 0 { drawLegend(in: legend, on: &canvas) }
    if inside.row > rectangle.row { drawMarks(on: &canvas, edge: rectangle) }
  }

  /// What the marks on the x axis mean, on the lower edge of the box.
  private func drawMarks(on canvas: inout Canvas, edge rectangle: Rectangle) {
    var spans: [Span] = []
    for kind in history.marks.kinds {
      let sign = Self.sign(kind)
      spans += [Span(" "), Span(String(sign.character), sign.style), Span(" " + sign.label + " ", .faint)]
    }
    let edge = Rectangle(
      column: rectangle.column + 2, row: rectangle.bottom - 1, columns: rectangle.columns - 4, rows: 1)
    if !spans.isEmpty, spans.width <= edge.columns { canvas.write(spans, line: 0, of: edge, .right) }
  }

  /// Before the first step: what the run is doing.
  private func drawStart(in inside: Rectangle, on canvas: inout Canvas) {
    var lines: [[Span]] = []
    if let beginning {
      lines.append([Span(beginning.name, .bold), Span(phase == .starting ? "  is being set up" : "", .faint)])
      lines.append([])
      if !beginning.corpus.isEmpty { lines.append([Span(beginning.corpus)]) }
      lines.append([
        Span(
          "\(Figure.short(Double(beginning.parameters))) parameters, \(beginning.precision), "
            + Figure.threads(beginning.threads))
      ])
      lines.append([
        Span(
          "\(Figure.grouped(beginning.recipe.steps)) steps of \(Figure.grouped(beginning.recipe.tokensPerStep)) tokens")
      ])
      if beginning.step > 0 { lines.append([Span("goes on from step \(Figure.grouped(beginning.step))")]) }
    } else {
      lines.append([Span("foretop", .bold), Span("  is setting up the run", .faint)])
    }
    lines.append([])
    let room = max(inside.rows - lines.count - 1, 1)
    for entry in log.suffix(room) { lines.append([Span("· " + entry.text, entry.style)]) }
    switch phase {
    case .starting: lines.append([Span("the chart begins with the first step …", .faint)])
    case .ended: lines.append([Span("the run ended before its first step", .faint)])
    case .training, .paused: lines.append([Span("no step is stored yet", .faint)])
    }
    if lines.count > inside.rows { lines = Array(lines.filter { !$0.isEmpty }.suffix(inside.rows)) }
    let width = lines.map(\.width).max() ?? 0
    let indent = max((inside.columns - width) / 2, 0)
    let top = (inside.rows - lines.count) / 2
    for (index, line) in lines.enumerated() { canvas.write(line, line: top + index, of: inside, indent: indent) }
  }

  private func drawLegend(in legend: Rectangle, on canvas: inout Canvas) {
    // All numbers of the legend are as smooth as its lines.
    var entries: [[Span]] = shownTracks.map { track in
      let pen = Self.pen(track.head)
      var spans = [
        Span(track.head.look.sign, Style(pen.style.role, .bold)), Span(" \(track.head.name) "),
        Span(Figure.loss(track.smoothed), Style(pen.style.role, .bold)),
      ]
      if let last = history.last?.losses.first(where: { $0.head == track.head }), let kl = last.kl {
        // The loss less its floor, the entropy of the targets, which no network changes.
        spans.append(Span(" (kl \(Figure.loss(track.smoothed - Double(last.loss - kl))))", .faint))
      }
      return spans
    }
    for head in shownHeldOut {
      guard let loss = history.evaluations[.loss(head)]?.last else { continue }
      let name = shownHeldOut.count > 1 || head != .ntp ? " held-out \(head.name) " : " held-out "
      entries.append([
        Span(String(head.look.heldOutSign), Style(.third, .bold)), Span(name),
        Span(Figure.loss(Double(loss)), Style(.third, .bold)),
      ])
    }
    if let last = history.last, history.tracks.count > 1, legend.columns >= 64 {
      let total = last.losses.reduce(0) { sum, loss in
        sum + Double(loss.weight) * (history.tracks.first { $0.head == loss.head }?.smoothed ?? .nan)
      }
      entries.append([Span("total ", .faint), Span(Figure.loss(total))])
    }
    // What does not fit is left out from the end: first the total.
    var gap = 3
    func width() -> Int { entries.reduce(0) { $0 + $1.width } + gap * max(entries.count - 1, 0) }
    while width() > legend.columns, gap > 2 { gap -= 1 }
    if width() > legend.columns {
      // The divergence is a detail of the loss before it: it goes before what is held out does.
      entries = entries.map { entry in entry.filter { !$0.text.hasPrefix(" (kl") } }
    }
    while width() > legend.columns, entries.count > 1 { entries.removeLast() }
    canvas.write(Array(entries.joined(separator: [Span(String(repeating: " ", count: gap))])), line: 0, of: legend)
  }

  private func drawChart(in chart: Rectangle, axisRows: Int, on canvas: inout Canvas) {
    let tracks = shownTracks
    let heldOut = shownHeldOut
    let plotRows = chart.rows - axisRows
    guard let y = lossScale(tracks, heldOut), plotRows > 0 else {
      return drawNothing("no finite loss yet", in: chart, on: &canvas)
    }
    guard let (left, columns) = canvas.drawScale(y, rows: plotRows, in: chart) else { return }
    let x = Scale(from: firstX, to: history.end(axis))
    var plot = Plot(columns: columns, rows: plotRows, glyphs: glyphs)
    let ranges = history.places.ranges(axis, x, plot.width)
    let covered = history.places.ranges(axis, x, plot.width, covering: true)
    if let left = history.left {
      let ranges = left.ranges(axis, x, plot.width)
      for track in tracks {
        guard let losses = left.losses(of: track.head) else { continue }
        Self.drawLine(losses.smooth, ranges, y, Pen(style: .faint, symbol: "·"), &plot)
      }
    }
    for track in tracks { Self.drawBand(track.losses.raw, covered, y, &plot) }
    for track in tracks.reversed() { Self.drawLine(track.losses.smooth, ranges, y, Self.pen(track.head), &plot) }
    let evaluations = history.evaluations.places.ranges(axis, x, plot.width)
    for (column, range) in evaluations.enumerated() where !range.isEmpty {
      for head in heldOut {
        guard let loss = history.evaluations[.loss(head)]?.summary(of: range).mean else { continue }
        plot.mark(
          x: column, y: plot.height - 1 - y.point(of: loss, among: plot.height), head.look.heldOutSign,
          style: Style(.third, .bold))
      }
    }
    for (index, range) in ranges.enumerated() where !range.isEmpty {
      guard tracks.contains(where: { $0.losses.raw.summary(of: range).bad > 0 }) else { continue }
      plot.mark(x: index, y: 0, "×", style: Style(.bad, .bold))
    }
    plot.draw(on: &canvas, column: left, row: chart.row)
    if axisRows > 0 {
      let axisArea = Rectangle(column: chart.column, row: chart.row + plotRows, columns: chart.columns, rows: axisRows)
      drawAxis(x, left: left, columns: columns, in: axisArea, on: &canvas)
    }
  }

  /// From the lowest to the highest value that is drawn; nil when nothing is finite.
  private func lossScale(_ tracks: [History.LossTrack], _ heldOut: [Head]) -> Scale? {
    var low = Float.infinity
    var high = -Float.infinity
    let left = tracks.compactMap { track in
      history.left.flatMap { left in
        left.losses(of: track.head).map { $0.smooth.summary(of: left.start..<$0.smooth.count) }
      }
    }
    let summaries =
      tracks.map(\.losses.raw.summary) + left + heldOut.compactMap { history.evaluations[.loss($0)]?.summary }
    for summary in summaries {
      low = min(low, summary.minimum)
      high = max(high, summary.maximum)
    }
    guard low <= high else { return nil }
    return Scale(from: Double(low), to: Double(high), isLogarithmic: isLogarithmic)
  }

  static func drawBand(_ series: Series, _ ranges: [Range<Int>], _ y: Scale, _ plot: inout Plot) {
    for (column, range) in ranges.enumerated() where !range.isEmpty {
      let summary = series.summary(of: range)
      guard summary.count > 0 else { continue }
      plot.band(
        x: column, from: plot.height - 1 - y.point(of: Double(summary.maximum), among: plot.height),
        to: plot.height - 1 - y.point(of: Double(summary.minimum), among: plot.height), style: .faint)
    }
  }

  static func drawLine(_ series: Series, _ ranges: [Range<Int>], _ y: Scale, _ pen: Pen, _ plot: inout Plot) {
    var before: (x: Int, y: Int)?
    for (column, range) in ranges.enumerated() where !range.isEmpty {
      guard let mean = series.summary(of: range).mean else { continue }
      let point = (x: column, y: plot.height - 1 - y.point(of: mean, among: plot.height))
      plot.line(from: before ?? point, to: point, pen)
      before = point
    }
  }
}
