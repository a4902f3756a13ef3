// Draws the curves of a comparison, or their differences from one curve, with the cursor and a legend.
import Run
import TerminalUI

extension CompareScreen {
  /// A line's values at the columns of a plot.
  private struct Sampled {
    let line: Int
    var values: [Double?]
    var deviations: [Double?]
  }

  /// Draws a chart into the inside of a box.
  func drawChart(
    in inside: Rectangle, isDifference: Bool, hasLegend: Bool, hasCursor: Bool = true, on canvas: inout Canvas
  ) {
    guard let visible else { return drawNothing("there are no values yet", in: inside, on: &canvas) }
    let axisRows = inside.rows >= 6 ? 2 : inside.rows >= 4 ? 1 : 0
    let rows = inside.rows - axisRows
    // If smaller values are on the right, the plot's axis is reversed.
    let x = isMirrored ? Scale(from: -visible.last, to: -visible.first) : Scale(from: visible.first, to: visible.last)
    guard rows > 0 else { return }
    // The columns beside the widest possible numbers, since the scale depends on the visible part of the curves.
    let samples = sampled(x, columns: max(inside.columns, 2) * glyphs.points.across, isDifference: isDifference)
    guard let range = scale(samples, isDifference: isDifference) else {
      let isApart = isDifference && comparison.common == nil
      let words = isApart ? "the lines have no place in common yet" : "there are no values in this part"
      return drawNothing(words, in: inside, on: &canvas)
    }
    let down = glyphs.points.down
    guard let (y, left, columns) = canvas.drawEvenScale(range, rows: rows, points: down, in: inside) else { return }
    var plot = Plot(columns: columns, rows: rows, glyphs: glyphs)
    drawZero(y, isDifference, &plot)
    let lines = sampled(x, columns: plot.width, isDifference: isDifference)
    for line in lines where line.line != comparison.against { draw(line, y, &plot) }
    for line in lines where line.line == comparison.against { draw(line, y, &plot) }
    let cursorColumn = (hasCursor ? place : nil).map { x.point(of: isMirrored ? -$0 : $0, among: columns) }
    let plotArea = Rectangle(column: left, row: inside.row, columns: columns, rows: rows)
    if let cursorColumn { canvas.drawCursor(at: cursorColumn, in: plotArea) }
    plot.draw(on: &canvas, column: left, row: inside.row)
    canvas.note(.chart(x), in: plotArea)
    let area = Rectangle(column: inside.column, row: inside.row + rows, columns: inside.columns, rows: axisRows)
    if axisRows > 0 { drawAxis(x, left: left, columns: columns, cursorColumn, in: area, on: &canvas) }
    if hasLegend { drawLegend(in: plotArea, on: &canvas) }
  }

  private func sampled(_ x: Scale, columns: Int, isDifference: Bool) -> [Sampled] {
    let step = (x.upper - x.lower) / Double(max(columns - 1, 1))
    let places = (0..<columns).map { (isMirrored ? -1.0 : 1) * (x.lower + Double($0) * step) }
    let reference = comparison.lines[comparison.against].curve
    return comparison.lines.indices.compactMap { line in
      // The difference of the reference line from itself is zero.
      if isDifference, line == comparison.against { return nil }
      let curve = comparison.lines[line].curve
      func value(at place: Double) -> Double? {
        guard let value = curve.value(at: place) else { return nil }
        guard isDifference else { return value }
        guard let base = reference.value(at: place) else { return nil }
        return comparison.axis == .loss ? (base > 0 ? (value / base - 1) * 100 : nil) : value - base
      }
      var places = places
      var values = places.map(value)
      if values.allSatisfy({ $0 == nil }) {
        places = Self.snapped(places, by: step / 2, to: [curve.ends, isDifference ? reference.ends : curve.ends])
        values = places.map(value)
      }
      let deviations = isDifference || curve.deviations.isEmpty ? [] : places.map { curve.deviation(at: $0) }
      return Sampled(line: line, values: values, deviations: deviations)
    }
  }

  /// The places of columns, each moved by at most half a column into the part that all ranges have in common, which may be so
  /// short that it lies between two columns.
  private static func snapped(
    _ places: [Double], by half: Double, to ranges: [(first: Double, last: Double)?]
  ) -> [Double] {
    let ends = ranges.compactMap { $0 }
    guard ends.count == ranges.count, let first = ends.map(\.first).max(), let last = ends.map(\.last).min(),
      first <= last
    else { return places }
    return places.map { place in
      let nearest = min(max(place, first), last)
      // The rounding of places must not lose a part that lies in the middle between two columns.
      return abs(nearest - place) <= half * 1.001 ? nearest : place
    }
  }

