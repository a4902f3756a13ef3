// The list of metrics: a part of a name is typed, and one of the metrics with that part is chosen. A run may have hundreds.
import Run
import TerminalUI

/// The state of an open list of metrics.
struct MetricList: Sendable, Equatable {
  /// The part of a name that is typed.
  var text: String
  /// The index of the chosen metric among those whose names contain the text.
  var chosen: Int
}

extension CompareScreen {
  /// True while the list takes the keys of the table.
  var hasDialog: Bool { metricList != nil }

  /// The metrics whose names contain a text.
  private func metrics(with text: String) -> [ComparedMetric] {
    text.isEmpty ? comparison.metrics : comparison.metrics.filter { $0.name.contains(text) }
  }

  /// Takes a key while the list is open.
  mutating func press(_ key: Key, in list: MetricList) {
    let found = metrics(with: list.text)
    var list = list
    func go(_ step: ListStep) { list.chosen = step.index(from: list.chosen, of: found.count, page: 10) }
    switch key {
    case .escape:
      metricList = nil
      return
    case .enter:
      metricList = nil
      if found.indices.contains(list.chosen) { show(found[list.chosen]) }
      return
    case .up: go(.up)
    case .down: go(.down)
    case .pageUp: go(.pageUp)
    case .pageDown: go(.pageDown)
    case .home: go(.first)
    case .end: go(.last)
    case .wheel(let isUp, _, _): go(isUp ? .up : .down)
    case .click(let column, let row):
      for case (_, .row(let index)) in lastPicture.meanings(column: column, row: row) { list.chosen = index }
    default:
      if let text = key.edited(list.text) { list = MetricList(text: text, chosen: 0) }
    }
    metricList = list
  }

  /// Draws the list over the whole canvas.
  func drawMetricList(_ list: MetricList, on canvas: inout Canvas) {
    canvas.clear(canvas.bounds)
    let (body, footer) = canvas.bounds.splitTop(canvas.rows - (canvas.rows >= 3 ? 1 : 0))
    let found = metrics(with: list.text)
    var inside = body
    if body.rows >= 5, body.columns >= 24 {
      let notes = ["\(found.count) of \(comparison.metrics.count)"]
      inside = canvas.box(body, title: "metrics", notes: notes, isFocused: true)
    }
    let (prompt, area) = inside.splitTop(1)
    canvas.write(
      [Span("name contains ", .faint), Span(list.text, .bold), Span(" ", Style(.plain, .reverse))], line: 0, of: prompt)
    if found.isEmpty { canvas.write("no metric's name contains this text", style: .faint, line: 0, of: area) }
    let first = max(0, min(list.chosen - area.rows / 2, found.count - area.rows))
    for (row, metric) in found.dropFirst(first).prefix(area.rows).enumerated() {
      let isChosen = first + row == list.chosen
      canvas.note(
        .row(first + row), in: Rectangle(column: area.column, row: area.row + row, columns: area.columns, rows: 1))
      canvas.write(
        [Span(isChosen ? "▸ " : "  ", .accent), Span(metric.name, isChosen ? .accent : .plain)], line: row, of: area)
    }
    canvas.noteHidden(
      first..<min(first + area.rows, found.count), of: found.count, in: body, inside, style: .accent)
    let keys = [Span("enter", .accent), Span(" shows it   "), Span("esc", .accent), Span(" closes")]
    canvas.write(keys, line: 0, of: Self.bar(footer))
  }
}
