// The rate panel: the learning rate of past steps, its value now, the schedule of later steps, and the keys that change it.
import Run
import TerminalUI

extension Dashboard {
  func drawRate(in rectangle: Rectangle, on canvas: inout Canvas) {
    var notes: [String] = []
    if let recipe = beginning?.recipe {
      let factor = rateFactor == 1 ? "" : " · ×\(Figure.factor(rateFactor))"
      let course = recipe.schedule.then == .scaled ? recipe.schedule.kind.rawValue : recipe.schedule.then.rawValue
      notes = [course + factor, course]
    }
    let inside = frame(.rate, notes: notes, in: rectangle, on: &canvas)
    guard !inside.isEmpty else { return }
    let isOff = refusal(of: .rateUp) != nil
    // Where nobody can steer, the curve has the room.
    let keyLines = steers ? Self.rateKeys(rows: inside.rows, columns: inside.columns, isOff: isOff) : []
    let (upper, lower) = inside.splitTop(inside.rows - keyLines.count)
    for (index, line) in keyLines.enumerated() { canvas.write(line, line: index, of: lower) }
    guard !upper.isEmpty else { return }

    var now: [Span] = [Span("now ")]
    if let rate = currentRate ?? plannedRate(at: 0) {
      now.append(Span(Figure.rate(rate), .bold))
    } else {
      now.append(Span("—", .faint))
    }
    // Where a change leads to has a line of its own if one is too short for both.
    var second: [Span] = []
    if let ghost, let step = history.last?.step {
      now.append(Span("  → \(Figure.rate(ghost.rate(at: step)))", Style(.warning)))
      if let goal = goal(of: ghost) {
        let isShort = upper.rows < 2 || now.width + goal.width + 2 <= upper.columns
        if isShort { now.append(Span(", \(goal)", Style(.warning))) } else { second = [Span(goal, Style(.warning))] }
      }
    } else if let request = asked.last(where: { if case .rate = $0.command { true } else { false } }) {
      now.append(Span("  " + request.text.replacing("asked: rate", with: "asked"), Style(.warning, .bold)))
    }
    let used = canvas.write(now, line: 0, of: upper)
    if !second.isEmpty { canvas.write(second, line: 1, of: upper) }
    let (_, below) = upper.splitTop(second.isEmpty ? 1 : 2)
    if below.rows >= 2 {
      drawRateCurve(in: below, on: &canvas)
    } else {
      let spark = Rectangle(column: used + 2, row: upper.row, columns: upper.end - used - 2, rows: 1)
      if spark.columns >= 4 { drawRateSparkline(in: spark, on: &canvas) }
    }
  }

  private static func rateKeys(rows: Int, columns: Int, isOff: Bool) -> [[Span]] {
    func pair(_ key: String, _ what: String) -> [Span] {
      [Span(key, isOff ? .faint : .accent), Span(" " + what, isOff ? .faint : .plain)]
    }
    let tenths = pair("]", "+10 %") + [Span("  ")] + pair("[", "−10 %")
    let twos = pair("}", "×2") + [Span("  ")] + pair("{", "÷2")
    let typed = pair("l", "type")
    let all = tenths + [Span("   ")] + twos + [Span("   ")] + typed
    if rows < 2 { return [] }
    if all.width <= columns { return [all] }
    if rows < 4 { return [(tenths + [Span("  ")] + typed).width <= columns ? tenths + [Span("  ")] + typed : tenths] }
    return [tenths, twos + [Span("   ")] + typed]
  }

