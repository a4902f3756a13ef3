// Draws the runs screen: the list, and below it the chosen run's chart, checkpoints and events.
import Run
import TerminalUI

extension RunsScreen {
  /// The areas of the screen's parts. `chart` and `side` are empty on a low screen.
  struct RunsArrangement {
    var header, list, chart, side, footer: Rectangle
    /// True if the list has a box and a line of column titles.
    var hasBox: Bool
    var listRows: Int
  }

  func arrangement(_ bounds: Rectangle) -> RunsArrangement {
    let none = Rectangle(column: 0, row: 0, columns: 0, rows: 0)
    let hasBars = bounds.rows >= 3
    let (header, rest) = bounds.splitTop(hasBars ? 1 : 0)
    let (body, footer) = rest.splitTop(rest.rows - (hasBars ? 1 : 0))
    let hasBox = body.rows >= 6 && bounds.columns >= Self.narrow
    var list = body
    var lower = none
    if body.rows >= 18 {
      // The chart takes the rows that a short list does not need.
      let least = min(max(body.rows * 2 / 5, 8), 20)
      (list, lower) = body.splitTop(min(body.rows - least, max(names.count + 3, body.rows / 3)))
    }
    let isWide = bounds.columns >= 100
    let (chart, side) = lower.splitLeft(isWide ? lower.columns * 3 / 5 : lower.columns)
    return RunsArrangement(
      header: header, list: list, chart: chart, side: side, footer: footer, hasBox: hasBox,
      listRows: max(list.rows - (hasBox ? 3 : 0), 0))
  }

  /// Draws the screen for a terminal of any size, without side effects.
  /// - Parameter now: Unix time in seconds.
  package func draw(size: (columns: Int, rows: Int), now: Double) -> Canvas {
    picture(size, name: "runs", notes: Self.words) { canvas in
      let parts = arrangement(canvas.bounds)
      drawHeader(in: parts.header, on: &canvas)
      drawList(parts, now: now, on: &canvas)
      if !parts.chart.isEmpty { drawDetail(in: parts.chart, on: &canvas) }
      if !parts.side.isEmpty { drawSide(in: parts.side, on: &canvas) }
      let typing = [Span("enter", .accent), Span(" lists what matches   "), Span("esc", .accent), Span(" all runs")]
      let isTyping = if case .filter = dialog { true } else { false }
      drawFooter(
        in: parts.footer, message: problem.isEmpty ? message : problem, typing: isTyping ? typing : nil, on: &canvas)
      drawDialog(on: &canvas)
    }
  }

  private static let words =
    "A filter has conditions, as foretop runs --filter: a column, one of = != < <= > >= ~, and a value: state=finished "
    + "best<3 name~kjv schedule.rate=1e-3. Runs that match all conditions are listed. The column loss has the training loss of the "
    + "last step, best the lowest held-out loss, both of the first head. ● is training, … starting, ■ finished, ‖ stopped, ✗ "
    + "diverged, failed or unreadable, ○ interrupted."

  private func drawHeader(in area: Rectangle, on canvas: inout Canvas) {
    let inside = Self.bar(area)
    var pieces = [Dashboard.Piece("foretop", .faint, rank: 7), Dashboard.Piece("runs", .bold, rank: 4)]
    func add(_ text: String, _ style: Style, _ rank: Int) {
      pieces.append(Dashboard.Piece(text, style, rank: rank))
    }
    let count =
      filter.isEmpty ? "\(Figure.grouped(total))" : "\(Figure.grouped(names.count)) of \(Figure.grouped(total))"
    add(count + (total == 1 ? " run" : " runs"), .plain, 0)
    if training > 0 { add("\(training) training", Style(.good, .bold), 2) }
    if !marked.isEmpty { add("\(marked.count) marked", Style(.accent, .bold), 3) }
    if unread > 0 { add("reading \(Figure.grouped(unread)) …", .faint, 5) }
    if case .filter(let text) = dialog {
      let words = text.cutFront(to: max(inside.columns / 2, 6))
      let spans = [Span("filter ", .faint), Span(words, .bold), Span(" ", Style(.plain, .reverse))]
      pieces.append(Dashboard.Piece(long: spans, short: spans, rank: 1))
    } else if !filter.isEmpty {
      let words = filter.cut(to: max(inside.columns / 3, 6))
      pieces.append(
        Dashboard.Piece(long: [Span("filter ", .faint), Span(words, .bold)], short: [Span(words, .bold)], rank: 1))
    }
    drawHeader(pieces, in: area, on: &canvas)
  }

