// The dialog for the loss weights λ: a list of the heads, and a number typed for the chosen head.
import Run
import TerminalUI

/// The state of the dialog.
struct WeightPrompt: TypedPrompt, Sendable, Equatable {
  /// The index of the chosen head.
  var chosen = 0
  var text = ""
  var problem = ""
}

extension Dashboard {
  private var heads: [Head] { beginning?.recipe.heads ?? [] }

  /// The loss weight λ of a head, with the user's changes.
  func weight(of head: Head) -> Double { weights[head] ?? beginning?.recipe.weight(of: head) ?? 1 }

  /// The largest change of a weight that a change asks for, if that is by more than tenfold; nil if it is not.
  func jump(by change: WeightChange) -> LargeChange? {
    change.jump(among: beginning?.recipe.heads ?? [change.head]) { weight(of: $0) }
  }

  mutating func press(_ key: Key, in prompt: WeightPrompt) -> Command? {
    var prompt = prompt
    prompt.problem = ""
    switch key {
    case .escape: return leaveOverlay()
    case .up: prompt = WeightPrompt(chosen: (prompt.chosen + heads.count - 1) % max(heads.count, 1))
    case .down, .tab: prompt = WeightPrompt(chosen: (prompt.chosen + 1) % max(heads.count, 1))
    case .enter: return take(prompt)
    default: prompt.text = key.edited(prompt.text) ?? prompt.text
    }
    overlay = .weights(prompt)
    return nil
  }

  /// Asks for the typed weight. A change of more than tenfold must be confirmed first.
  private mutating func take(_ prompt: WeightPrompt) -> Command? {
    guard heads.indices.contains(prompt.chosen) else { return nil }
    let head = heads[prompt.chosen]
    let old = weight(of: head)
    do {
      guard !prompt.text.trimmingSpaces.isEmpty else {
        throw UserError(.usage, "type a weight such as 0.5, or a factor such as x2")
      }
      let change = try WeightChange(typed: prompt.text, for: head, now: old)
      guard change.weight > 0 || heads.contains(where: { $0 != head && weight(of: $0) > 0 }) else {
        throw UserError(.usage, "all other weights are 0: at 0 nothing would be learned")
      }
      overlay = nil
      return askWeight(change)
    } catch {
      overlay = .weights(prompt.refused(error))
      return nil
    }
  }

  func draw(_ prompt: WeightPrompt, on canvas: inout Canvas) {
    let notes =
      prompt.problem.isEmpty
      ? [Span("a weight: 0.5   a factor: x2   0: only measured", .faint)] : [Span(prompt.problem, Style(.bad, .bold))]
    let columns = min(max(notes.width, 46), max(canvas.columns - 8, 16))
    let noteLines =
      notes.width <= columns ? [notes] : notes.text.wrapped(to: columns).map { [Span($0, notes[0].style)] }
    let isTall = canvas.rows >= heads.count + noteLines.count + 7
    let rows = isTall ? heads.count + noteLines.count + 4 : min(heads.count + 1, max(canvas.rows - 2, 1))
    let inside = canvas.dialog("weights of the losses", columns: columns, rows: rows)
    // If not all heads fit, those around the chosen one are shown.
    let room = isTall ? heads.count : max(inside.rows - 1, 1)
    let first = max(min(prompt.chosen - room / 2, heads.count - room), 0)
    var line = isTall ? 1 : 0
    let width = heads.map { $0.name.width }.max() ?? 0
    for (index, head) in heads.enumerated().dropFirst(first).prefix(room) {
      let isChosen = index == prompt.chosen
      var spans = [
        Span(isChosen ? "▸ " : "  ", .accent),
        Span(head.name.padded(to: width), isChosen ? Style(.plain, .bold) : .plain),
        Span("  " + Figure.factor(weight(of: head)), isChosen ? .faint : .plain),
      ]
      if isChosen { spans += [Span(" → ", .faint), Span(prompt.text, Style(.plain, .bold))] }
      let end = canvas.write(spans, line: line, of: inside)
      if isChosen, end < canvas.columns, inside.row + line < canvas.rows {
        canvas.put(" ", style: Style(.plain, .reverse), column: end, row: inside.row + line)
        canvas.cursor = (end, inside.row + line)
      }
      line += 1
    }
    if isTall { line += 1 }
    for note in noteLines {
      canvas.write(note, line: line, of: inside)
      line += 1
    }
    if isTall {
      canvas.write(
        [
          Span("↑ ↓", .accent), Span(" choose   "), Span("enter", .accent), Span(" take it   "), Span("esc", .accent),
          Span(" leave it"),
        ], line: inside.rows - 1, of: inside)
    }
  }
}
