// Draws two tables: the values of all lines at the cursor, and the recipe keys that differ.
import Run
import TerminalUI

extension CompareScreen {
  func drawReadings(in area: Rectangle, on canvas: inout Canvas) {
    let words = place.map { "\(comparison.axis.figure($0, of: comparison.metric)) \(unitWord)" } ?? ""
    let inside = canvas.box(area, title: "at the cursor" + (words.isEmpty ? "" : ": " + words))
    guard let place else { return drawNothing("there are no values yet", in: inside, on: &canvas) }
    let rows = readings(at: place)
    // Columns that do not fit are left out, from the right.
    var columns = rows[0].indices.map { column in rows.map { $0[column].width }.max() ?? 0 }
    let names = min(columns[0], max(inside.columns / 3, 8))
    columns[0] = names
    var shown = columns.count
    func width(_ count: Int) -> Int { 2 + columns[..<count].reduce(0, +) + 3 * (count - 1) }
    while shown > 2, width(shown) > inside.columns { shown -= 1 }
    for (index, row) in rows.enumerated() {
      var spans: [Span] = []
      if index > 0 {
        let look = pen(index - 1)
        spans.append(Span(String(look.sign(glyphs)) + " ", look.style))
      } else {
        spans.append(Span("  "))
      }
      for (column, cell) in row[..<shown].enumerated() {
        let isName = column == 0
        let text = isName ? cell.cut(to: names).padded(to: names) : cell.padded(to: columns[column], .right)
        let style: Style = index == 0 ? .faint : column == 1 ? .bold : .plain
        spans.append(Span((isName ? "" : "   ") + text, style))
      }
      canvas.write(spans, line: index, of: inside)
    }
  }

  /// The width of a box that shows all readings.
  var readingsWidth: Int {
    guard let place else { return 0 }
    let rows = readings(at: place)
    return rows[0].indices.reduce(6) { width, column in width + 3 + (rows.map { $0[column].width }.max() ?? 0) } - 3
  }

  private var unitWord: String {
    switch comparison.axis {
    case .step: "steps"
    case .tokens: "tokens"
    case .time: "of training"
    case .loss: comparison.metric.label
    }
  }

  /// A header, and one row per line.
  private func readings(at place: Double) -> [[String]] {
    let values = comparison.lines.indices.map { comparison.value($0, at: place) }
    func value(_ line: Int) -> String {
      guard let value = values[line] else { return "–" }
      return figure(value.mean) + (value.deviation.map { " ± " + figure($0) } ?? "")
    }
    func difference(_ line: Int) -> String {
      guard line != comparison.against, let difference = comparison.difference(line, at: place) else { return "" }
      return differenceFigure(difference)
    }
    if comparison.axis == .loss {
      return [["", "tokens", "difference"]]
        + comparison.lines.indices.map { [comparison.lines[$0].name, value($0), difference($0)] }
    }
    let span = visible.map { $0.last - $0.first } ?? 1
    let unit = Scale.step(for: max(span, 1), parts: 10)
    let target = values[comparison.against]?.mean
    let header = [
      "", "now", "difference", "slope/\(comparison.axis.figure(unit, of: comparison.metric))",
      target.map { "reaches \(comparison.metric.figure($0))" } ?? "reaches it", "",
    ]
    return [header]
      + comparison.lines.indices.map { line in
        let slope = comparison.lines[line].curve.slope(at: place, over: span / 20)
        let reached = target.flatMap { comparison.place(line, reaching: $0) }
        let change = target.flatMap { comparison.change(line, reaching: $0, against: comparison.against) }
        return [
          comparison.lines[line].name, value(line), difference(line),
          slope.map { comparison.metric.difference($0 * unit) } ?? "–",
          reached.map(comparison.axis.costFigure) ?? "never",
          line == comparison.against ? "" : change.map(CompareAxis.percent) ?? "",
        ]
      }
  }

  func drawDifferingKeys(in area: Rectangle, on canvas: inout Canvas) {
    let differences = comparison.differences
    let inside = canvas.box(area, title: "what differs", notes: ["\(differences.count) of \(Recipe.fields.count) keys"])
    var rows = [["key"] + comparison.lines.map(\.name)]
    rows += differences.map { [$0.key] + $0.values }
    rows.append(["trained for"] + comparison.lines.map { line in duration(of: line) })
    let room = inside.rows
    if rows.count > room, room > 1 {
      let hidden = rows.count - room + 1
      rows = Array(rows.prefix(room - 1)) + [["… \(hidden) more"]]
    }
    let first = min(rows.map { $0[0].width }.max() ?? 0, inside.columns / 2)
    let lines = max(comparison.lines.count, 1)
    let widest = rows.flatMap { $0.dropFirst() }.map(\.width).max() ?? 0
    let column = min(max(widest, 6), max((inside.columns - first) / lines - 3, 3))
    for (index, row) in rows.enumerated() {
      var spans = [Span(row[0].cut(to: first).padded(to: first), index == 0 ? .faint : .plain)]
      for (line, cell) in row.dropFirst().enumerated() {
        let style = index == 0 ? pen(line).style : .plain
        spans.append(Span("   " + cell.cut(to: column).padded(to: column), style))
      }
      canvas.write(spans, line: index, of: inside)
    }
  }

  /// The mean training time of a line's runs, without pauses.
  private func duration(of line: ComparedLine) -> String {
    MeanDeviation(line.members.map { comparison.runs[$0].active }).map { Figure.duration($0.mean) } ?? ""
  }
}
