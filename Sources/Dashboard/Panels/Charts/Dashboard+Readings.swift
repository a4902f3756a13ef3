// The readings at the cursor of the loss chart: the step, each line's raw value, smoothed value and slope, and the nearest
// events.
import Run
import TerminalUI

extension Dashboard {
  /// Draws the readings over the emptiest corner of the plot.
  func drawReadings(in plot: Rectangle, on canvas: inout Canvas) {
    guard let entry = cursorEntry ?? (isFullScreen && plot.rows >= 16 && plot.columns >= 80 ? history.count - 1 : nil)
    else { return }
    var table = readings(at: entry)
    let isCut = plot.columns < 46
    if isCut { for index in table.indices where table[index].count > 4 { table[index].removeLast() } }
    var widths: [Int] = []
    for row in table where row.count > 1 {
      for (column, cell) in row.enumerated() {
        if column == widths.count { widths.append(0) }
        widths[column] = max(widths[column], cell.width)
      }
    }
    var lines = table.map { row -> [Span] in
      guard row.count > 1 else { return row }
      return row.enumerated().flatMap { column, cell in
        let text = column < 2 ? cell.text.padded(to: widths[column]) : cell.text.padded(to: widths[column], .right)
        return [Span((column == 0 ? "" : column == 1 ? " " : "  ") + text, cell.style)]
      }
    }
    let room = min(plot.columns - 2, 64)
    let columns = max(min(room - 2, max(40, lines.map(\.width).max() ?? 0)), 8)
    for event in nearEvents(at: entry, columns: plot.columns) {
      lines += event.text.wrapped(to: columns, most: 2).map { [Span($0, event.style)] }
    }
    let width = min(lines.map(\.width).max() ?? 0, room)
    guard width > 0, plot.rows >= 2 else { return }
    if lines.count > plot.rows {
      let hidden = lines.count - plot.rows + 1
      lines = Array(lines.prefix(plot.rows - 1)) + [[Span("… \(hidden) more: enter shows all", .faint)]]
    }
    let area = corner(columns: width + 2, rows: lines.count, in: plot, on: canvas)
    canvas.clear(area)
    for (index, line) in lines.enumerated() { canvas.write(line, line: index, of: area.inset(columns: 1)) }
  }

  /// The readings as rows of cells: the place, a header, and a row per line of the chart.
  private func readings(at entry: Int) -> [[Span]] {
    let place = history.places[entry]
    let words =
      "step \(Figure.grouped(Int(place.step))) · \(Figure.short(place.tokens)) tokens · \(Figure.duration(place.active))"
    let span = max(Int(history.places[.step].last ?? 1), 1)
    let unit = Int(Scale.step(for: Double(span) / Double(1 << chart.zoom), parts: 10).rounded(.up))
    let header = ["", "", "raw", "smooth", "per \(Figure.short(Double(unit)))"].map { Span($0, .faint) }
    let rows = shownTracks.map { track in
      let style = pen(track.head).style.bold
      let head = track.head
      return [
        Span(head.look.sign, style), Span(head.name),
        Span(Figure.loss(Double(track.losses.raw.values[entry]))),
        Span(Figure.loss(Double(track.losses.smooth.values[entry])), style),
        Span(slope(of: track, at: entry).map { Self.signed($0 * Double(unit)) } ?? "–", .faint),
      ]
    }
    return [[Span(words, .bold)], header] + rows
  }

  /// The slope of the smoothed loss around an entry, in nats per step; nil with too few entries.
  private func slope(of track: History.LossTrack, at entry: Int) -> Double? {
    let x = visibleX
    let xs = history.places[axis]
    let margin = (x.upper - x.lower) / 40
    let first = min(xs.lowerBound(of: xs[entry] - margin), max(entry - 1, 0))
    let last = max(min(xs.lowerBound(of: (xs[entry] + margin).nextUp), history.count) - 1, entry)
    let steps = history.places[.step][last] - history.places[.step][first]
    guard steps > 0 else { return nil }
    let smooth = track.losses.smooth.values
    let change = Double(smooth[last]) - Double(smooth[first])
    return change.isFinite ? change / steps : nil
  }

  private static func signed(_ value: Double) -> String { Figure.change(value, Figure.loss) }

  /// The newest events on the cursor's column or beside it; the users' actions come before saves.
  private func nearEvents(at entry: Int, columns: Int) -> [LogLine] {
    let x = visibleX
    let margin = (x.upper - x.lower) / Double(max(columns - 1, 1)) * 1.01
    let here = history.places[entry][axis]
    let near = log.filter { line in
      guard line.step > 0, let place = history.places.moment(of: line.step) else { return false }
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
