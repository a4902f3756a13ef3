// The plot of the losses: smoothed lines over bands of raw values. The scale follows the usual values; marks at the edge show
// cut-off ones.
import Run
import TerminalUI

/// The losses, sampled for a plot of known width.
struct LossChart: Sendable {
  /// A head's line: a value per column of points, nil on columns without a step.
  struct LossLine: Sendable {
    let track: History.LossTrack
    let pen: Pen
    var smooth: [Double?] = []
    var raw: [Series.Statistics?] = []
  }

  /// A head's held-out loss: a point per evaluation.
  struct HeldOutLine: Sendable {
    let head: Head
    let style: Style
    var values: [Double?] = []
  }

  private(set) var lines: [LossLine]
  private(set) var heldOut: [HeldOutLine]
  /// For a branch, the parent's losses after the branching step: a smoothed value per column of points.
  private(set) var left: [[Double?]] = []
  /// Columns with a loss that is not finite.
  private(set) var badColumns: [Int] = []
  let width: Int

  /// - Parameters:
  ///   - x: the visible part of the axis.
  ///   - width: the plot's width in columns of points.
  init(
    _ history: History, axis: Axis, x: Scale, width: Int, tracks: [(track: History.LossTrack, pen: Pen)],
    heldOut: [(head: Head, style: Style)]
  ) {
    self.width = width
    let ranges = history.places.ranges(axis, x, width)
    let covered = history.places.ranges(axis, x, width, covering: true)
    lines = tracks.map { track, pen in
      var line = LossLine(track: track, pen: pen)
      line.smooth = Self.values(of: track.losses, isOptional: track.isOptional, ranges)
      line.raw = covered.map { range in
        let summary = track.losses.raw.summary(of: range)
        return range.isEmpty || summary.count == 0 ? nil : summary
      }
      return line
    }
    for (column, range) in ranges.enumerated() where !range.isEmpty {
      let isBad = tracks.contains { !$0.track.isOptional && $0.track.losses.raw.summary(of: range).bad > 0 }
      if isBad { badColumns.append(column) }
    }
    if let parent = history.left {
      let ranges = parent.ranges(axis, x, width)
      left = tracks.compactMap { track, _ in
        parent.losses(of: track).map { Self.values(of: $0, isOptional: track.isOptional, ranges) }
      }
    }
    let evaluations = history.evaluations.places.ranges(axis, x, width)
    self.heldOut = heldOut.map { head, style in
      let series = history.evaluations[.loss(head)]
      return HeldOutLine(
        head: head, style: style, values: evaluations.map { $0.isEmpty ? nil : series?.summary(of: $0).mean })
    }
  }

  /// The smoothed values of a line: nil on columns without a step, or without a step that has the number.
  private static func values(
    of losses: SmoothedSeries, isOptional: Bool, _ ranges: [Range<Int>]
  ) -> [Double?] {
    ranges.map { range in
      guard !range.isEmpty, !isOptional || losses.raw.summary(of: range).count > 0 else { return nil }
      return losses.smooth.summary(of: range).mean
    }
  }

  // MARK: The y axis

  /// The lowest and the highest value of the y axis in nats; nil if no value is finite.
  /// - Parameter isWhole: true shows all values; false cuts off spikes of the raw values, and their traces in the smoothed
  ///   ones.
  func bounds(isWhole: Bool) -> (low: Double, high: Double)? {
    var low = Double.infinity
    var high = -Double.infinity
    func take(_ value: Double) {
      guard value.isFinite else { return }
      low = min(low, value)
      high = max(high, value)
    }
    for line in lines {
      let raw = line.raw.compactMap { $0 }
      if isWhole {
        for summary in raw {
          take(Double(summary.minimum))
          take(Double(summary.maximum))
        }
        continue
      }
      for value in usual(line.smooth.compactMap { $0 }) { take(value) }
      let (highest, lowest) = (raw.map { Double($0.maximum) }, raw.map { Double($0.minimum) })
      guard let top = Self.quantile(highest, 0.95), let bottom = Self.quantile(lowest, 0.05) else { continue }
      // Values a little beyond the usual range are shown; only a spike that would take a third of the axis is cut off.
      let margin = (top - bottom) * Self.tolerance
      take(highest.filter { $0 <= top + margin }.max() ?? top)
      take(lowest.filter { $0 >= bottom - margin }.min() ?? bottom)
    }
    for line in heldOut { for value in line.values { take(value ?? .nan) } }
    for line in left { for value in line { take(value ?? .nan) } }
    return low <= high ? (low, high) : nil
  }

