// Overlays: the help page, prompts and questions. An overlay lies over the panels and takes all keys.
import Run
import TerminalUI

/// An overlay in which something is typed. What cannot be taken stays, with the reason beside it.
protocol TypedPrompt {
  var problem: String { get set }
}

extension TypedPrompt {
  /// The same prompt with the reason why it was not taken.
  func refused(_ error: any Error) -> Self {
    var prompt = self
    prompt.problem = UserError.sentence(of: error)
    return prompt
  }
}

extension Dashboard {
  /// Closes the overlay; returns nil, since no command follows.
  mutating func leaveOverlay() -> Command? {
    overlay = nil
    return nil
  }

  func drawOverlay(on canvas: inout Canvas) {
    switch overlay {
    case .help(let page): drawHelp(page.scroll, on: &canvas)
    case .rate(let text, let problem): drawPrompt(text, problem, on: &canvas)
    case .weights(let prompt): draw(prompt, on: &canvas)
    case .command(let prompt): draw(prompt, on: &canvas)
    case .back(let prompt): draw(prompt, on: &canvas)
    case .course(let prompt): draw(prompt, on: &canvas)
    case .ask(let prompt): draw(prompt, on: &canvas)
    case .confirm(let command):
      drawQuestion("sure?", question(command), [("y", "yes"), ("esc", "leave it")], on: &canvas)
    case .warmup(let rate):
      drawQuestion("the schedule is warming up", "", warmupAnswers(rate), on: &canvas)
    case .quit:
      drawQuestion(
        "quit", "",
        [
          ("s", "stop after saving"), ("d", "continue in the background"), ("a", "abandon: nothing is saved"),
          ("esc", "stay"),
        ], on: &canvas)
    case nil: break
    }
  }

  private func question(_ command: Command) -> String {
    switch command {
    case .rate, .course, .setting: return question(onRate: command)
    case .weight(let change):
      guard let jump = self.jump(by: change) else { return "Do it?" }
      return "weight of \(change.isOfKind ? "each \(change.name) head" : change.name) \(Figure.factor(jump.old)) → "
        + "\(Figure.factor(jump.new)) is a factor of \(Figure.factor(jump.factor)). Take it?"
    default: return "Do it?"
    }
  }

  private func drawQuestion(
    _ title: String, _ text: String, _ answers: [(key: String, text: String)], on canvas: inout Canvas
  ) {
    let widest = max(answers.map { $0.text.width + 6 }.max() ?? 0, 28)
    let columns = text.isEmpty ? widest : max(min(text.width, 60), widest)
    let lines = text.isEmpty ? [] : text.wrapped(to: min(columns, max(canvas.columns - 8, 1)))
    let hasAir = canvas.rows >= answers.count + lines.count + 6
    let gap = lines.isEmpty ? 0 : 1
    let rows = lines.count + answers.count + (hasAir ? 2 + gap : 0)
    let inside = canvas.dialog(title, columns: columns, rows: rows)
    var line = hasAir ? 1 : 0
    for text in lines {
      canvas.write(text, style: .bold, line: line, of: inside)
      line += 1
    }
    if hasAir { line += gap }
    // One line an answer, or all on one line where the dialog is too low.
    if inside.rows - line < answers.count {
      let all = answers.flatMap { [Span($0.key, .accent), Span(" " + $0.text + "  ")] }
      canvas.write(
        all.width <= inside.columns
          ? all : answers.flatMap { [Span($0.key, .accent), Span(" " + $0.text.prefix(7) + " ")] },
        line: min(line, inside.rows - 1), of: inside)
      return
    }
    let width = answers.map(\.key.width).max() ?? 1
    for answer in answers {
      canvas.write([Span(answer.key.padded(to: width), .accent), Span("  " + answer.text)], line: line, of: inside)
      line += 1
    }
  }

  private func drawPrompt(_ text: String, _ problem: String, on canvas: inout Canvas) {
    let room = min(64, max(canvas.columns - 8, 16))
    let now = currentRate.map { "now \(Figure.rate($0))" } ?? ""
    var notes: [Span] = []
    var hints: [[Span]] = []
    if !problem.isEmpty {
      notes = [Span(problem, Style(.bad, .bold))]
    } else if let rate = currentRate, let change = try? RateChange(typed: text) {
      let new = change.applied(to: rate)
      notes = [
        Span("\(Figure.rate(rate)) → "), Span(Figure.rate(new), .bold), Span("  ×\(Figure.factor(new / rate))", .faint),
      ]
      if let goal = ghost.flatMap(goal) { notes.append(Span("  \(goal)", .faint)) }
    } else {
      hints = [now, "a rate: 3e-4", "a factor: x0.5"].filter { !$0.isEmpty }.map { [Span($0, .faint)] }
      notes = Array(hints.joined(separator: [Span.gap(3)]))
    }
    let columns = min(max(notes.width, 40), room)
    let wrapped =
      hints.isEmpty
      ? notes.text.wrapped(to: columns).map { [Span($0, notes[0].style)] }
      : TokenText.wrapped(hints, to: columns, between: Span(" · ", .faint))
    let noteLines = notes.width <= columns ? [notes] : wrapped
    let isTall = canvas.rows >= noteLines.count + 7
    let rows = isTall ? noteLines.count + 4 : 2
    let inside = canvas.dialog("learning rate", columns: columns, rows: rows)
    let top = isTall ? 1 : 0
    let shown = text.cutFront(to: max(inside.columns - 7, 1))
    let end = canvas.write([Span("rate "), Span(shown, .bold)], line: top, of: inside)
    if end < canvas.columns, inside.row + top < canvas.rows {
      canvas.put(" ", style: Style(.plain, .reverse), column: end, row: inside.row + top)
      canvas.cursor = (end, inside.row + top)
    }
    for (index, line) in noteLines.enumerated() { canvas.write(line, line: top + 1 + index, of: inside) }
    if isTall {
      canvas.write(
        [Span("enter", .accent), Span(" take it   "), Span("esc", .accent), Span(" leave it")], line: inside.rows - 1,
        of: inside)
    }
  }

