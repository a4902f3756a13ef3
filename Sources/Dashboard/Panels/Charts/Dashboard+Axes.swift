// The axes that all charts over a run share: the x axis (steps, tokens or time) with its marks, and the y axis.
import Run
import TerminalUI

extension Dashboard {
  /// The beginning of the x axis: 0, unless the run's own history begins later.
  var firstX: Double {
    guard let first = history.places[axis].first, let firstStep = history.places[.step].first else { return 0 }
    if axis == .time { return first - (history.pace.step ?? 0) }
    return firstStep <= 2 ? 0 : first
  }

  /// Draws the x axis with its marks, and numbers below it if there is a second row.
  func drawAxis(_ x: Scale, left: Int, columns: Int, in area: Rectangle, on canvas: inout Canvas) {
    // Times count from the first step.
    let origin = axis == .time ? firstX : 0
    let shown = Scale(from: x.lower - origin, to: x.upper - origin)
    var ticks = shown.ticks(atMost: max(3, columns / 9))
    if axis == .time || axis == .active { ticks = Self.timeTicks(to: shown, atMost: max(2, columns / 10)) }
    if axis == .step || axis == .tokens { ticks = ticks.filter { $0 == $0.rounded() } }
    let labels = axis == .tokens ? Figure.counts(ticks) : ticks.map(axisFigure)
    var placed = zip(ticks, labels).map { (place: $0 + origin, label: $1) }
    let cursor = cursorPlace.map { x.point(of: $0[axis], among: columns) }
    let words = cursorPlace.map { " " + axisFigure($0[axis] - origin) + " " } ?? ""
    if let cursor {
      // The cursor's place stands between the numbers: those that it would cut are left out.
      let start = Canvas.labelStart(words, at: left + cursor, from: area.column, in: area)
      placed.removeAll { tick in
        let column = left + x.point(of: tick.place, among: columns)
        let first = Canvas.labelStart(tick.label, at: column, from: area.column, in: area)
        return first + tick.label.width >= start && first <= start + words.width
      }
    }
    canvas.drawAxis(x, ticks: placed, left: left, columns: columns, in: area)
    if let cursor {
      canvas.put("┴", style: .accent, column: left + cursor, row: area.row, in: area)
      let start = Canvas.labelStart(words, at: left + cursor, from: area.column, in: area)
      if area.rows > 1 { canvas.write(words, style: .accent, column: start, row: area.row + 1, in: area) }
    }
    for mark in history.marks.foremost(axis, among: columns, column: { x.point(of: $0, among: columns) }) {
      let sign = Self.sign(mark.kind)
      canvas.put(sign.character, style: sign.style, column: left + mark.column, row: area.row, in: area)
    }
  }

  /// A place on the axis as text; times count from the first step.
  private func axisFigure(_ value: Double) -> String {
    switch axis {
    case .step: Figure.grouped(Int(value))
    case .tokens: Figure.short(value)
    case .time, .active: Self.timeLabel(value)
    }
  }

  /// A duration without parts that are zero: `5 s`, not `5.0 s`, and `5 m`, not `5 m 00 s`.
  static func timeLabel(_ seconds: Double) -> String {
    let text = Figure.duration(seconds)
    for zero in [" 00 s", " 00 m", " 00 h"] where text.hasSuffix(zero) { return String(text.dropLast(zero.count)) }
    return text.replacing(".0 s", with: " s")
  }

  /// Ticks at round numbers of seconds, minutes, hours or days.
  static func timeTicks(to scale: Scale, atMost count: Int) -> [Double] {
    let steps: [Double] = [
      0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400,
    ]
    let span = scale.upper - scale.lower
    let step = steps.first { span / $0 < Double(count) } ?? Scale.step(for: span / 86400, parts: count) * 86400
    let first = (scale.lower / step - 1e-9).rounded(.up)
    let last = (scale.upper / step + 1e-9).rounded(.down)
    guard first <= last, last - first < 1000 else { return [] }
    return Array(stride(from: first, through: last, by: 1).map { $0 * step + 0 })
  }
}