  /// The extremes of smoothed values without the trace of a spike. The high values at the beginning of a run are not a spike.
  private func usual(_ values: [Double]) -> [Double] {
    guard let first = values.first, let high = Self.quantile(values, 0.97), let low = values.min() else { return [] }
    let settled = values.firstIndex { $0 <= high } ?? 0
    let beginning = values[...settled].max() ?? first
    let rest = values[settled...].max() ?? first
    return [low, beginning, min(rest, high + (high - low))]
  }

  /// The margin for rare values beyond the usual range, as a share of that range.
  private static let tolerance = 0.35

  static func quantile(_ values: [Double], _ share: Double) -> Double? {
    guard !values.isEmpty else { return nil }
    return values.sorted()[Int((share * Double(values.count - 1)).rounded())]
  }

  // MARK: The picture

  /// - Parameter hasShades: false where the terminal has no darker shade for bands, which would hide the lines in them.
  func draw(_ y: Scale, hasShades: Bool = true, on plot: inout Plot) {
    let height = plot.height
    func row(_ value: Double) -> Int { height - 1 - y.point(of: value, among: height) }
    for values in left {
      Self.drawLine(values, row, Pen(style: .faint, symbol: "·"), isThick: false, &plot)
    }
    for line in lines.reversed() {
      if hasShades { drawBand(line, row, &plot) } else { drawDots(line, row, &plot) }
    }
    let isThick = plot.glyphs == .braille && plot.rows >= 6
    let hasMany = lines.count > 5
    for line in lines.reversed() {
      // Among very many lines, those with a mark are thin, so that they do not cover each other.
      let isThin = hasMany && line.track.head.isNumbered
      Self.drawLine(line.smooth, row, line.pen, isThick: isThick && !isThin, &plot)
    }
    drawMarks(row, &plot)
    for line in heldOut { drawHeldOut(line, row, &plot) }
    drawClipped(y, &plot)
    for column in badColumns { plot.mark(x: column, y: 0, "×", style: Style(.bad, .bold)) }
  }

  /// Draws a column from the lowest to the highest raw value, joined to its neighbours, so that few values become a thin line.
  private func drawBand(_ line: LossLine, _ row: (Double) -> Int, _ plot: inout Plot) {
    let style = line.pen.style.behind
    var before: (x: Int, y: Int)?
    for (column, summary) in line.raw.enumerated() {
      guard let summary, let mean = summary.mean else { continue }
      plot.band(x: column, from: row(Double(summary.maximum)), to: row(Double(summary.minimum)), style: style)
      let point = (x: column, y: row(mean))
      if let before { plot.bandLine(from: before, to: point, style: style) }
      before = point
    }
  }

  /// Columns of points that share two dots.
  private static let dotted = 4

  /// Draws the raw values where a band would hide its line: as a band while they are few; then as dots, the lowest and the
  /// highest value of some columns.
  private func drawDots(_ line: LossLine, _ row: (Double) -> Int, _ plot: inout Plot) {
    let steps = line.raw.reduce(0) { $0 + ($1?.count ?? 0) }
    guard steps * 2 > width else { return drawBand(line, row, &plot) }
    let style = line.pen.style.behind
    func dot(_ column: Int, _ value: Float) {
      let y = row(Double(value))
      plot.band(x: column, from: y, to: y, style: style)
    }
    for start in stride(from: 0, to: line.raw.count, by: Self.dotted) {
      var highest: (column: Int, value: Float)?
      var lowest: (column: Int, value: Float)?
      for column in start..<min(start + Self.dotted, line.raw.count) {
        guard let summary = line.raw[column], summary.count > 0 else { continue }
        if summary.maximum > highest?.value ?? -.infinity { highest = (column, summary.maximum) }
        if summary.minimum < lowest?.value ?? .infinity { lowest = (column, summary.minimum) }
      }
      if let highest { dot(highest.column, highest.value) }
      if let lowest { dot(lowest.column, lowest.value) }
    }
  }

