// Draws two tables: the values of all lines at the cursor, and the recipe keys that differ.
import Run
import TerminalUI

extension CompareScreen {
  /// - Parameter hint: a note on the box; empty for none.
  func drawReadings(in area: Rectangle, hint: String = "", on canvas: inout Canvas) {
    let words = place.map { "\(comparison.axis.figure($0, of: comparison.metric)) \(unitWord)" } ?? ""
    let title = "at the cursor" + (words.isEmpty ? "" : ": " + words)
    let inside = canvas.box(area, title: title, notes: [hint])
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
      if comparison.lines.count == 1 { return [["", "tokens"], [comparison.lines[0].name, value(0)]] }
      return [["", "tokens", "difference"]]
        + comparison.lines.indices.map { [comparison.lines[$0].name, value($0), difference($0)] }
    }
    let span = visible.map { $0.last - $0.first } ?? 1
    let unit = Scale.step(for: max(span, 1), parts: 10)
    let slopeTitle = "slope/\(comparison.axis.figure(unit, of: comparison.metric))"
    func slope(_ line: Int) -> String {
      let slope = comparison.lines[line].curve.slope(at: place, over: span / 20)
      return slope.map { comparison.metric.difference($0 * unit) } ?? "–"
    }
    // One line has its best value in the place of differences from others.
    if comparison.lines.count == 1 {
      return [
        ["", "now", slopeTitle, "best", "at"],
        [
          comparison.lines[0].name, value(0), slope(0), comparison.best(0).map { figure($0.mean) } ?? "–",
          comparison.bestPlace(0).map { comparison.axis.costFigure($0.mean) } ?? "–",
        ],
      ]
    }
    let target = values[comparison.against]?.mean
    let header = [
      "", "now", "difference", slopeTitle, target.map { "reaches \(comparison.metric.figure($0))" } ?? "reaches it", "",
    ]
    return [header]
      + comparison.lines.indices.map { line in
        let reached = target.flatMap { comparison.place(line, reaching: $0) }
        let change = target.flatMap { comparison.change(line, reaching: $0, against: comparison.against) }
        return [
          comparison.lines[line].name, value(line), difference(line), slope(line),
          reached.map(comparison.axis.costFigure) ?? "never",
          line == comparison.against ? "" : change.map(CompareAxis.percent) ?? "",
        ]
      }
  }

  /// Says which key shows the recipe keys that differ; empty if none do.
  var keysHint: String {
    let count = comparison.differences.count
    return count == 0 ? "" : count == 1 ? "1 key differs: w" : "\(count) keys differ: w"
  }

  /// A header, a row per recipe key that differs, and the times of training.
  private var keyRows: [[String]] {
    [["key"] + comparison.lines.map(\.name)] + comparison.differences.map { [$0.key] + $0.values }
      + [["trained for"] + comparison.lines.map { line in duration(of: line) }]
  }

  private var keyNotes: [String] { ["\(comparison.differences.count) of \(Recipe.fields.count) keys"] }

  /// Draws the recipe keys that differ; if there is too little room, the first of them, and how to see all.
  func drawDifferingKeys(in area: Rectangle, on canvas: inout Canvas) {
    let inside = canvas.box(area, title: "what differs", notes: keyNotes)
    let rows = keyRows
    guard rows.count > inside.rows, inside.rows > 1 else { return drawKeyRows(rows, in: inside, on: &canvas) }
    drawKeyRows(Array(rows.prefix(inside.rows - 1)), in: inside, on: &canvas)
    let hidden = comparison.differences.count - (inside.rows - 2)
    let words = hidden > 0 ? "… \(hidden) more: w shows all" : "w shows all"
    canvas.write(words, style: .faint, line: inside.rows - 1, of: inside)
  }

  /// Draws all recipe keys that differ over the whole canvas.
  /// - Parameter scroll: the number of keys scrolled past.
  func drawKeyList(scroll: Int, on canvas: inout Canvas) {
    canvas.clear(canvas.bounds)
    let hasBox = canvas.rows >= 5 && canvas.columns >= 24
    let notes = keyNotes.map { $0 + " · esc closes" } + ["esc closes"]
    var inside = canvas.bounds
    if hasBox { inside = canvas.box(canvas.bounds, title: "what differs", notes: notes, isFocused: true) }
    let (header, all) = (Array(keyRows.prefix(1)), Array(keyRows.dropFirst()))
    let room = max(inside.rows - 1, 0)
    let first = min(scroll, max(all.count - room, 0))
    drawKeyRows(header + all.dropFirst(first).prefix(room), in: inside, on: &canvas)
    guard hasBox else { return }
    canvas.noteHidden(
      first..<min(first + room, all.count), of: all.count, in: canvas.bounds, inside, style: .accent)
  }

  /// The number of keys that the list can be scrolled by.
  func keyListExtent(rows: Int) -> Int { max(comparison.differences.count + 1 - max(rows - 3, 1), 0) }

  /// - Parameter rows: a header and further rows.
  private func drawKeyRows(_ rows: [[String]], in inside: Rectangle, on canvas: inout Canvas) {
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
