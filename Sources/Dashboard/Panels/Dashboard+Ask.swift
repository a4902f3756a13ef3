// The ask panel: the predictions after a text of the user's own. It shows NTP's probabilities, one token per MTP head and TOP's
// ranking. The prompt for the text shows the same below itself.
import Run
import TerminalUI

extension Dashboard {
  /// Width of the labels at the left of the lines, in columns.
  private static var margin: Int { 7 }

  func drawAsk(in rectangle: Rectangle, on canvas: inout Canvas) {
    let inside = frame(.ask, notes: answers.last.map { answerNotes($0) } ?? [], in: rectangle, on: &canvas)
    guard let answer = answers.last else {
      return drawNothing("t asks: type a text and see what the heads expect after it", in: inside, on: &canvas)
    }
    draw(answer, in: inside, on: &canvas)
  }

  private func answerNotes(_ answer: TextAnswer) -> [String] {
    let step = "step \(Figure.grouped(answer.step))"
    return answers.before.map { ["\(step) · before: step \(Figure.grouped($0.step))", step] } ?? [step]
  }

  // MARK: The answer

  private func draw(_ answer: TextAnswer, in inside: Rectangle, on canvas: inout Canvas) {
    let expectation = answer.expectation
    let isTable = inside.rows >= 7 && inside.columns >= 36
    let indent = isTable ? Self.margin : 0
    let room = inside.columns - indent
    let further = furtherLines(expectation.further, columns: room)
    let soon = TokenText.wrapped(
      expectation.ranking.enumerated().map { place, token in
        [Span("\(place + 1) ", .faint), Span(TokenText.label(token), Style(.second))]
      }, to: room)
    guard isTable else { return drawLines(expectation, further, soon, in: inside, on: &canvas) }

    canvas.write("after", style: .faint, line: 0, of: inside)
    canvas.write(TokenText.context(expectation.context, columns: room), line: 0, of: inside, indent: indent)
    // MTP and TOP have at least a line each; NTP's table takes the rest.
    var (furtherRows, soonRows) = (min(further.count, 1), min(soon.count, 1))
    var left = inside.rows - 2 - furtherRows - soonRows
    let rows = min(expectation.next.count, max(left - (furtherRows + soonRows > 0 ? 1 : 0), 1))
    left -= rows + 1
    if soonRows > 0, left > 0, soon.count > 1 { (soonRows, left) = (2, left - 1) }
    if furtherRows > 0, left > 0 { furtherRows = min(further.count, 1 + left) }
    var line = drawChoices(expectation.next.prefix(rows), from: 1, in: inside, on: &canvas)
    if line + furtherRows + soonRows < inside.rows { line += 1 }
    draw(further, most: furtherRows, beside: "then", line: &line, indent: indent, in: inside, on: &canvas)
    draw(soon, most: soonRows, beside: "soon", line: &line, indent: indent, in: inside, on: &canvas)
  }

  /// Draws NTP's choices with their probabilities now and in the answer before.
  /// - Returns: the line after them.
  private func drawChoices(
    _ choices: ArraySlice<Expectation.Choice>, from first: Int, in inside: Rectangle, on canvas: inout Canvas
  ) -> Int {
    guard !choices.isEmpty else { return first }
    let before = answers.before?.expectation.next ?? []
    let width = min(max(choices.map { TokenText.label($0.token).width }.max() ?? 0, 6), inside.columns / 3)
    let column = Self.margin + width + 2
    let hasBefore = !before.isEmpty && inside.columns >= column + 22
    let bars = min(inside.columns - column - 6 - (hasBefore ? 9 : 0), 40)
    var header = "p".padded(to: 5, .right)
    if hasBefore { header += "before".padded(to: 9, .right) }
    canvas.write("next", style: .faint, line: first, of: inside)
    canvas.write(header, style: .faint, line: first, of: inside, indent: column)
    let longest = Double(choices.map(\.probability).max() ?? 1)
    for (index, choice) in choices.enumerated() {
      let line = first + 1 + index
      let style = index == 0 ? Style(.first, .bold) : Style(.first)
      let label = TokenText.label(choice.token).cut(to: width)
      canvas.write(label, style: style, line: line, of: inside, indent: Self.margin)
      var spans = [Span(Figure.share(Double(choice.probability), 3).padded(to: 5, .right), .bold)]
      if hasBefore {
        let old = before.first { $0.token == choice.token }.map { Figure.share(Double($0.probability), 3) } ?? "–"
        spans.append(Span(old.padded(to: 9, .right), .faint))
      }
      let end = canvas.write(spans, line: line, of: inside, indent: column)
      guard bars >= 4, longest > 0 else { continue }
      canvas.bar(
        Double(choice.probability) / longest, columns: bars, style: Style(.first), column: end + 1,
        row: inside.row + line, in: inside, glyphs: glyphs)
    }
    return first + 1 + choices.count
  }