  // MARK: The list

  /// A column of the list.
  private struct ListColumn: Sendable {
    var title: String
    var width: Int
    var isRight: Bool
    /// The column's name for `runs --sort`; empty if the list cannot be sorted by it.
    var sort: String
    /// On a narrow screen, columns with higher ranks are left out first.
    var rank: Int
    var cell: @Sendable (RunRow, Double) -> String
  }

  private static let columns: [ListColumn] = [
    ListColumn(title: "state", width: 13, isRight: false, sort: "state", rank: 1) { row, _ in
      StateWord.look(of: row.state).word
    },
    ListColumn(title: "objective", width: 13, isRight: false, sort: "", rank: 8) { row, _ in row.objective },
    ListColumn(title: "params", width: 7, isRight: true, sort: "parameters", rank: 6) { row, _ in
      row.parameters > 0 ? Figure.short(Double(row.parameters)) : ""
    },
    ListColumn(title: "tokens", width: 7, isRight: true, sort: "tokens", rank: 4) { row, _ in
      row.tokens > 0 ? Figure.short(Double(row.tokens)) : ""
    },
    ListColumn(title: "loss", width: 7, isRight: true, sort: "loss", rank: 2) { row, _ in
      row.last.map(Figure.loss) ?? ""
    },
    ListColumn(title: "best", width: 7, isRight: true, sort: "best", rank: 0) { row, _ in
      row.best.map(Figure.loss) ?? ""
    },
    ListColumn(title: "rate", width: 8, isRight: true, sort: "", rank: 9) { row, _ in row.rate.map(Figure.rate) ?? "" },
    ListColumn(title: "tok/s", width: 7, isRight: true, sort: "", rank: 7) { row, _ in
      row.tokensPerSecond.map { $0.isFinite && $0 > 0 ? Figure.short($0) : "" } ?? ""
    },
    ListColumn(title: "age", width: 8, isRight: true, sort: "changed", rank: 5) { row, now in
      row.state == "training" ? "now" : row.changed.map { Figure.age(now - $0) } ?? ""
    },
    ListColumn(title: tagTitle, width: 8, isRight: false, sort: "", rank: 10) { row, _ in
      row.tags.joined(separator: " ").harmlessLine
    },
  ]

  /// A list with fewer columns has neither a box nor titles.
  private static let narrow = 30

  /// The title of the column of tags, which only a list with tags has.
  private static let tagTitle = "tags"

  /// A run's name; a branch is indented below its parent run.
  private func label(_ name: String) -> String {
    String(repeating: "  ", count: min(depths[name] ?? 0, 8)) + name.harmlessLine
  }

