// The losses panel before the first step: what the run does while it is set up.
import Run
import TerminalUI

extension Dashboard {
  /// The cells of the text, unless the facts about the run need more.
  private static let startWidth = 64

  func drawStart(in inside: Rectangle, on canvas: inout Canvas) {
    var lines: [[Span]] = []
    if let beginning {
      lines.append([Span(beginning.name, .bold), Span(phase == .starting ? "  is being set up" : "", .faint)])
      lines.append([])
      if !beginning.corpus.isEmpty { lines.append([Span(beginning.corpus)]) }
      lines.append([
        Span(
          "\(Figure.short(Double(beginning.parameters))) parameters, \(beginning.precision), "
            + Figure.threads(of: beginning))
      ])
      lines.append([
        Span(
          "\(Figure.grouped(beginning.recipe.steps)) steps of \(Figure.grouped(beginning.recipe.tokensPerStep)) tokens")
      ])
      if beginning.step > 0 { lines.append([Span("goes on from step \(Figure.grouped(beginning.step))")]) }
    } else {
      lines.append([Span("foretop", .bold), Span("  is setting up the run", .faint)])
    }
    // The text stays at its place when a bar or a long line comes.
    let width = min(max(Self.startWidth, lines.map(\.width).max() ?? 0), inside.columns)
    let indent = (inside.columns - width) / 2
    if phase == .starting, setup.isUnderWay { lines += [[], setup.barLine(columns: width)] }
    lines.append([])
    let room = max(inside.rows - lines.count - 1, 1)
    let entries = log.suffix(room).map { ($0.text.wrapped(to: inside.columns - indent - 2, most: 3), $0.style) }
    for (text, style) in entries {
      for (index, line) in text.enumerated() { lines.append([Span((index == 0 ? "· " : "  ") + line, style)]) }
    }
    switch phase {
    case .starting: lines.append([Span("the chart begins with the first step …", .faint)])
    case .ended: lines.append([Span("the run ended before its first step", .faint)])
    case .training, .paused: lines.append([Span("no step is stored yet", .faint)])
    }
    if lines.count > inside.rows { lines = Array(lines.filter { !$0.isEmpty }.suffix(inside.rows)) }
    let top = (inside.rows - lines.count) / 2
    for (index, line) in lines.enumerated() { canvas.write(line, line: top + index, of: inside, indent: indent) }
  }
}
