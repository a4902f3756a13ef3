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
    let short = seconds < 0.9995 ? Figure.milliseconds(seconds) : Figure.fixed(seconds, 1) + " s"
    let stretch = [Span("   mean of " + (seconds >= 9.5 ? "10 s" : short), .faint)]
    if lines[0].width + stretch.width <= inside.columns { lines[0] += stretch }
    for (index, line) in lines.enumerated() { canvas.write(line, line: index, of: inside) }

    var row = lines.count
    let room = inside.rows - row
    let bars = History.phaseNames.count + 1
    // Full screen, a chart stands in the place of the sparkline. On a low panel, the bars of the phases are worth more than it.
    if isFullScreen, room >= bars + Self.leastSpeedChart, let scale = speedScale {
      let chart = inside.splitTop(inside.rows - bars).0.splitTop(row).1
      drawSteps(
        history.tokensPerSecond, scale, Pen(style: Style(.first), symbol: "*"),
        figure: { "\(Figure.short($0)) tok/s" }, in: chart, on: &canvas)
      row += chart.rows
    } else if room > 0, !(Self.fewestBars...History.phaseNames.count).contains(room) {
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

  /// The least number of rows for a chart of the speed over the run.
  private static let leastSpeedChart = 8

  /// The speeds of all steps, without a few that were much faster; nil without a finite one. Noise stays small.
  private var speedScale: Scale? {
    let speeds = history.tokensPerSecond.summary
    guard speeds.count > 0, let mean = speeds.mean else { return nil }
    let highest = min(Double(speeds.maximum), 2 * mean)
    return Scale(from: min(Double(speeds.minimum), highest * 0.8), to: highest)
  }

  /// The least number of rows for bars; a lower panel has words.
  private static let fewestBars = 5

  /// The phases of a step, at most `count` of them: the smallest ones are parts of the last one, “other”, where there are more, so
  /// that those that are shown add up to the step.
  static func folded(_ phases: [Double], into count: Int) -> [(phase: Int, seconds: Double)] {
    guard count > 0, count < phases.count else { return phases.enumerated().map { ($0, $1) } }
    let bySize = phases.indices.dropLast().sorted { phases[$0] > phases[$1] }
    let shown = bySize.prefix(count - 1).sorted()
    let other = phases.reduce(0, +) - shown.reduce(0) { $0 + phases[$1] }
    return shown.map { ($0, phases[$0]) } + [(phases.count - 1, other)]
  }

  private func drawPhases(_ speed: Speed, from row: Int, in inside: Rectangle, on canvas: inout Canvas) {
    let room = inside.rows - row
    guard room > 0 else { return }
    guard room >= Self.fewestBars else {
      for (index, line) in Self.phaseWords(speed.phases, columns: inside.columns, rows: room).enumerated() {
        canvas.write(line, style: .faint, line: row + index, of: inside)
      }
      return
    }
    let shown = Self.folded(speed.phases, into: room)
    let longest = shown.map(\.seconds).max() ?? 0
    let columns = inside.columns - 9 - 8
    let roles: [Role] = [.plain, .first, .second, .third, .fourth, .faint]
    // An empty line above the bars if there is room.
    let top = row + (room > shown.count ? 1 : 0)
    for (index, (phase, seconds)) in shown.enumerated() {
      let isOther = phase == speed.phases.count - 1
      canvas.write(History.phaseNames[phase], style: isOther ? .faint : .plain, line: top + index, of: inside)
      if columns > 0, longest > 0 {
        canvas.bar(
          seconds / longest, columns: columns, style: Style(roles[phase]), column: inside.column + 9,
          row: inside.row + top + index, in: inside, glyphs: glyphs)
      }
      canvas.write(Figure.milliseconds(seconds), line: top + index, of: inside, indent: 9, .right)
    }
  }

  /// The phases as words with milliseconds, for a low panel: as many of them as fit into the rows.
  static func phaseWords(_ phases: [Double], columns: Int, rows: Int) -> [String] {
    let names = ["data", "fwd", "heads", "bwd", "upd", "other"]
    var lines: [String] = []
    for count in (1...max(phases.count, 1)).reversed() {
      lines = folded(phases, into: count).filter { $0.seconds > 0 }.map {
        "\(names[$0.phase]) \(Figure.milliseconds($0.seconds).replacing(" ms", with: ""))"
      }.joined(separator: " ").wrapped(to: columns)
      if lines.count <= rows { break }
    }
    return Array(lines.prefix(rows))
  }
}