  private func drawList(_ parts: RunsArrangement, now: Double, on canvas: inout Canvas) {
    var inside = parts.list
    if parts.hasBox {
      let turn = isReversed ? "▼" : "▲"
      inside = canvas.box(parts.list, title: "runs", notes: ["sort \(sort) \(turn)"], isFocused: true).inset(
        columns: -1)
    }
    guard !names.isEmpty else {
      let words =
        total == 0
        ? "there are no runs in \(folder) yet: “foretop train” begins one"
        : unread > 0
          ? "looking for runs that match …"
          : "none of \(Figure.grouped(total)) runs matches the filter: / and then esc list all runs"
      canvas.write(words.cut(to: inside.columns), style: .faint, line: inside.rows / 2, of: inside, indent: 1)
      return
    }
    // Leaves out columns by rank until the names have room. The last cell of a row stays empty.
    let shown = self.names[firstRow(in: parts.listRows)...].prefix(parts.listRows)
    let hasTags = shown.contains { rows[$0]?.tags.isEmpty == false }
    var columns = Self.columns.filter { hasTags || $0.title != Self.tagTitle }
    // On a narrow screen, which has no titles, only columns of numbers can stand beside the names, as wide as the widest cell.
    if inside.columns < Self.narrow {
      columns = columns.compactMap { column in
        let widest = shown.compactMap { rows[$0].map { column.cell($0, now).width } }.max() ?? 0
        guard column.isRight, widest > 0 else { return nil }
        var narrowed = column
        narrowed.width = min(column.width, widest)
        return narrowed
      }
    }
    func needed() -> Int { columns.reduce(0) { $0 + $1.width + 2 } }
    let widest = max(shown.map { label($0).width }.max() ?? 0, 8)
    let names = min(widest, 36)
    while !columns.isEmpty, needed() + min(names, inside.columns > 60 ? 20 : 12) + 5 > inside.columns,
      let worst = columns.indices.max(by: { columns[$0].rank < columns[$1].rank })
    {
      columns.remove(at: worst)
    }
    var nameWidth = max(min(names, inside.columns - needed() - 5), 3)
    // The remaining cells go to texts that would be cut, and are spread between the columns then.
    var spare: Int { max(inside.columns - needed() - nameWidth - 5, 0) }
    for index in columns.indices where !columns[index].isRight {
      let cells = shown.compactMap { rows[$0].map { columns[index].cell($0, now).width } }
      columns[index].width += min(max((cells.max() ?? 0) - columns[index].width, 0), spare)
    }
    nameWidth += min(widest - min(widest, nameWidth), spare)
    let gap = 2 + (columns.isEmpty ? 0 : min(spare / columns.count, 3))
    func line(_ name: [Span], _ cells: [Span]) -> [Span] {
      var spans = name
      for (column, cell) in zip(columns, cells) {
        let text = cell.text.cut(to: column.width).padded(to: column.width, column.isRight ? .right : .left)
        spans += [Span(String(repeating: " ", count: gap)), Span(text, cell.style)]
      }
      return spans
    }
    var top = 0
    if parts.hasBox {
      let titles = columns.map { Span($0.title, $0.sort == sort && !sort.isEmpty ? .accent : .faint) }
      let title = Span(("    name").padded(to: nameWidth + 4), sort == "name" ? .accent : .faint)
      canvas.write(line([title], titles), line: 0, of: inside)
      top = 1
    }
    let first = firstRow(in: parts.listRows)
    for (index, name) in self.names[first...].prefix(parts.listRows).enumerated() {
      let row = rows[name]
      let isChosen = first + index == chosen
      let whole = Rectangle(column: inside.column, row: inside.row + top + index, columns: inside.columns, rows: 1)
      canvas.note(.row(first + index), in: whole)
      let state = StateWord.look(of: row?.state ?? "")
      let mark = marked.contains(name)
      let label = label(name).cut(to: nameWidth).padded(to: nameWidth)
      let head = [
        Span(isChosen ? "▸" : " ", .accent), Span(mark ? "✓" : " ", Style(.accent, .bold)),
        Span(row == nil ? "  " : state.sign + " ", state.style), Span(label, isChosen ? .bold : .plain),
      ]
      var cells = columns.map { column -> Span in
        guard let row else { return Span(column.title == "state" ? "…" : "", .faint) }
        return Span(column.cell(row, now), column.title == "state" ? state.style : .plain)
      }
      if let problem = row?.problem, row?.last == nil, !cells.isEmpty {
        // A run with a problem shows the problem instead of its numbers.
        canvas.write(line(head, [cells.removeFirst()]), line: top + index, of: inside)
        let used = 4 + nameWidth + gap + columns[0].width + 2
        canvas.write(problem.harmlessLine, style: .faint, line: top + index, of: inside, indent: used)
      } else {
        canvas.write(line(head, cells), line: top + index, of: inside)
      }
      if isChosen {
        canvas.restyle(whole) { $0.attributes.insert(.bold) }
      }
    }
    // If the list is longer than its box, the box's lower edge has the place of the chosen run: `3 / 120`.
    if parts.hasBox, self.names.count > parts.listRows {
      let words = " \(Figure.grouped(chosen + 1)) / \(Figure.grouped(self.names.count)) "
      let edge = Rectangle(
        column: parts.list.column + 2, row: parts.list.bottom - 1, columns: parts.list.columns - 4, rows: 1)
      canvas.write(words, style: .faint, line: 0, of: edge, .right)
    }
  }

