// Draws the compare screen: curves, and below them as many tables as fit.
import Run
import TerminalUI

extension CompareScreen {
  /// Draws for a terminal of any size; changes nothing.
  package func draw(size: (columns: Int, rows: Int)) -> Canvas {
    picture(size, name: "compare", notes: Self.words) { canvas in
      if let metricList {
        drawMetricList(metricList, on: &canvas)
      } else if let keyList {
        drawKeyList(scroll: keyList.scroll, on: &canvas)
      } else if canvas.rows < 8 || canvas.columns < 30 {
        drawSmall(on: &canvas)
      } else {
        drawWhole(on: &canvas)
      }
    }
  }

  private static let words =
    "Runs whose recipes differ only in the seed are one line: the mean, with the standard deviation as a band. All lines are "
    + "compared with one line, which tab chooses. “reaches”: where a line first reaches the value that this one has at the "
    + "cursor, and how much earlier or later that is. “best”, of a line that is alone: its best value, and where it first was."

  private func drawWhole(on canvas: inout Canvas) {
    let (header, rest) = canvas.bounds.splitTop(1)
    let (middle, footer) = rest.splitTop(rest.rows - 1)
    // A line of its own below the boxes, where messages come too.
    let hint = middle.rows >= 8 ? comparison.tokenizerHint : nil
    let (body, hintLine) = middle.splitTop(middle.rows - (hint == nil ? 0 : 1))
    if let hint, message.isEmpty { canvas.write(hint, style: Style(.warning), line: 0, of: hintLine.inset(columns: 1)) }
    drawHeader(in: header.inset(columns: 1), on: &canvas)
    let bar = footer.inset(columns: 1)
    drawKeys(in: bar, on: &canvas)

    // The chart beside the readings has a share of a high screen.
    let hasSecond = body.columns >= Self.columnsOfTwo && comparison.lines.count > 1
    let readingRows = max(comparison.lines.count + 3, hasSecond ? min(body.rows / 4, 24) : 0)
    let allRows = comparison.differences.count + 4
    var chart = body
    // The chart keeps at least half; the readings come first, then what differs.
    if body.rows - readingRows >= max(9, body.rows / 2) {
      var lower: Rectangle
      // The recipe keys take what the chart leaves, if that is enough for some of them.
      let room = min(body.rows - readingRows - max(10, body.rows / 2), max(body.rows / 4, 3) + 2)
      let keyRows = min(allRows, room)
      let hasKeys = !isAlone && keyRows >= min(allRows, 5)
      (chart, lower) = body.splitTop(body.rows - readingRows - (hasKeys ? keyRows : 0))
      if hasKeys {
        let (middle, keys) = lower.splitTop(readingRows)
        drawDifferingKeys(in: keys, on: &canvas)
        lower = middle
      }
      drawLower(lower, hint: hasKeys ? "" : keysHint, on: &canvas)
    }
    let title = showsDifference ? "difference from \(comparison.lines[comparison.against].name)" : comparison.yTitle
    let inside = canvas.box(chart, title: title, notes: chartNotes)
    drawChart(in: inside, isDifference: showsDifference, hasLegend: true, on: &canvas)
    draw(message: message, above: footer, on: &canvas)
  }

  /// What the legend's values and differences mean.
  private var chartNotes: [String] {
    let mean = comparison.runs.count > comparison.lines.count ? ["mean ± s.d. of seeds"] : []
    guard comparison.lines.count > 1, let common = comparison.common else { return mean }
    let place = "difference at \(comparison.axis.figure(common, of: comparison.metric))"
    return [(mean + [place]).joined(separator: " · ")] + mean
  }

  /// The least width for a chart beside the readings.
  private static let columnsOfTwo = 100

  /// Draws the readings and, if there is room, a small chart of the other kind beside them.
  /// - Parameter hint: a note on the readings' box.
  private func drawLower(_ area: Rectangle, hint: String, on canvas: inout Canvas) {
    guard area.columns >= Self.columnsOfTwo, area.rows >= 6 else {
      return drawReadings(in: area, hint: hint, on: &canvas)
    }
    let (left, right) = area.splitLeft(area.columns - min(max(readingsWidth, 44), area.columns - 36))
    let title = showsDifference ? comparison.yTitle : "difference from \(comparison.lines[comparison.against].name)"
    let inside = canvas.box(left, title: title)
    drawChart(in: inside, isDifference: !showsDifference, hasLegend: false, on: &canvas)
    drawReadings(in: right, hint: hint, on: &canvas)
  }

