// How the schedule of the rate goes on: a list of the four ways, with the steps or the rate that one of them takes.
import Run
import TerminalUI

/// The list, open.
struct CoursePrompt: TypedPrompt, Sendable, Equatable {
  /// Which of the ways.
  var chosen = 0
  /// What was typed for the chosen way; empty takes what is proposed.
  var text = ""
  var problem = ""

  var course: CourseChange.Course { CourseChange.Course.allCases[chosen] }
}

extension Dashboard {
  mutating func press(_ key: Key, in prompt: CoursePrompt) -> Command? {
    var prompt = prompt
    let count = CourseChange.Course.allCases.count
    prompt.problem = ""
    switch key {
    case .escape, .character("q"), .character("L"): return leaveOverlay()
    case .up, .character("k"): prompt = CoursePrompt(chosen: (prompt.chosen + count - 1) % count)
    case .down, .tab, .character("j"): prompt = CoursePrompt(chosen: (prompt.chosen + 1) % count)
    case .enter:
      do {
        let change = try change(of: prompt)
        overlay = nil
        return askCarefully(.course(change), by: .key)
      } catch {
        prompt = prompt.refused(error)
      }
    default: if prompt.course != .scaled { prompt.text = key.edited(prompt.text) ?? prompt.text }
    }
    overlay = .course(prompt)
    return nil
  }

  /// What is asked for by the chosen way.
  /// - Throws: `UserError` with a sentence where what was typed is not what it takes.
  func change(of prompt: CoursePrompt) throws -> CourseChange {
    try CourseChange(typed: prompt.text.isEmpty ? proposal(for: prompt.course) : prompt.text, for: prompt.course)
  }

  /// What a way takes where nothing is typed: as many steps as the first warm-up had, and an annealing to the run's end.
  private func proposal(for course: CourseChange.Course) -> String {
    guard let recipe = beginning?.recipe else { return "" }
    return switch course {
    case .scaled, .hold: ""
    case .warmup: "\(recipe.schedule.warmup > 0 ? recipe.schedule.warmup : 100)"
    case .anneal: "\(max(recipe.steps - (history.last?.step ?? 0), 1))"
    }
  }

  func draw(_ prompt: CoursePrompt, on canvas: inout Canvas) {
    let courses = CourseChange.Course.allCases
    let columns = min(50, max(canvas.columns - 6, 16))
    let problem = prompt.problem.isEmpty ? [] : prompt.problem.wrapped(to: columns)
    let inside = canvas.dialog("how the rate goes on", columns: columns, rows: courses.count + 1 + problem.count)
    for (index, course) in courses.enumerated() {
      let isChosen = index == prompt.chosen
      var spans = [
        Span(isChosen ? "▸ " : "  ", .accent),
        Span(course.rawValue.padded(to: 8), isChosen ? Style(.plain, .bold) : .plain),
      ]
      let proposal = proposal(for: course)
      let typed = isChosen && !prompt.text.isEmpty ? prompt.text : Int(proposal).map(Figure.grouped) ?? proposal
      let value = Span(typed, isChosen ? Style(.plain, .bold) : .plain)
      switch course {
      case .scaled: spans.append(Span("as the schedule says", .faint))
      case .hold where typed.isEmpty: spans.append(Span("the current rate, or one that you type", .faint))
      case .hold: spans.append(value)
      case .warmup: spans += [Span("in ", .faint), value, Span(" steps up to the schedule", .faint)]
      case .anneal: spans += [Span("in ", .faint), value, Span(" steps down to the floor", .faint)]
      }
      canvas.write(spans, line: index, of: inside)
    }
    for (index, line) in problem.enumerated() {
      canvas.write(line, style: Style(.bad, .bold), line: courses.count + index, of: inside)
    }
    canvas.write(
      [
        Span("↑ ↓", .accent), Span(" choose   "), Span("enter", .accent), Span(" take it   "), Span("esc", .accent),
        Span(" leave it"),
      ], line: inside.rows - 1, of: inside)
  }
}
