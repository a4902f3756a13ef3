// Draws one tensor in detail: statistics, histogram, heat map, leading singular values, and its change over the stored
// checkpoints.
import Run
import TerminalUI

extension TensorsScreen {
  func drawDetail(in area: Rectangle, on canvas: inout Canvas) {
    let title = chosenPath.map(Self.shortName) ?? chosenLine?.name ?? "tensor"
    let row = tree.flatMap { tree in chosenLine.map { tree.rows[$0.rows[0]] } }
    let shape =
      chosenPath == nil ? nil : row.map { "[" + $0.shape.map(String.init).joined(separator: ", ") + "]" }
    let inside = canvas.box(area, title: title, notes: shape.map { [$0] } ?? [])
    guard let row, let path = chosenPath else {
      return Self.drawNothing(
        tree == nil ? "" : "← → close and open a group; ↓ goes to its tensors", in: inside, on: &canvas)
    }
    guard let numbers = row.numbers else {
      return Self.drawNothing(
        isMissing(tree?.step) ? "its numbers cannot be read" : "reading its numbers …", in: inside, on: &canvas)
    }
    var line = drawFigures(numbers, in: inside, on: &canvas)
    guard let detail = details[path] else {
      let rest = inside.splitTop(line).1
      return Self.drawNothing("reading its numbers …", in: rest, on: &canvas)
    }
    // First the last rows, which are few; the pictures share the rest.
    let history = min(2, max(inside.rows - line - 4, 0))
    let hasSingular = inside.rows - line - history >= 6
    var room = inside.rows - line - history - (hasSingular ? 1 : 0)
    let hasAir = room >= 14
    if hasAir {
      line += 1
      room -= history > 0 ? 2 : 1
    }
    // What the heat map of a vector or a small matrix leaves is the histogram's.
    let bars = max(min(max(room * 2 / 5, 3), 12), min(room - detail.heatMap.blocks.rows - 1, 20))
    if room >= 4 {
      drawHistogram(detail.histogram, in: inside.splitTop(line).1.splitTop(bars).0, on: &canvas)
      line += bars
      room -= bars
    }
    if hasSingular {
      drawSingular(detail, line: line, of: inside, on: &canvas)
      line += 1
    }
    if hasAir {
      line += 1
      room -= 1
    }
    if room > 0 {
      drawHeatMap(detail.heatMap, in: inside.splitTop(line).1.splitTop(room).0, on: &canvas)
      line += room
    }
    if history > 0 {
      let top = inside.rows - history
      drawHistory(of: path, in: inside.splitTop(top).1, on: &canvas)
    }
  }

  /// - Returns: the number of lines used.
  private func drawFigures(_ row: TensorNumbers, in inside: Rectangle, on canvas: inout Canvas) -> Int {
    let summary = row.summary
    func pair(_ name: String, _ value: String) -> [Span] { [Span(name + " ", .faint), Span(value, .bold)] }
    var pieces = [
      pair("norm", Self.figure(summary.norm)), pair("mean", Self.figure(summary.mean)),
      pair("std", Self.figure(summary.deviation)), pair("min", Self.figure(Double(summary.minimum))),
      pair("max", Self.figure(Double(summary.maximum))),
    ]
    if let difference = row.difference {
      if let relative = difference.relative, let norm = difference.norm {
        pieces.append(pair("Δ", "\(Self.figure(norm)) (\(Figure.fixed(relative * 100, 2)) %)"))
      }
      if let cosine = difference.cosine { pieces.append(pair("cos", Self.cosine(cosine, 5))) }
    }
    if summary.zeros > 0 { pieces.append(pair("zeros", Figure.short(Double(summary.zeros)))) }
    if summary.nonFinite > 0 {
      pieces.append([Span("× \(Figure.grouped(summary.nonFinite)) not finite", Style(.bad, .bold))])
    }
    var lines: [[Span]] = []
    for piece in pieces {
      if let last = lines.last, last.width + 3 + piece.width <= inside.columns {
        lines[lines.count - 1] += [Span("   ")] + piece
      } else {
        lines.append(piece)
      }
    }
    for (index, line) in lines.enumerated() { canvas.write(line, line: index, of: inside) }
    return min(lines.count, inside.rows)
  }

