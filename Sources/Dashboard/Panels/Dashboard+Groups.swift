// Gradients and updates by part of the network, as the last evaluation measured them: a table beside or below the norm's chart.
import Run
import TerminalUI

extension Dashboard {
  /// A part of the gradients panel for the chart, and one for the table; nil where there is no room for a table, or nothing to show.
  func splitGradients(_ inside: Rectangle) -> (chart: Rectangle, table: Rectangle?) {
    let groups = history.evaluations.groups
    guard !groups.isEmpty else { return (inside, nil) }
    let width = groupTableWidth
    if inside.columns >= width + 2 + 30, inside.rows >= 4 {
      let (chart, table) = inside.splitLeft(inside.columns - width - 2)
      return (chart, table.splitLeft(2).1)
    }
    // The chart keeps half of the rows, and six of them.
    let rows = min(groups.count + 1, inside.rows / 2, inside.rows - 6)
    guard rows >= 3, inside.columns >= width else { return (inside, nil) }
    let (chart, table) = inside.splitTop(inside.rows - rows)
    return (chart, table)
  }

  /// A row a part: the norm of its gradient, and how far a step moves its weights.
  func drawGroups(in rectangle: Rectangle, on canvas: inout Canvas) {
    let groups = history.evaluations.groups
    let name = groupNameWidth
    canvas.write(
      "part".padded(to: name) + "  " + "norm".padded(to: 8, .right) + "  " + "Δw/w".padded(to: 8, .right),
      style: .faint,
      line: 0, of: rectangle)
    let room = max(rectangle.rows - 1, 0)
    let first = min(scroll[.gradients, default: 0], max(groups.count - room, 0))
    for (row, group) in groups.dropFirst(first).prefix(room).enumerated() {
      func figure(_ quantity: EvaluationHistory.Quantity) -> String {
        guard let value = history.evaluations[quantity]?.last, value.isFinite else { return "—" }
        return Figure.norm(Double(value))
      }
      let isCut = row == room - 1 && first + room < groups.count
      canvas.write(
        [
          Span(group.name.padded(to: name)), Span("  "),
          Span(figure(.groupNorm(group)).padded(to: 8, .right), Style(.fourth)), Span("  "),
          Span(figure(.groupUpdate(group)).padded(to: 8, .right)),
          Span(isCut ? " ↓" : "", .faint),
        ], line: 1 + row, of: rectangle)
    }
  }

  private var groupNameWidth: Int { max(history.evaluations.groups.map(\.name.width).max() ?? 0, 4) }
  /// With room for the arrow that says that there are more.
  private var groupTableWidth: Int { groupNameWidth + 2 + 8 + 2 + 8 + 2 }
}