  /// Draws the rate over the whole run: past steps bright, later steps dim.
  private func drawRateCurve(in area: Rectangle, on canvas: inout Canvas) {
    let done = history.last?.step ?? 0
    let (plan, ghost) = (ratePlan, ghost)
    let total = max(plan?.steps ?? done, ghost?.steps ?? 0, done, 1)
    var highest = Double(history.rate.summary.maximum)
    for index in 0..<64 {
      let step = total * index / 64
      if let plan { highest = max(highest, plan.rate(at: step)) }
      if let ghost, step >= done { highest = max(highest, ghost.rate(at: step)) }
    }
    guard highest > 0, highest.isFinite else { return drawNothing("no rate yet", in: area, on: &canvas) }
    highest = Scale.roundEnd(highest)
    let label = Figure.rate(highest)
    let margin = max(label.width, 1) + 1
    guard area.columns > margin + 4 else { return }
    canvas.write(label, style: .faint, line: 0, of: area)
    // On the whole screen there is room for an axis.
    let axisRows = isFullScreen && area.rows >= 8 ? 2 : 0
    let rows = area.rows - axisRows
    canvas.write("0".padded(to: margin - 1, .right), style: .faint, line: rows - 1, of: area)

    let x = Scale(from: 0, to: Double(total))
    let y = Scale(from: 0, to: highest)
    var plot = Plot(columns: area.columns - margin, rows: rows, glyphs: glyphs)
    let bottom = plot.height - 1
    let ahead = Pen(style: .faint, dash: Pen.Dash(on: 2, off: 1), symbol: ".")
    let here = x.point(of: Double(done), among: plot.width)
    func drawAhead(_ plan: RatePlan, _ pen: Pen) {
      var before: (x: Int, y: Int)?
      for column in here..<max(plot.width, here) {
        let step = max(Int((Double(column) / Double(max(plot.width - 1, 1)) * Double(total)).rounded()), done)
        let end = max(plan.steps, done, 1)
        guard step <= end else { break }
        let point = (x: column, y: bottom - y.point(of: plan.rate(at: min(step, end - 1)), among: plot.height))
        plot.line(from: before ?? point, to: point, pen)
        before = point
      }
    }
    if let plan { drawAhead(plan, ahead) }
    // The ghost: the curve after a change that is not confirmed yet.
    if let ghost { drawAhead(ghost, Pen(style: Style(.warning), dash: Pen.Dash(on: 1, off: 1), symbol: "~")) }
    let ranges = history.places.ranges(.step, x, plot.width)
    Self.drawLine(history.rate, ranges, y, Pen(style: Style(.accent), symbol: "*"), &plot)
    if let rate = currentRate, history.count > 0 {
      plot.mark(x: here, y: bottom - y.point(of: rate, among: plot.height), "●", style: .accent)
    }
    plot.draw(on: &canvas, column: area.column + margin, row: area.row)
    guard axisRows > 0 else { return }
    let ticks = x.ticks(atMost: max(3, plot.columns / 12)).filter { $0 == $0.rounded() }
    canvas.drawAxis(
      x, ticks: ticks.map { ($0, Figure.grouped(Int($0))) }, left: area.column + margin, columns: plot.columns,
      in: Rectangle(column: area.column, row: area.row + rows, columns: area.columns, rows: axisRows))
  }

  /// Draws the rate as a sparkline, for a low panel.
  private func drawRateSparkline(in area: Rectangle, on canvas: inout Canvas) {
    let done = history.last?.step ?? 0
    let total = max(beginning?.recipe.steps ?? done, done, 1)
    let ranges = history.places.ranges(.step, Scale(from: 0, to: Double(total)), area.columns)
    var isTaken: [Bool] = []
    var values: [Double] = []
    for (column, range) in ranges.enumerated() {
      let step = Int((Double(column) / Double(max(area.columns - 1, 1)) * Double(total)).rounded())
      let mean = history.rate.summary(of: range).mean
      guard let value = mean ?? plannedRate(at: min(step, total - 1)) else { return }
      isTaken.append(step <= done)
      values.append(value)
    }
    let scale = Scale(from: 0, to: max(values.max() ?? 1, 1e-30))
    canvas.sparkline(values, scale: scale, style: Style(.accent), line: 0, of: area, glyphs: glyphs)
    for (column, taken) in isTaken.enumerated() where !taken {
      canvas.restyle(Rectangle(column: area.column + column, row: area.row, columns: 1, rows: 1)) { $0 = .faint }
    }
  }
}