  private func drawHistogram(_ histogram: Histogram, in area: Rectangle, on canvas: inout Canvas) {
    guard let low = histogram.edges.first, let high = histogram.edges.last, area.rows >= 2 else {
      return Self.drawNothing("no number is finite", in: area, on: &canvas)
    }
    let rows = area.rows - 1
    let columns = min(area.columns, 80)
    let left = area.column + (area.columns - columns) / 2
    let counts = (0..<columns).map { histogram.counts[$0 * histogram.counts.count / columns] }
    let most = Double(max(counts.max() ?? 1, 1))
    let heights = glyphs.heights
    for (column, count) in counts.enumerated() where count > 0 {
      // Every count above 0 is visible.
      let parts = max(Int((Double(count) / most * Double(rows * heights.count)).rounded()), 1)
      for row in 0..<rows {
        let part = min(parts - row * heights.count, heights.count)
        guard part > 0 else { break }
        canvas.put(
          heights[part - 1], style: Style(.first), column: left + column, row: area.row + rows - 1 - row, in: area)
      }
    }
    if histogram.outside > 0 {
      let words = "\(Figure.grouped(histogram.outside)) beyond"
      canvas.write(
        words, style: Style(.warning), column: max(left + columns - words.width, left), row: area.row, in: area)
    }
    let scale = Scale(from: low, to: high)
    let ticks = scale.ticks(atMost: max(columns / 12, 2))
    var free = left
    for (tick, label) in zip(ticks, Figure.labels(ticks)) {
      let start = left + scale.point(of: tick, among: columns) - label.width / 2
      guard start >= free, start + label.width <= area.end else { continue }
      canvas.write(label, style: .faint, column: start, row: area.bottom - 1, in: area)
      free = start + label.width + 1
    }
  }

  private func drawSingular(_ detail: TensorDetail, line: Int, of inside: Rectangle, on canvas: inout Canvas) {
    guard let singular = detail.singular else {
      let words = detail.summary.shape.count < 2 ? "a vector has no singular values" : "no singular values: not finite"
      canvas.write(words, style: .faint, line: line, of: inside)
      return
    }
    var spans = [Span(inside.columns >= 60 ? "singular values " : "σ ", .faint)]
    // A narrow panel has shorter words.
    let share = "\(Figure.fixed(singular.share * 100, 0)) %"
    let end =
      inside.columns >= 84
      ? " \(singular.values.count) of \(singular.rank) hold \(share) of norm²"
      : " \(singular.values.count)/\(singular.rank): \(share)"
    for value in singular.values {
      let text = Self.figure(value) + " "
      guard spans.width + text.width + end.width <= inside.columns || spans.count == 1 else { break }
      spans.append(Span(text, .bold))
    }
    spans.append(Span(singular.isConverged ? end : end + ", nearly", .faint))
    canvas.write(spans, line: line, of: inside)
  }