  /// The range of the drawn values. For differences, it includes zero, and excludes the first tenth if differences are so large there
  /// that all others would be flat.
  private func scale(_ samples: [Sampled], isDifference: Bool) -> Scale? {
    guard var (low, high) = range(of: samples, from: 0) else { return nil }
    if isDifference {
      (low, high) = (min(low, 0), max(high, 0))
      if let later = range(of: samples, from: 0.1), high - low > 3 * (max(later.high, 0) - min(later.low, 0)) {
        (low, high) = (min(later.low, 0), max(later.high, 0))
      }
    }
    if low == high { (low, high) = (low - max(abs(low) * 0.1, 0.01), high + max(abs(high) * 0.1, 0.01)) }
    return Scale(from: low, to: high, isLogarithmic: isLogarithmic && !isDifference)
  }

  /// The lowest and the highest value with its deviation, after a share of the columns; of a line that ends before that, of all.
  private func range(of samples: [Sampled], from share: Double) -> (low: Double, high: Double)? {
    var low = Double.infinity
    var high = -Double.infinity
    for sample in samples {
      let values = sample.values
      let first = Int(Double(values.count) * share)
      for index in values.indices where index >= first || values[first...].allSatisfy({ $0 == nil }) {
        guard let value = values[index] else { continue }
        let deviation = sample.deviations.isEmpty ? 0 : sample.deviations[index] ?? 0
        low = min(low, value - deviation)
        high = max(high, value + deviation)
      }
    }
    return low <= high ? (low, high) : nil
  }

  private func drawZero(_ y: Scale, _ isDifference: Bool, _ plot: inout Plot) {
    guard isDifference, y.lower <= 0, y.upper >= 0 else { return }
    let row = plot.height - 1 - y.point(of: 0, among: plot.height)
    for column in stride(from: 0, to: plot.width, by: 2) { plot.band(x: column, from: row, to: row, style: .faint) }
  }

  private func draw(_ sample: Sampled, _ y: Scale, _ plot: inout Plot) {
    func row(_ value: Double) -> Int { plot.height - 1 - y.point(of: value, among: plot.height) }
    let pen = pen(sample.line)
    for (column, deviation) in sample.deviations.enumerated() {
      guard let deviation, let value = sample.values[column] else { continue }
      plot.band(x: column, from: row(value + deviation), to: row(value - deviation), style: .faint)
    }
    let isThick = glyphs == .braille && plot.rows >= 6
    func below(_ point: (x: Int, y: Int)) -> (x: Int, y: Int) { (point.x, min(point.y + 1, plot.height - 1)) }
    var before: (x: Int, y: Int)?
    var last: (x: Int, y: Int)?
    for (column, value) in sample.values.enumerated() {
      guard let value else {
        before = nil
        continue
      }
      let point = (x: column, y: row(value))
      plot.line(from: before ?? point, to: point, pen.pen)
      // Two dots thick, where dots are small.
      if isThick { plot.line(from: below(before ?? point), to: below(point), pen.pen) }
      (before, last) = (point, point)
    }
    // Each line has marks at its end and at columns of its own.
    let count = max(comparison.lines.count, 1)
    let stretch = max(plot.width / 6, glyphs.points.across * count * 2)
    var column = stretch * (sample.line + 1) / (count + 1)
    while column < plot.width {
      if let value = sample.values[column] {
        plot.mark(x: column, y: row(value), pen.sign(glyphs), style: pen.style)
      }
      column += stretch
    }
    if let last { plot.mark(x: last.x, y: last.y, pen.sign(glyphs), style: pen.style) }
  }

