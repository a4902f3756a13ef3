// The panels of text: generated text, events, and the recipe.
import Run
import TerminalUI

extension Dashboard {
  func drawText(in rectangle: Rectangle, on canvas: inout Canvas) {
    let step = text.map { "step \(Figure.grouped($0.step))" }
    let notes = step.map { refusal(of: .generate) == nil ? ["\($0) · g generate", $0] : [$0] } ?? []
    let inside = frame(.text, notes: notes, in: rectangle, on: &canvas)
    guard let text else {
      let every = beginning?.recipe.sample.every ?? 0
      if isOver { return drawNothing("this run generated no text", in: inside, on: &canvas) }
      return drawNothing(
        every > 0 ? "text comes every \(Figure.grouped(every)) steps, or with g" : "g generates text",
        in: inside,
        on: &canvas)
    }
    let lines = (text.prompt + text.text).wrapped(to: inside.columns)
    let first = min(scroll[.text, default: 0], max(lines.count - inside.rows, 0))
    // The number of cells of the first shown lines that belong to the prompt, which is dim.
    var prompt = max(text.prompt.width - lines.prefix(first).reduce(0) { $0 + $1.width + 1 }, 0)
    for (index, line) in lines.dropFirst(first).prefix(inside.rows).enumerated() {
      let head = String(line.unicodeScalars.prefix(prompt))
      let tail = String(line.unicodeScalars.dropFirst(prompt))
      canvas.write([Span(head, .faint), Span(tail)], line: index, of: inside)
      prompt = max(prompt - line.width - 1, 0)
    }
    canvas.noteHidden(first..<min(first + inside.rows, lines.count), of: lines.count, in: rectangle, inside)
  }

  func drawEvents(in rectangle: Rectangle, on canvas: inout Canvas) {
    let offset = scroll[.events, default: 0]
    let filter = eventFilter == .all ? [] : ["f: \(eventFilter.rawValue)"]
    let inside = frame(
      .events, notes: offset > 0 ? ["↓ \(offset) newer"] + filter : filter, in: rectangle, on: &canvas)
    guard !inside.isEmpty else { return }
    var newest = askedLines(most: max(inside.rows - 2, 1), columns: inside.columns)
    let last = message.isEmpty ? hint : message
    if !last.isEmpty { newest.append([Span(last, Style(.warning, .bold))]) }
    if newest.count > inside.rows { newest = Array(newest.suffix(inside.rows)) }

    let room = inside.rows - newest.count
    let log = shownLog
    let end = max(log.count - offset, min(log.count, room))
    let shown = shownEntries(log, end: end, room: room)
    if shown.isEmpty && newest.isEmpty { return drawNothing("nothing has happened yet", in: inside, on: &canvas) }
    let digits = shown.filter(\.hasStep).map { Figure.grouped($0.step).width }.max() ?? 1
    var lines: [[Span]] = []
    for entry in shown.reversed() where lines.count < room {
      // An entry for whose end there is no room shows how it begins.
      lines = self.lines(of: entry, digits: digits, columns: inside.columns, most: room - lines.count) + lines
    }
    for (index, line) in (lines + newest).enumerated() { canvas.write(line, line: index, of: inside) }
  }

  private static let askedIndent = "         "

  /// What was asked and is not answered yet, the newest last: as few lines as possible, so that what was asked pushes no alert out.
  private func askedLines(most: Int, columns: Int) -> [[Span]] {
    var wishes: [(text: String, count: Int)] = []
    for text in asked.map(\.wish) {
      if wishes.last?.text == text { wishes[wishes.count - 1].count += 1 } else { wishes.append((text, 1)) }
    }
    let indent = columns < 50 ? "" : Self.askedIndent
    var lines: [(text: String, count: Int)] = []
    for wish in wishes {
      let text = wish.count > 1 ? "\(wish.text) ×\(wish.count)" : wish.text
      if let last = lines.last, (indent + last.text + " · " + text).width <= columns {
        lines[lines.count - 1] = ("\(last.text) · \(text)", last.count + wish.count)
      } else {
        lines.append((Asked.word + text, wish.count))
      }
    }
    let hidden = lines.dropLast(most).reduce(0) { $0 + $1.count }
    return lines.suffix(most).enumerated().map { index, line in
      let before = index == 0 && hidden > 0 ? "  (and \(hidden) before)" : ""
      return [Span(indent), Span(line.text + before, Style(.warning, .bold))]
    }
  }

