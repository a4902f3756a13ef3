// The throughput panel: tokens per second, and the time of a step by phase.
import Run
import TerminalUI

extension Dashboard {
  func drawThroughput(in rectangle: Rectangle, on canvas: inout Canvas) {
    let threads = beginning.map { "\($0.precision) · \(Figure.threads(of: $0))" }
    let inside = frame(.throughput, notes: threads.map { [$0] } ?? [], in: rectangle, on: &canvas)
    guard history.last != nil else {
      return drawNothing("tokens per second come with the first step", in: inside, on: &canvas)
    }
    guard let speed = history.speed else {
      return drawNothing("tokens per second come with the first step", in: inside, on: &canvas)
    }
    var lines = [[Span(Figure.short(speed.tokensPerSecond), .bold), Span(" tok/s")]]
    let step = [Span("step "), Span(Figure.milliseconds(speed.step), .bold)]
    if inside.rows < 4 || inside.columns >= 32 {
      lines[0] += [Span("   ")] + step
    } else {
      lines.append(step)
    }
    // All numbers come from the same steps, so that the phases add up to a step.
    let seconds = speed.phases.reduce(0, +) * Double(speed.range.count)
    let stretch = [Span("   mean of " + (seconds >= 9.5 ? "10 s" : Figure.milliseconds(seconds)), .faint)]
    if lines[0].width + stretch.width <= inside.columns { lines[0] += stretch }
    for (index, line) in lines.enumerated() { canvas.write(line, line: index, of: inside) }

    var row = lines.count
    // The bars of the phases are worth more than the sparkline, where only one of the two has room.
    let room = inside.rows - row
    if room > 0, room != History.phaseNames.count - 1 {
      let range = history.recent(inside.columns)
      let values = range.map { Double(history.tokensPerSecond.values[$0]) }
      let finite = values.filter(\.isFinite)
      let highest = max(finite.max() ?? 1, 1e-9)
      // The sparkline's scale begins at half of the highest speed or below: slow steps are visible, and noise stays small.
      let lowest = min(finite.min() ?? 0, highest / 2)
      canvas.sparkline(
        values, scale: Scale(from: lowest, to: highest * 1.25), style: Style(.first), line: row, of: inside,
        glyphs: glyphs)
      row += 1
    }
    drawPhases(speed, from: row, in: inside, on: &canvas)
  }

  private func drawPhases(_ speed: Speed, from row: Int, in inside: Rectangle, on canvas: inout Canvas) {
    let means = Array(zip(History.phaseNames, speed.phases))
    let room = inside.rows - row
    guard room > 0 else { return }
    guard room >= means.count - 1 else {
      // A low panel has words with milliseconds, as many as fit, instead of bars.
      let words = zip(["data", "fwd", "heads", "bwd", "upd", "other"], means).filter { $1.1 > 0 }
        .map { "\($0) \(Figure.milliseconds($1.1).replacing(" ms", with: ""))" }
      for (index, line) in words.joined(separator: " ").wrapped(to: inside.columns).prefix(room).enumerated() {
        canvas.write(line, style: .faint, line: row + index, of: inside)
      }
      return
    }
    let shown = room >= means.count ? means : Array(means.filter { $0.0 != "other" })
    let longest = shown.map(\.1).max() ?? 0
    let columns = inside.columns - 9 - 8
    let roles: [Role] = [.plain, .first, .second, .third, .fourth, .faint]
    // An empty line above the bars if there is room.
    let top = row + (room > shown.count ? 1 : 0)
    for (index, (name, seconds)) in shown.enumerated() {
      canvas.write(name, style: name == "other" ? .faint : .plain, line: top + index, of: inside)
      if columns > 0, longest > 0 {
        canvas.bar(
          seconds / longest, columns: columns, style: Style(roles[index]), column: inside.column + 9,
          row: inside.row + top + index, in: inside, glyphs: glyphs)
      }
      canvas.write(Figure.milliseconds(seconds), line: top + index, of: inside, indent: 9, .right)
    }
  }
}
