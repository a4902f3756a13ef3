// The command line after `:`, the screen's last row. It has a history and completes from the table of commands; the row above it
// says what the line still needs.
import Run
import TerminalUI

/// The state of the command line.
struct CommandPrompt: TypedPrompt, Sendable, Equatable {
  var text = ""
  var problem = ""
  /// The recalled line of the history, 0 the newest; nil while a new line is typed.
  var recalled: Int?
  /// The new line, kept while a recalled one is shown.
  var draft = ""
}

extension Dashboard {
  /// Length of the history in lines.
  private static let mostTypedLines = 100

  mutating func press(_ key: Key, in prompt: CommandPrompt) -> Command? {
    var prompt = prompt
    prompt.problem = ""
    switch key {
    case .escape: return leaveOverlay()
    // As in vim, backspace on an empty line leaves the command line.
    case .backspace where prompt.text.isEmpty: return leaveOverlay()
    case .enter: return take(prompt)
    case .up: recall(&prompt, by: 1)
    case .down: recall(&prompt, by: -1)
    case .tab: complete(&prompt)
    default:
      if let edited = key.edited(prompt.text, most: CommandForm.mostBytes / 2) {
        prompt = CommandPrompt(text: edited)
      }
    }
    overlay = .command(prompt)
    return nil
  }

  /// Parses the line and asks for its command. A line with a mistake stays, with the reason above it.
  private mutating func take(_ prompt: CommandPrompt) -> Command? {
    let line = prompt.text.trimmingSpaces
    guard !line.isEmpty else {
      overlay = nil
      return nil
    }
    do {
      let command = try Command(typed: line)
      if let problem = refusal(of: .commandLine) ?? missing(for: command) { throw UserError(.usage, problem) }
      if typedLines.last != line { typedLines.append(line) }
      if typedLines.count > Self.mostTypedLines { typedLines.removeFirst() }
      overlay = nil
      message = ""
      return askTyped(command)
    } catch {
      overlay = .command(prompt.refused(error))
      return nil
    }
  }

  private func missing(for command: Command) -> String? {
    switch command {
    case .evaluate: beginning.flatMap { missing(for: .evaluate, in: $0) }
    case .generate: beginning.flatMap { missing(for: .generate, in: $0) }
    default: nil
    }
  }

  /// Asks for a command; if the command changes a rate or a weight more than tenfold, the user must confirm it first.
  private mutating func askTyped(_ command: Command) -> Command? {
    switch command {
    case .rate(let change): return askRate(change, by: .typed)
    case .weight(let change): return askWeight(change, by: .typed)
    default: return askCarefully(command, by: .typed)
    }
  }

  private func recall(_ prompt: inout CommandPrompt, by step: Int) {
    let next = (prompt.recalled ?? -1) + step
    guard next < typedLines.count, next >= -1 else { return }
    if prompt.recalled == nil { prompt.draft = prompt.text }
    prompt.recalled = next < 0 ? nil : next
    prompt.text = next < 0 ? prompt.draft : typedLines[typedLines.count - 1 - next]
  }

  private var runHeads: [Head] { beginning?.recipe.heads ?? Head.all }

  private func complete(_ prompt: inout CommandPrompt) {
    let lines = CommandForm.completions(of: prompt.text, heads: runHeads)
    let common = CommandForm.commonPrefix(of: lines)
    if common.count > prompt.text.count { prompt = CommandPrompt(text: common) }
  }

  // MARK: The picture

  func draw(_ prompt: CommandPrompt, on canvas: inout Canvas) {
    let bottom = Rectangle(column: 0, row: canvas.rows - 1, columns: canvas.columns, rows: 1)
    canvas.clear(bottom)
    let shown = prompt.text.cutFront(to: max(canvas.columns - 3, 1))
    let end = canvas.write([Span(":", .accent), Span(shown, .bold)], line: 0, of: bottom)
    if end < canvas.columns {
      canvas.put(" ", style: Style(.plain, .reverse), column: end, row: bottom.row)
      canvas.cursor = (end, bottom.row)
    }
    let note = prompt.problem.isEmpty ? ghostWords(on: canvas) + hint(for: prompt.text) : prompt.problem
    let style: Style = prompt.problem.isEmpty ? .faint : Style(.bad, .bold)
    let lines = note.wrapped(to: max(canvas.columns - 2, 1)).prefix(max(min(canvas.rows - 1, 3), 0))
    for (index, line) in lines.enumerated() {
      let row = Rectangle(column: 0, row: bottom.row - lines.count + index, columns: canvas.columns, rows: 1)
      canvas.clear(row)
      canvas.write(line, style: style, line: 0, of: row, indent: 1)
    }
  }

  /// What the line would make of the rate, where no panel shows it.
  private func ghostWords(on canvas: Canvas) -> String {
    guard let ghost, let rate = currentRate, let step = history.last?.step,
      !arrangement(columns: canvas.columns, rows: canvas.rows).contains(where: { $0.panel == .rate })
    else { return "" }
    let goal = goal(of: ghost).map { ", \($0)" } ?? ""
    return "rate \(Figure.rate(rate)) → \(Figure.rate(ghost.rate(at: step)))\(goal) · "
  }

  /// Help for an unfinished line: the commands it may become, or the arguments that are missing.
  private func hint(for text: String) -> String {
    let next = CommandForm.completions(of: text, heads: runHeads).map(\.trimmingSpaces)
    if let (form, _) = CommandForm.form(of: text) {
      let others = next.filter { $0 != form.name }
      return "\(form.usage): \(form.about)" + (others.isEmpty ? "" : " · \(others.joined(separator: ", "))")
    }
    guard !text.isEmpty else { return "tab completes, ↑ ↓ recall, esc leaves: \(next.joined(separator: ", "))" }
    return next.isEmpty ? "no command begins like this; esc leaves" : next.joined(separator: ", ")
  }
}