  /// A glossary of the panels' words, for the help page.
  private static let words = [
    ("TOP", "token order prediction: a head that ranks the upcoming tokens, the nearest first"),
    ("kl", "TOP's loss less its floor, the entropy of its targets: 0 is a perfect ranking"),
    ("ndcg", "the quality of the first 8 ranks, from 0 to 1; nearer tokens count more"),
    ("τ", "Kendall's τ: 1 ranks the tokens in the order in which they come, −1 in the reverse, 0 at random"),
    ("recall", "the share of the 8 nearest tokens that are among the first 8 of the ranking"),
    ("probe", "one of at most 16 fixed held-out positions whose TOP ranking is shown"),
    ("λ", "the weight of a head's loss in the total"),
    (
      "limit",
      "the speed at which the network's matrix products alone would run on this machine: with all threads of the run, and with "
        + "attention's at the speed of the others"
    ),
  ]

  private static let mouse =
    "a click puts the charts' cursor or focuses a panel, the wheel zooms and scrolls; with shift the terminal selects text "
    + "(--no-mouse: foretop does not use the mouse)"

  private func drawHelp(_ scroll: Int, on canvas: inout Canvas) {
    canvas.clear(canvas.bounds)
    let note = "esc closes"
    let inside =
      canvas.rows >= 5 && canvas.columns >= 24
      ? canvas.box(canvas.bounds, title: "help", notes: [note], isFocused: true) : canvas.bounds
    var lines: [[Span]] = []
    let width = canvas.columns < 44 ? 6 : KeyTable.lines.map { glyphs.keys($0.keys).width }.max() ?? 8
    for group in KeyLine.Group.allCases {
      if !lines.isEmpty { lines.append([]) }
      lines.append([Span(group.rawValue, .bold)])
      for line in KeyTable.lines where line.group == group {
        let refusal = line.strokes.count > 2 ? nil : refusal(of: line.strokes[0].action)
        // On a narrow screen the text continues on the next line, under its own beginning.
        for (index, text) in line.text.wrapped(to: max(inside.columns - width - 2, 8)).enumerated() {
          lines.append([
            Span((index == 0 ? glyphs.keys(line.keys) : "").padded(to: width), refusal == nil ? .accent : .faint),
            Span("  " + text, refusal == nil ? .plain : .faint),
          ])
        }
      }
    }
    lines.append([])
    lines.append([Span("the words", .bold)])
    for (word, meaning) in Self.words {
      for (index, text) in meaning.wrapped(to: max(inside.columns - width - 2, 8)).enumerated() {
        lines.append([Span((index == 0 ? word : "").padded(to: width), Style(.second, .bold)), Span("  " + text)])
      }
    }
    lines.append([])
    for (index, text) in Self.mouse.wrapped(to: max(inside.columns - width - 2, 8)).enumerated() {
      lines.append([Span((index == 0 ? "mouse" : "").padded(to: width), .accent), Span("  " + text)])
    }
    let longest = lines.map(\.width).max() ?? 0
    let isDouble = inside.columns >= 2 * longest + 4
    let top = inside.rows > lines.count + 2 ? 1 : 0
    if isDouble {
      // Two columns: the first group of keys on the left, the others on the right.
      let middle = lines.firstIndex { $0.isEmpty } ?? lines.count
      let (left, right) = inside.splitLeft(inside.columns / 2)
      for (index, line) in lines[..<middle].enumerated() { canvas.write(line, line: top + index, of: left) }
      for (index, line) in lines[middle...].dropFirst().enumerated() {
        canvas.write(line, line: top + index, of: right)
      }
      return
    }
    let first = min(scroll, max(lines.count - inside.rows, 0))
    for (index, line) in lines.dropFirst(first).prefix(inside.rows).enumerated() {
      canvas.write(line, line: top + index, of: inside)
    }
    if first + inside.rows < lines.count, canvas.rows >= 5 {
      canvas.write(
        " ↓ more ", style: .accent, line: 0,
        of: Rectangle(column: 2, row: canvas.rows - 1, columns: canvas.columns - 4, rows: 1), .right)
    }
  }
}