  // MARK: Below the list

  private func drawDetail(in area: Rectangle, on canvas: inout Canvas) {
    guard let name = chosenName else {
      canvas.box(area)
      return
    }
    guard let detail, detail.name == name else {
      let inside = canvas.box(area, title: name.harmlessLine)
      let words = chosenRow?.problem ?? (chosenRow?.state == "starting" ? Self.starting : "reading …")
      for (index, line) in words.harmlessLine.wrapped(to: inside.columns).prefix(inside.rows).enumerated() {
        canvas.write(line, style: .faint, line: index, of: inside)
      }
      return
    }
    let inside = canvas.box(area, title: name.harmlessLine, notes: [detail.comparison.metric.label])
    CompareScreen(detail.comparison, glyphs: glyphs).drawChart(
      in: inside, isDifference: false, hasLegend: false, hasCursor: false, on: &canvas)
  }

  private func drawSide(in area: Rectangle, on canvas: inout Canvas) {
    guard chosenName != nil else {
      canvas.box(area)
      return
    }
    let other = markedName
    let title = other.map { "recipe, against \($0.harmlessLine)" } ?? "recipe"
    let inside = canvas.box(area, title: title)
    var lines: [[Span]] = []
    let bottom = factLines(in: inside)
    let room = max(inside.rows - bottom.count - 1, 0)
    if let one = chosenRow?.recipe, let other, let two = rows[other]?.recipe {
      let all = Self.differences(one, two)
      let keys = all.map(\.key.width).max() ?? 0
      // Where the keys leave too little room for both columns of values, each has half of it at least.
      let space = max(inside.columns - keys - 5, 2)
      let widest = (a: min(all.map { $0.a.width }.max() ?? 0, 16), b: min(all.map { $0.b.width }.max() ?? 0, 16))
      let values = min(widest.a, max(space - widest.b, space / 2))
      for difference in all.prefix(max(room - 1, 0)) {
        lines.append([
          Span(difference.key.padded(to: keys + 3)),
          Span(difference.a.cut(to: values).padded(to: values + 2), .bold),
          Span(difference.b.cut(to: 16), .faint),
        ])
      }
      lines.append([Span("\(all.count) of \(Recipe.fields.count) keys differ", .faint)])
    } else if let one = chosenRow?.recipe {
      let all = Self.differences(one, Recipe()).filter { $0.key != "data.paths" }
      let keys = all.map(\.key.width).max() ?? 0
      for difference in all.prefix(room) {
        lines.append([Span(difference.key.padded(to: keys + 3), .faint), Span(difference.a)])
      }
    } else if chosenRow == nil || other.map({ rows[$0] == nil }) == true {
      lines.append([Span("reading …", .faint)])
    }
    for (index, line) in lines.prefix(room).enumerated() { canvas.write(line, line: index, of: inside) }
    for (index, line) in bottom.enumerated() {
      canvas.write(line, line: inside.rows - bottom.count + index, of: inside)
    }
  }

  /// The lines on the chosen run's checkpoints and events.
  private func factLines(in inside: Rectangle) -> [[Span]] {
    guard let detail, detail.name == chosenName, inside.rows >= 4 else { return [] }
    let steps = detail.checkpoints.map(Figure.grouped)
    var shown = steps[...]
    while shown.count > 1, shown.joined(separator: " · ").width > max(inside.columns - 14, 4) { shown.removeFirst() }
    let saved = (shown.count < steps.count ? "… " : "") + shown.joined(separator: " · ")
    let last = detail.lastEvent.isEmpty ? "" : ", last: " + detail.lastEvent
    let events = Figure.grouped(detail.events) + last
    // A long sentence has a second line where there is room.
    let indent = "checkpoints  "
    let room = max(inside.columns - indent.width, 1)
    let lines = inside.rows >= 10 && events.width > room ? events.wrapped(to: room, most: 2) : [events]
    var facts = [[Span(indent, .faint), Span(steps.isEmpty ? "none" : saved)]]
    for (index, line) in lines.enumerated() {
      facts.append([Span((index == 0 ? "events" : "").padded(to: indent.width), .faint), Span(line)])
    }
    return facts
  }

