// The readings at the cursor of the loss chart. The legend has the values and slopes; a small box in the plot has the place and
// the nearest events.
import Run
import TerminalUI

extension Dashboard {
  /// Draws the place and the nearest events over the emptiest corner of the plot, in at most a quarter of its rows.
  func drawReadings(at entry: Int, _ legend: LossLegend, in plot: Rectangle, on canvas: inout Canvas) {
    let most = max(plot.rows / 4, 1)
    let room = min(plot.columns - 4, max(plot.columns * 2 / 3, 40))
    guard plot.rows >= 2, room >= 6 else { return }
    var lines: [[Span]] = []
    if legend.isShown {
      let place = history.places[entry]
      let slope = legend.hasSlopes ? "slope per \(Figure.short(Double(slopeUnit)))" : ""
      let words = [
        "step \(Figure.grouped(Int(place.step)))", "\(Figure.short(place.tokens)) tokens",
        Figure.duration(place.active),
      ]
      // A low plot has the step alone.
      let reserved = plot.rows < 4 ? room : slope.isEmpty || most >= 2 ? 0 : slope.width + 3
      var line = words[0]
      for word in words.dropFirst() where (line + " · " + word).width <= room - reserved { line += " · " + word }
      lines = [[Span(line, .bold)]]
      if !slope.isEmpty, plot.rows >= 4 {
        if line.width + 3 + slope.width <= room {
          lines[0].append(Span(" · " + slope, .faint))
        } else if most >= 2 {
          lines.append([Span(slope, .faint)])
        }
      }
      // What the legend has no room for, a row of all lines in their colours.
      func add(_ names: [String], _ values: [String]) {
        let spans = zip(shownTracks, values).map { Span(" " + $1, pen($0).style) }
        let name = names.first { $0.width + spans.width <= room }
        if let name { lines.append([Span(name, .faint)] + spans) }
      }
      if !legend.hasRaw { add(["raw"], shownTracks.map { $0.figure(Double($0.losses.raw.values[entry])) }) }
      if !legend.hasSlopes {
        let slopes = shownTracks.map {
          self.slope(of: $0, at: entry).map { Self.signed($0 * Double(slopeUnit)) } ?? "–"
        }
        let unit = "per \(Figure.short(Double(slopeUnit)))"
        add(["slope " + unit, unit], slopes)
      }
    } else {
      // Without a legend, the values are all that there is room for.
      lines = LossLegend.fitted(legend.entries.map(\.short), columns: room, rows: most)
    }
    for event in nearEvents(at: entry, columns: plot.columns) {
      lines += event.text.wrapped(to: room, most: 2).map { [Span($0, event.style)] }
    }
    drawBox(Array(lines.prefix(most)), in: plot, on: &canvas)
  }

  /// Draws the cursor's line into a plot.
  func drawCursor(_ x: Scale, in plot: Rectangle, on canvas: inout Canvas) {
    guard let place = cursorPlace else { return }
    canvas.drawCursor(at: x.point(of: place[axis], among: plot.columns), in: plot)
  }

  /// Draws lines of text over the emptiest corner of a plot.
  func drawBox(_ lines: [[Span]], in plot: Rectangle, on canvas: inout Canvas) {
    let width = min(lines.map(\.width).max() ?? 0, plot.columns - 4)
    guard width > 0 else { return }
    let area = corner(columns: width + 2, rows: lines.count, in: plot, on: canvas)
    canvas.clear(area)
    for (index, line) in lines.enumerated() { canvas.write(line, line: index, of: area.inset(columns: 1)) }
  }

  /// The steps over which the slopes of the losses are told: a round tenth of the visible part.
  var slopeUnit: Int {
    let span = max(Int(history.places[.step].last ?? 1), 1)
    return Int(Scale.step(for: Double(span) / Double(1 << chart.zoom), parts: 10).rounded(.up))
  }

  /// The slope of the smoothed loss around an entry, in nats per step; nil with too few entries.
  func slope(of track: History.LossTrack, at entry: Int) -> Double? {
    let x = visibleX
    let xs = history.places[axis]
    let margin = (x.upper - x.lower) / 40
    let first = min(xs.lowerBound(of: xs[entry] - margin), max(entry - 1, 0))
    let last = max(min(xs.lowerBound(of: (xs[entry] + margin).nextUp), history.count) - 1, entry)
    let steps = history.places[.step][last] - history.places[.step][first]
    guard steps > 0 else { return nil }
    let change = track.smoothed(at: last) - track.smoothed(at: first)
    return change.isFinite ? change / steps : nil
  }

  static func signed(_ value: Double) -> String { Figure.change(value, Figure.loss) }

  /// The newest events on the cursor's column or beside it, without saves and evaluations; the users' actions come first.
  private func nearEvents(at entry: Int, columns: Int) -> [LogLine] {
    let x = visibleX
    let margin = (x.upper - x.lower) / Double(max(columns - 1, 1)) * 1.01
    let here = history.places[entry][axis]
    let near = log.filter { line in
      guard line.step > 0, line.kind != .saved, line.kind != .evaluation,
        let place = history.places.moment(of: line.step)
      else { return false }
      return abs(place[axis] - here) <= margin
    }
    return Array(near.sorted { $0.rank < $1.rank }.prefix(2))
  }

  /// The corner of the plot with the fewest characters.
  private func corner(columns: Int, rows: Int, in plot: Rectangle, on canvas: Canvas) -> Rectangle {
    let (left, right) = (plot.column + 1, max(plot.end - columns, plot.column))
    let (top, bottom) = (plot.row, max(plot.bottom - rows, plot.row))
    let corners = [(right, top), (left, top), (right, bottom), (left, bottom)].map {
      Rectangle(column: $0.0, row: $0.1, columns: columns, rows: rows)
    }
    func characters(_ area: Rectangle) -> Int {
      let area = area.intersection(canvas.bounds)
      guard !area.isEmpty else { return 0 }
      return (area.row..<area.bottom).reduce(0) { sum, row in
        sum + (area.column..<area.end).count { canvas[$0, row].character != " " }
      }
    }
    let counts = corners.map(characters)
    return corners[counts.indices.min { counts[$0] < counts[$1] } ?? 0]
  }
}