  private func drawAxis(
    _ x: Scale, left: Int, columns: Int, _ cursor: Int?, in area: Rectangle, on canvas: inout Canvas
  ) {
    let shown = isMirrored ? Scale(from: -x.upper, to: -x.lower) : x
    var ticks = shown.ticks(atMost: max(3, columns / 9))
    let axis = comparison.axis
    if axis == .time { ticks = Dashboard.timeTicks(to: shown, atMost: max(2, columns / 10)) }
    if axis == .step || axis == .tokens { ticks = ticks.filter { $0 == $0.rounded() } }
    let labels =
      switch axis {
      case .loss: Figure.labels(ticks)
      case .tokens: Figure.counts(ticks)
      case .time: ticks.map(Dashboard.timeLabel)
      case .step: ticks.map { axis.figure($0, of: comparison.metric) }
      }
    var placed = zip(ticks, labels).map { (place: isMirrored ? -$0 : $0, label: $1) }
    if isMirrored { placed.reverse() }
    // The cursor's place stands between the axis numbers: those that it would cut are left out.
    let words = (cursor == nil ? nil : place).map { " " + axis.figure($0, of: comparison.metric) + " " } ?? ""
    let start = Canvas.labelStart(words, at: left + (cursor ?? 0), from: area.column, in: area)
    if cursor != nil, area.rows > 1 {
      placed.removeAll { tick in
        let column = left + x.point(of: tick.place, among: columns)
        let first = Canvas.labelStart(tick.label, at: column, from: area.column, in: area)
        return first + tick.label.width >= start - 1 && first <= start + words.width + 1
      }
    }
    canvas.drawAxis(x, ticks: placed, left: left, columns: columns, in: area)
    guard let cursor else { return }
    canvas.put("┴", style: .accent, column: left + cursor, row: area.row, in: area)
    guard area.rows > 1 else { return }
    canvas.write(words, style: .accent, column: start, row: area.row + 1, in: area)
  }

  /// Draws the legend, names with marks and values, in the emptiest corner.
  private func drawLegend(in plot: Rectangle, on canvas: inout Canvas) {
    let entries = comparison.lines.indices.map { legend(of: $0, isLong: plot.columns >= 56) }
    let names = entries.map(\.name.width).max() ?? 0
    let values = entries.map(\.value.width).max() ?? 0
    let deviations = entries.map(\.deviation.width).max() ?? 0
    let differences = entries.map(\.difference.width).max() ?? 0
    let nameWidth = min(names, max(plot.columns / 3, 6))
    // The value is that of the line's end, the difference that of a place that all lines reach.
    let place = comparison.common.map { " at " + comparison.axis.figure($0, of: comparison.metric) } ?? ""
    let common = differences > 0 && endsElsewhere ? place : ""
    let width = 2 + nameWidth + 2 + values + deviations + (differences > 0 ? 2 + differences : 0) + common.width
    guard entries.count + 1 <= plot.rows, width + 4 <= plot.columns else { return }
    let size = (columns: width + 2, rows: entries.count)
    let corners = [
      (plot.end - size.columns - 1, plot.row), (plot.column + 2, plot.row),
      (plot.end - size.columns - 1, plot.bottom - size.rows), (plot.column + 2, plot.bottom - size.rows),
    ].map { Rectangle(column: $0.0, row: $0.1, columns: size.columns, rows: size.rows) }
    func dots(_ area: Rectangle) -> Int {
      var count = 0
      for row in area.row..<area.bottom {
        for column in area.column..<area.end where ![" ", "│"].contains(canvas[column, row].character) { count += 1 }
      }
      return count
    }
    let counts = corners.map(dots)
    guard let best = counts.indices.min(by: { counts[$0] < counts[$1] }) else { return }
    let area = corners[best]
    canvas.clear(area)
    for (index, entry) in entries.enumerated() {
      let look = pen(index)
      let difference = entry.difference.isEmpty ? "" : "  " + entry.difference.padded(to: differences, .right) + common
      canvas.write(
        [
          Span(" " + String(look.sign(glyphs)) + " ", look.style),
          Span(entry.name.cut(to: nameWidth).padded(to: nameWidth) + "  "),
          Span(entry.value.padded(to: values, .right), .bold),
          Span(entry.deviation.padded(to: deviations) + difference, .faint),
        ], line: index, of: area)
    }
  }

  /// True if a line goes on after the place up to which all lines go.
  private var endsElsewhere: Bool {
    guard let common = comparison.common else { return false }
    return comparison.lines.contains { line in
      guard let ends = line.curve.ends else { return false }
      return (comparison.axis == .loss && comparison.metric.aim == .low ? ends.first : ends.last) != common
    }
  }

  /// - Parameter isLong: whether there is room for more than the value.
  private func legend(
    of line: Int, isLong: Bool
  ) -> (name: String, value: String, deviation: String, difference: String) {
    let name = comparison.lines[line].name
    let last = comparison.axis == .loss ? comparison.end(line) : comparison.last(line)
    let value = last.map { figure($0.mean) } ?? "–"
    guard isLong else { return (name, value, "", "") }
    let deviation = last?.deviation.map { " ± " + figure($0) } ?? ""
    guard line != comparison.against, let common = comparison.common,
      let difference = comparison.difference(line, at: common)
    else { return (name, value, deviation, "") }
    return (name, value, deviation, differenceFigure(difference))
  }
}