  /// The entries up to one, as many as there is room for. What a person did last, or an alert, stays on top where evaluations would push
  /// it out.
  private func shownEntries(_ log: [LogLine], end: Int, room: Int) -> [LogLine] {
    let shown = Array(log[max(end - room, 0)..<end])
    func stays(_ line: LogLine) -> Bool { line.kind == .person || line.kind == .alert }
    guard eventFilter == .all, end == log.count, room >= 2, !shown.contains(where: stays),
      let last = log.last(where: stays)
    else { return shown }
    return [last] + shown.dropFirst()
  }

  /// The lines of an entry of the log: one, or all of an alert or a refusal, and of any entry where the panel has the whole screen;
  /// at most `most` lines, the last of which ends with `…` if text is omitted.
  private func lines(of entry: LogLine, digits: Int, columns: Int, most: Int) -> [[Span]] {
    var start: [Span] = []
    if columns >= 38 { start.append(Span(Figure.clock(entry.time, secondsFromGMT: secondsFromGMT) + "  ", .faint)) }
    if columns >= 50 {
      let step = entry.hasStep ? "step " + Figure.grouped(entry.step).padded(to: digits, .right) : ""
      start.append(Span(step.padded(to: "step ".width + digits) + "  ", .faint))
    }
    let room = columns - start.width
    guard isFullScreen || entry.isReadWhole, room >= 20, entry.text.width > room else {
      return [start + [Span(entry.text, entry.style)]]
    }
    let gap = [Span(String(repeating: " ", count: start.width))]
    return entry.text.wrapped(to: room, most: most).enumerated().map { index, text in
      (index == 0 ? start : gap) + [Span(text, entry.style)]
    }
  }

  /// The shown lines of the log. Of the saves that nobody asked for, the newest stands for all before it.
  var shownLog: [LogLine] {
    switch eventFilter {
    case .userActions: return log.filter { $0.kind == .person || $0.kind == .alert }
    case .evaluations: return log.filter { $0.kind == .evaluation }
    case .saves: return log.filter(\.isSave)
    case .all:
      guard let newest = log.lastIndex(where: { $0.kind == .saved }) else { return log }
      let older = log[..<newest].count { $0.kind == .saved }
      guard older > 0 else { return log }
      var shown = log
      shown[newest].text += "  (and \(Figure.grouped(older)) before)"
      var index = -1
      shown.removeAll { line in
        index += 1
        return index < newest && line.kind == .saved
      }
      return shown
    }
  }

  func drawRecipe(in rectangle: Rectangle, on canvas: inout Canvas) {
    let inside = frame(
      .recipe, notes: beginning.map { ["\(Figure.short(Double($0.parameters))) parameters"] } ?? [], in: rectangle,
      on: &canvas)
    guard !recipeLines.isEmpty, !inside.isEmpty else {
      return drawNothing("the recipe comes with the run", in: inside, on: &canvas)
    }
    let width = (recipeLines.map(\.width).max() ?? 0) + 3
    let across = max(min((inside.columns + 3) / max(width, 1), 6), 1)
    let room = inside.rows * across
    let first = min(scroll[.recipe, default: 0], max(recipeLines.count - room, 0))
    // Columns of nearly equal height.
    let down = recipeLines.count <= room ? (recipeLines.count + across - 1) / across : inside.rows
    for (index, text) in recipeLines.dropFirst(first).prefix(room).enumerated() {
      let area = Rectangle(
        column: inside.column + index / down * width, row: inside.row,
        columns: min(width - 2, inside.end - inside.column - index / down * width), rows: inside.rows)
      guard let colon = text.firstIndex(of: ":") else {
        canvas.write(text, line: index % down, of: area)
        continue
      }
      canvas.write(
        [Span(String(text[...colon]), .faint), Span(String(text[text.index(after: colon)...]))], line: index % down,
        of: area)
    }
    canvas.noteHidden(
      first..<min(first + room, recipeLines.count), of: recipeLines.count, in: rectangle, inside)
  }
}