  static func drawLine(
    _ values: [Double?], _ row: (Double) -> Int, _ pen: Pen, isThick: Bool, _ plot: inout Plot
  ) {
    var before: (x: Int, y: Int)?
    for (column, value) in values.enumerated() {
      guard let value else { continue }
      let point = (x: column, y: row(value))
      let start = before ?? point
      plot.line(from: start, to: point, pen)
      if isThick {
        let low = plot.height - 1
        plot.line(from: (start.x, min(start.y + 1, low)), to: (point.x, min(point.y + 1, low)), pen)
      }
      before = point
    }
  }

  /// Draws the marks of heads of one kind, each head's on columns of its own.
  private func drawMarks(_ row: (Double) -> Int, _ plot: inout Plot) {
    let marked = lines.filter { $0.track.head.isNumbered }
    guard !marked.isEmpty, plot.glyphs != .ascii else { return }
    let across = plot.glyphs.points.across
    let stretch = max(width / 5, across * marked.count * 2)
    for (index, line) in marked.enumerated() {
      var column = stretch * (index + 1) / (marked.count + 1)
      while column < width {
        // The first column with a value from here on, before the next mark's column.
        if let place = (column..<min(column + across, width)).first(where: { line.smooth[$0] != nil }),
          let value = line.smooth[place], plot.lineStyle(x: place, y: row(value)) == line.pen.style
        {
          // A mark does not cover another line in front; it waits until the lines part.
          plot.mark(x: place, y: row(value), line.track.head.look.symbol, style: line.pen.style.bold)
          column += stretch
        } else {
          column += across
        }
      }
    }
  }

  /// Cells between two evaluations that are drawn on curves.
  private static let ringDistance = 6

  /// Draws a ring for every evaluation beside the curves. On curves, which rings would hide, only the newest and the best
  /// evaluation have one, and others at some distance.
  private func drawHeldOut(_ line: HeldOutLine, _ row: (Double) -> Int, _ plot: inout Plot) {
    var points: [(x: Int, y: Int, value: Double)] = []
    for (column, value) in line.values.enumerated() {
      if let value { points.append((x: column, y: row(value), value: value)) }
    }
    let across = plot.glyphs.points.across
    let sign = line.head.look.heldOutSign
    let first = [points.last, points.min { $0.value < $1.value }].compactMap { $0 }
    let rings = first.filter { plot.hasLine(x: $0.x, y: $0.y) }
    var places = rings.map { $0.x / across }
    for point in points {
      if plot.hasLine(x: point.x, y: point.y) {
        let place = point.x / across
        let isFar = places.allSatisfy { abs($0 - place) >= Self.ringDistance }
        guard isFar, !plot.hasMark(x: point.x, y: point.y) else { continue }
        places.append(place)
      }
      plot.mark(x: point.x, y: point.y, sign, style: line.style)
    }
    for ring in rings { plot.mark(x: ring.x, y: ring.y, sign, style: line.style) }
  }

  /// Marks the columns whose raw values lie beyond the axis, at the plot's edge.
  private func drawClipped(_ y: Scale, _ plot: inout Plot) {
    let margin = (y.upper - y.lower) / Double(max(plot.height - 1, 1))
    for line in lines {
      for (column, summary) in line.raw.enumerated() {
        guard let summary else { continue }
        if Double(summary.maximum) > y.upper + margin { plot.mark(x: column, y: 0, "▴", style: line.pen.style.bold) }
        if Double(summary.minimum) < y.lower - margin {
          plot.mark(x: column, y: plot.height - 1, "▾", style: line.pen.style.bold)
        }
      }
    }
  }
}