  /// The recipe keys with different values, and the value of each recipe.
  static func differences(_ one: Recipe, _ other: Recipe) -> [(key: String, a: String, b: String)] {
    Recipe.fields.filter { $0.read(one) != $0.read(other) }.map {
      ($0.key, Comparison.words(of: $0, in: one), Comparison.words(of: $0, in: other))
    }
  }

  // MARK: Dialogs

  private func drawDialog(on canvas: inout Canvas) {
    switch dialog {
    case .remove(let name): drawQuestion(name, on: &canvas)
    case .diff: drawDiff(on: &canvas)
    case .command(let text, let problem, let suggestion): drawCommand(text, problem, suggestion, on: &canvas)
    default: break
    }
  }

  private func drawCommand(_ text: String, _ problem: String, _ suggestion: String, on canvas: inout Canvas) {
    let inside = canvas.dialog("command", columns: min(max(canvas.columns - 8, 16), 90), rows: 3)
    let room = max(inside.columns - 10, 4)
    // What stands behind the cursor is added when the line is run.
    let added = suggestion + addedOption(to: text + suggestion)
    canvas.write(
      [
        Span("foretop ", .faint), Span(text.harmlessLine.cutFront(to: room), .bold),
        Span(added.isEmpty ? " " : String(added.prefix(1)), Style(.plain, .reverse)),
        Span(String(added.dropFirst()), .faint),
      ],
      line: 0, of: inside)
    if text.hasPrefix("train ") {
      canvas.write(
        "--set KEY=VALUE changes a key of the recipe, --name NAME names the run", style: .faint, line: 1, of: inside)
    }
    guard problem.isEmpty else {
      canvas.write(problem, style: Style(.warning), line: 2, of: inside)
      return
    }
    canvas.write(
      [
        Span("enter", .accent), Span(" runs it on this terminal, then the list comes back   "), Span("esc", .accent),
        Span(" stays"),
      ],
      line: 2, of: inside)
  }

  private func drawQuestion(_ name: String, on canvas: inout Canvas) {
    let text = "Remove run “\(name.harmlessLine)” for good, with its checkpoints?"
    let lines = text.wrapped(to: min(60, max(canvas.columns - 8, 10)))
    let inside = canvas.dialog("remove", columns: min(text.width, 60), rows: lines.count + 2)
    for (index, line) in lines.enumerated() { canvas.write(line, style: .bold, line: index, of: inside) }
    canvas.write(
      [Span("y", .accent), Span(" remove   "), Span("any other key", .accent), Span(" keep")], line: inside.rows - 1,
      of: inside)
  }

  private func drawDiff(on canvas: inout Canvas) {
    guard let name = chosenName, let other = markedName else { return }
    guard let one = rows[name]?.recipe, let two = rows[other]?.recipe else { return }
    let all = Self.differences(one, two)
    let keys = max(all.map(\.key.width).max() ?? 0, 3)
    let values = min(max(all.map { max($0.a.width, $0.b.width) }.max() ?? 0, name.width, other.width, 4), 24)
    let rows = min(all.count + 1, max(canvas.rows - 4, 1))
    let inside = canvas.dialog("diff", columns: max(keys + 2 * values + 6, 24), rows: max(rows, 2))
    guard !all.isEmpty else {
      canvas.write("the recipes are the same", line: 0, of: inside)
      return
    }
    let header = "".padded(to: keys + 3)
    canvas.write(
      [
        Span(header), Span(name.harmlessLine.cut(to: values).padded(to: values + 3), .bold),
        Span(other.harmlessLine.cut(to: values), .faint),
      ],
      line: 0, of: inside)
    for (index, difference) in all.prefix(inside.rows - 1).enumerated() {
      canvas.write(
        [
          Span(difference.key.padded(to: keys + 3)), Span(difference.a.cut(to: values).padded(to: values + 3), .bold),
          Span(difference.b.cut(to: values), .faint),
        ], line: index + 1, of: inside)
    }
  }
}