  private func drawHeader(in area: Rectangle, on canvas: inout Canvas) {
    let names = comparison.lines.map(\.name).joined(separator: " · ")
    func piece(_ word: String, _ value: String, _ rank: Int) -> Dashboard.Piece {
      Dashboard.Piece(long: [Span(word + " "), Span(value, .bold)], short: [Span(value, .bold)], rank: rank)
    }
    var pieces = [
      Dashboard.Piece("foretop", .faint, rank: 7), Dashboard.Piece("compare", .bold, rank: 1),
    ]
    let room = max(area.columns - 60, area.columns / 3)
    pieces.append(
      Dashboard.Piece(
        long: [Span(names.cut(to: max(room, 10)))], short: [Span(names.cut(to: max(room / 2, 8)))], rank: 4))
    pieces.append(piece(isAlone ? "over" : "equal", comparison.axis.rawValue, 0))
    pieces.append(piece("y", comparison.metric.label, 2))
    if comparison.metric.isSmoothed { pieces.append(piece("smooth", Smoothing.figure(comparison.smoothing), 5)) }
    if !live.isEmpty { pieces.append(Dashboard.Piece(long: [Self.liveSpan], short: [Self.liveSpan], rank: 6)) }
    canvas.write(Dashboard.fitting(pieces, in: area.columns), line: 0, of: area)
  }

  private static let liveSpan = StateWord.span(of: "training")

  /// Draws one line of text per run, if there is no room for a chart.
  private func drawSmall(on canvas: inout Canvas) {
    let hasFooter = canvas.rows >= 3
    let (body, footer) = canvas.bounds.splitTop(canvas.rows - (hasFooter ? 1 : 0))
    var lines = comparison.lines.indices.map { line -> [Span] in
      let value = place.flatMap { comparison.value(line, at: $0) }
      let difference = place.flatMap { comparison.difference(line, at: $0) }
      var spans = [Span(String(pen(line).sign(glyphs)), pen(line).style), Span(" ")]
      let number = value.map { figure($0.mean) } ?? "–"
      let change = line == comparison.against ? "" : difference.map(differenceFigure) ?? ""
      let room = body.columns - 3 - number.width - (change.isEmpty ? 0 : change.width + 1)
      spans += [Span(comparison.lines[line].name.cut(to: max(room, 3)).padded(to: max(room, 3)) + " ")]
      spans += [Span(number, .bold), Span(change.isEmpty ? "" : " " + change, .faint)]
      return spans
    }
    if !message.isEmpty { lines.insert([Span(message, Style(.warning, .bold))], at: 0) }
    for (index, line) in lines.prefix(body.rows).enumerated() { canvas.write(line, line: index, of: body) }
    guard hasFooter else { return }
    drawKeys(in: footer, on: &canvas)
  }

  // MARK: Words and looks

  func pen(_ line: Int) -> LinePen { LinePen(line) }

  /// A line's value at a place as text; with aligned values, their cost.
  func figure(_ value: Double) -> String {
    comparison.axis == .loss ? comparison.axis.costFigure(value) : comparison.metric.figure(value)
  }

  func differenceFigure(_ value: Double) -> String {
    comparison.axis == .loss ? CompareAxis.percent(value) : comparison.metric.difference(value)
  }

  /// Writes a dim sentence in the middle of a panel that has nothing to show.
  func drawNothing(_ text: String, in inside: Rectangle, on canvas: inout Canvas) {
    let lines = text.wrapped(to: inside.columns)
    let top = max((inside.rows - lines.count) / 2, 0)
    for (index, line) in lines.enumerated() {
      canvas.write(
        line, style: .faint, line: top + index, of: inside, indent: max((inside.columns - line.width) / 2, 0))
    }
  }
}