  /// Draws the answer in one line per head, for a low panel.
  private func drawLines(
    _ expectation: Expectation, _ further: [[Span]], _ soon: [[Span]], in inside: Rectangle, on canvas: inout Canvas
  ) {
    let next = expectation.next.flatMap {
      [Span(TokenText.label($0.token), Style(.first)), Span(" \(Figure.share(Double($0.probability)))  ")]
    }
    var lines = inside.rows >= 3 ? [TokenText.context(expectation.context, columns: inside.columns)] : []
    if !next.isEmpty { lines.append(next) }
    for all in [further, soon] {
      if let first = all.first { lines.append(first + (all.count > 1 ? [Span(" …", .faint)] : [])) }
    }
    for (index, line) in lines.prefix(inside.rows).enumerated() { canvas.write(line, line: index, of: inside) }
  }

  // MARK: The prompt

  func draw(_ prompt: AskPrompt, on canvas: inout Canvas) {
    let columns = min(94, max(canvas.columns - 8, 16))
    let inside = canvas.dialog("ask", columns: columns, rows: min(20, max(canvas.rows - 4, 1)))
    let start = canvas.write("text   ", style: .faint, line: 0, of: inside)
    let shown = prompt.text.cutFront(to: max(inside.end - start - 1, 1))
    let end = canvas.write(
      [Span(shown, prompt.isLast ? Style(.plain, [.bold, .reverse]) : .bold)], line: 0, of: inside,
      indent: start - inside.column)
    if end < inside.end {
      canvas.put(" ", style: Style(.plain, .reverse), column: end, row: inside.row)
      canvas.cursor = (end, inside.row)
    }
    guard inside.rows >= 3 else {
      guard inside.rows == 2 else { return }
      let last = inside.splitTop(1).1
      if let answer = answers.last, prompt.problem.isEmpty {
        return draw(answer, in: last, on: &canvas)
      }
      canvas.write(promptNote(prompt), line: 0, of: last)
      return
    }
    let hasAir = inside.rows >= 9
    let (_, rest) = inside.splitTop(hasAir ? 2 : 1)
    // An error has as many lines as it needs.
    let problem = Array(prompt.problem.wrapped(to: inside.columns).prefix(max(rest.rows - 1, 1)))
    let (middle, bottom) = rest.splitTop(rest.rows - max(problem.count, 1) - (hasAir ? 1 : 0))
    if problem.count > 1 {
      for (index, line) in problem.enumerated() {
        canvas.write(line, style: Style(.bad, .bold), line: bottom.rows - problem.count + index, of: bottom)
      }
    } else {
      canvas.write(promptNote(prompt), line: bottom.rows - 1, of: bottom)
    }
    guard let answer = answers.last else {
      return drawNothing(
        "NTP predicts the next token, each MTP head a token further ahead, and TOP ranks the tokens that come soon",
        in: middle, on: &canvas)
    }
    draw(answer, in: middle, on: &canvas)
  }

  /// The line below the prompt: the possible keys, an error, or what the screen waits for.
  private func promptNote(_ prompt: AskPrompt) -> [Span] {
    if !prompt.problem.isEmpty { return [Span(prompt.problem, Style(.bad, .bold))] }
    if awaitsAnswer {
      return [Span(steers ? "asked: answered between two steps …" : "the checkpoint is being read …", Style(.warning))]
    }
    var spans = [Span("enter", .accent), Span(" ask   "), Span("esc", .accent), Span(" close")]
    if prompt.isLast { spans += [Span("   " + glyphs.keys("→"), .accent), Span(" edit")] }
    if asksCheckpoints, let step = askedStep(prompt) {
      spans += [Span("   pgup pgdn", .accent), Span(" checkpoint: step \(Figure.grouped(step))")]
    }
    if let answer = answers.last { spans.append(Span("   answer of step \(Figure.grouped(answer.step))", .faint)) }
    return spans
  }

  /// The step of the checkpoint that answers a prompt.
  func askedStep(_ prompt: AskPrompt) -> Int? {
    let index = checkpoints.count - 1 - prompt.checkpoint
    return checkpoints.indices.contains(index) ? checkpoints[index] : nil
  }
}