  /// Draws blocks of the matrix, brighter and fuller for larger magnitudes. A few blocks far above all others are marked, so that these
  /// still differ.
  private func drawHeatMap(_ map: HeatMap, in area: Rectangle, on canvas: inout Canvas) {
    guard area.rows >= 2 else { return }
    let rows = min(area.rows - 1, map.blocks.rows)
    let columns = min(area.columns, map.blocks.columns)
    let cells = (0..<rows * columns).map { Self.mean(of: map, $0 / columns, rows, $0 % columns, columns) }
    guard let range = HeatMap.usualRange(of: cells), let highest = cells.filter(\.isFinite).max() else { return }
    let shades: [Character] = glyphs == .ascii ? [".", ":", "+", "#"] : ["░", "▒", "▓", "█"]
    var hasOutliers = false
    for (index, value) in cells.enumerated() {
      let (row, column) = (area.row + index / columns, area.column + index % columns)
      guard value.isFinite else {
        canvas.put("×", style: Style(.bad, .bold), column: column, row: row, in: area)
        continue
      }
      guard value <= range.outlier else {
        hasOutliers = true
        canvas.put("◆", style: Style(.warning, .bold), column: column, row: row, in: area)
        continue
      }
      let share = range.high > range.low ? min(max(Double((value - range.low) / (range.high - range.low)), 0), 1) : 0.5
      let shade = shades[min(Int(share * Double(shades.count)), shades.count - 1)]
      let place = 1 + Int(((1 - share) * Double(Tone.farthest - 1)).rounded())
      canvas.put(shade, style: Style(.second, tone: Tone(place: place)), column: column, row: row, in: area)
    }
    let words =
      "mean |w| of a block \(Self.figure(Double(range.low))) \(shades[0])…\(shades[3]) \(Self.figure(Double(range.high)))"
      + (hasOutliers ? ", ◆ up to \(Self.figure(Double(highest)))" : "")
      + (area.columns >= 70 ? "; \(map.size.rows) × \(map.size.columns)" : "")
    canvas.write(words, style: .faint, line: rows, of: area)
  }

  /// The mean of the blocks of a cell.
  private static func mean(of map: HeatMap, _ row: Int, _ rows: Int, _ column: Int, _ columns: Int) -> Float {
    let down = row * map.blocks.rows / rows..<max((row + 1) * map.blocks.rows / rows, row * map.blocks.rows / rows + 1)
    let across =
      column * map.blocks.columns
      / columns..<max(
        (column + 1) * map.blocks.columns / columns, column * map.blocks.columns / columns + 1)
    var (sum, count): (Float, Float) = (0, 0)
    for row in down {
      for column in across {
        let value = map.means[row * map.blocks.columns + column]
        if value.isFinite { (sum, count) = (sum + value, count + 1) }
      }
    }
    return count > 0 ? sum / count : .nan
  }

  private func drawHistory(of path: String, in area: Rectangle, on canvas: inout Canvas) {
    guard let tree else { return }
    let known = (moments[path] ?? [:]).sorted { $0.key < $1.key }
    let rest = tree.steps.count - known.count
    func draw(_ name: String, _ values: [Double], _ role: Role, line: Int) {
      let ends = " \(Self.figure(values.first ?? .nan)) → \(Self.figure(values.last ?? .nan))"
      let room = area.columns - 6 - ends.width
      canvas.write(name, style: .faint, line: line, of: area)
      let shown = Array(values.suffix(max(room, 0)))
      let finite = shown.filter(\.isFinite)
      guard let low = finite.min(), let high = finite.max(), room > 0 else { return }
      let spark = Rectangle(column: area.column + 6, row: area.row, columns: room, rows: area.rows)
      canvas.sparkline(
        shown, scale: Scale(from: low - (high - low) * 0.1, to: high), style: Style(role), line: line, of: spark,
        glyphs: glyphs)
      let note =
        line == 0 ? "  steps \(Figure.grouped(known[0].key))–\(Figure.grouped(known[known.count - 1].key))" : ""
      let reading = line == 0 && rest > 0 ? ", \(rest) more" : ""
      let end = shown.count + 6
      canvas.write(
        [Span(ends, .bold), Span(note + reading, .faint)], line: line,
        of: Rectangle(column: area.column + end, row: area.row, columns: area.columns - end, rows: area.rows))
    }
    guard !known.isEmpty else { return }
    draw("norm", known.map(\.value.norm), .first, line: 0)
    if area.rows > 1 { draw("std", known.map(\.value.deviation), .third, line: 1) }
  }
}
