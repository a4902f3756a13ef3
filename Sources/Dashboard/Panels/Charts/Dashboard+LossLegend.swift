// The legend of the loss chart: below the chart, or beside the ends of the lines if one row is too short. Every line has its
// name or its mark in it.
import Run
import TerminalUI

/// The legend's entries and their place.
struct LossLegend: Sendable {
  /// A line's name and value.
  struct LegendEntry: Sendable {
    /// The mark and the value without the name, for heads that their marks tell apart.
    let short: [Span]
    let long: [Span]
    /// With details, such as TOP's divergence (kl).
    let whole: [Span]
    /// The value at the line's end; nil for an entry without a line.
    let end: Double?
    /// The line's slope at the cursor.
    var slope: Span?
    /// The long form with the slope.
    var read: [Span] { long + (slope.map { [Span(" "), $0] } ?? []) }
  }

  var entries: [LegendEntry] = []
  /// The entry of the history that is read: that of the cursor, or, on the whole screen, the last one; nil if none is.
  var read: Int?
  /// The rows below the chart.
  var below: [[Span]] = []
  /// True if the entries stand beside the chart.
  var isAtEdge = false
  /// True if slopes are shown.
  var hasSlopes = false
  /// True if raw values are shown.
  var hasRaw = false
  /// True if, beside the chart, slopes stand in the place of names.
  var isTerse = false
  /// The width beside the chart of a legend that must not change it; nil for the width of the entries.
  var fixedWidth: Int?
  /// True if the legend has a place.
  var isShown: Bool { isAtEdge || !below.isEmpty }
  var edgeWidth: Int {
    isAtEdge ? fixedWidth ?? (entries.map(\.long.width).max() ?? 0) + 1 + slopeWidth : 0
  }
  /// The width of the column of slopes beside the chart.
  var slopeWidth: Int { hasSlopes ? (entries.compactMap { $0.slope?.width }.max() ?? -1) + 1 : 0 }

  /// Entries in at most so many rows; those without room are counted at the end: `+3`.
  static func fitted(_ entries: [[Span]], columns: Int, rows: Int, gap: Int = 2) -> [[Span]] {
    guard rows > 0 else { return [] }
    var shown = entries
    var wrapped = TokenText.wrapped(entries, to: columns, between: .gap(gap))
    while shown.count > 1, wrapped.count > rows {
      shown.removeLast()
      let more = [Span("+\(entries.count - shown.count)", .faint)]
      wrapped = TokenText.wrapped(shown + [more], to: columns, between: .gap(gap))
    }
    return wrapped
  }
}

extension Dashboard {
  /// The legend for a chart of this size. With a cursor, it has the values at the cursor; it takes the same room as without one, so
  /// that the chart stays where it is.
  func lossLegend(columns: Int, rows: Int, axisRows: Int) -> LossLegend {
    let entry = isFullScreen && rows >= 19 && columns >= 88 ? history.count - 1 : nil
    let resting = restingLegend(at: entry, columns: columns, rows: rows, axisRows: axisRows)
    return cursorEntry.map { reading($0, in: resting, columns: columns) } ?? resting
  }

  /// A legend with the values at an entry, in the room of another.
  private func reading(_ entry: Int, in resting: LossLegend, columns: Int) -> LossLegend {
    var legend = resting
    legend.read = entry
    legend.entries = legendEntries(at: entry)
    if resting.isAtEdge {
      legend.fixedWidth = resting.edgeWidth
      // A mark, a value and a slope, if they are no wider than a mark, a name and a value.
      func widest(_ part: (LossLegend.LegendEntry) -> Span?) -> Int {
        legend.entries.compactMap { part($0)?.width }.max() ?? 0
      }
      let width = widest(\.long.first) + 1 + widest(\.long.last) + 1 + widest(\.slope)
      legend.isTerse = !resting.hasSlopes && width < resting.edgeWidth
      legend.hasSlopes = resting.hasSlopes || legend.isTerse
      return legend
    }
    guard !resting.below.isEmpty else { return legend }
    (legend.hasSlopes, legend.hasRaw) = (false, false)
    legend.below = []
    let forms = [legend.entries.map(\.whole), legend.entries.map(\.read), legend.entries.map(\.long)]
    for (index, form) in forms.enumerated() where legend.below.isEmpty {
      for gap in [3, 2] where legend.below.isEmpty {
        let wrapped = TokenText.wrapped(form, to: columns, between: .gap(gap))
        guard wrapped.count <= resting.below.count, !wrapped.contains(where: { $0.width > columns }) else { continue }
        legend.below = wrapped
        (legend.hasSlopes, legend.hasRaw) = (index < 2, index == 0)
      }
    }
    if legend.below.isEmpty {
      legend.below = LossLegend.fitted(legend.entries.map(\.short), columns: columns, rows: resting.below.count)
    }
    while legend.below.count < resting.below.count { legend.below.append([]) }
    return legend
  }

  /// The legend where there is no cursor.
  private func restingLegend(at entry: Int?, columns: Int, rows: Int, axisRows: Int) -> LossLegend {
    var legend = LossLegend(entries: legendEntries(at: entry), read: entry)
    let total = totalEntry(columns: columns)
    guard rows >= 4 else { return legend }
    if entry != nil {
      // A few rows: with raw values and slopes, or with slopes.
      for (index, entries) in [legend.entries.map(\.whole) + total, legend.entries.map(\.read)].enumerated() {
        let wrapped = TokenText.wrapped(entries, to: columns)
        guard wrapped.count <= max(rows / 6, 1), !wrapped.contains(where: { $0.width > columns }) else { continue }
        legend.below = wrapped
        (legend.hasSlopes, legend.hasRaw) = (true, index == 0)
        return legend
      }
    }
    // One row: with the total and all details, or without the total, or without details as well.
    var forms = [legend.entries.map(\.long)]
    if entry == nil { forms = [legend.entries.map(\.whole) + total, legend.entries.map(\.whole)] + forms }
    for form in forms {
      for gap in [3, 2] {
        let row = Array(form.joined(separator: [Span.gap(gap)]))
        guard row.width <= columns else { continue }
        legend.below = [row]
        return legend
      }
    }
    if columns >= 60, legend.entries.count <= rows - axisRows {
      legend.isAtEdge = true
      legend.hasSlopes = entry != nil
      return legend
    }
    // Several rows: a third of the panel, or what the plot can spare.
    let (long, short) = (
      TokenText.wrapped(legend.entries.map(\.long), to: columns, between: .gap(2)),
      TokenText.wrapped(legend.entries.map(\.short), to: columns, between: .gap(2))
    )
    legend.below = long.count <= min(rows / 3, short.count + 1) ? long : short
    // The plot has four rows at least, where the panel is not too low for that.
    let room = max(rows / 3, rows - axisRows - 4, 1)
    guard legend.below.count > room else { return legend }
    legend.below = LossLegend.fitted(legend.entries.map(\.short), columns: columns, rows: room)
    return legend
  }

  /// The entries; all their numbers but the raw values are smoothed as the lines are.
  /// - Parameter entry: the entry of the history that is read; nil for the values at the end.
  private func legendEntries(at entry: Int?) -> [LossLegend.LegendEntry] {
    let numbered = shownTracks.map(\.head).filter(\.isNumbered)
    let unit = slopeUnit
    var entries = shownTracks.map { track in
      let style = pen(track).style.bold
      let smoothed = entry.map(track.smoothed(at:)) ?? track.smoothed
      let value = Span(track.figure(smoothed), style)
      let head = track.head
      let mark = Span(Self.sign(track), style)
      let long = [mark, Span(" \(track.label) "), value]
      var whole = long
      var slope: Span?
      if let entry {
        let change = self.slope(of: track, at: entry).map { Self.signed($0 * Double(unit)) } ?? "–"
        slope = Span(change, .faint)
        whole += [
          Span(" raw ", .faint), Span(track.figure(Double(track.losses.raw.values[entry]))),
          Span(" " + change, .faint),
        ]
      }
      // Details are known of the last step alone.
      let last = cursorEntry == nil && !track.isOptional ? history.last?.losses.first { $0.head == head } : nil
      if let last, let kl = last.kl {
        // kl: the loss minus its floor, the entropy of the targets.
        whole.append(Span(" (kl \(Figure.loss(track.smoothed - Double(last.loss - kl))))", .faint))
      }
      if let words = last.map(unshown), !words.isEmpty { whole.append(Span(" (\(words))", .faint)) }
      return LossLegend.LegendEntry(
        // The first head of a kind names the kind.
        short: head.isNumbered
          ? (head == numbered.first { $0.kind === head.kind } ? [Span("\(head.kind.name) ", .faint)] : []) + [
            mark, Span(" "), value,
          ] : long,
        long: long, whole: whole, end: track.isOptional && track.smoothed.isNaN ? nil : track.smoothed, slope: slope)
    }
    for head in shownHeldOut {
      guard let losses = history.evaluations[.loss(head)], let loss = losses.last else { continue }
      let name = shownHeldOut.count > 1 || head != .ntp ? " held-out \(head.name) " : " held-out "
      let style = Style(.third, .bold)
      var words = Figure.loss(Double(loss))
      if cursorPlace != nil {
        let count = readEvaluations
        words = count > 0 && !losses.values[count - 1].isNaN ? Figure.loss(Double(losses.values[count - 1])) : "–"
      }
      let spans = [Span(String(head.look.heldOutSign), style), Span(name), Span(words, style)]
      entries.append(LossLegend.LegendEntry(short: spans, long: spans, whole: spans, end: Double(loss)))
    }
    return entries
  }

  /// What a step has beside a head's plain loss, and the chart has no line of: `trained 5.123, entropy 3.210`.
  private func unshown(_ loss: HeadLoss) -> String {
    let numbers: [(kind: String, value: Float?)] = [("trained", loss.trained), ("entropy", loss.entropy)]
    return numbers.filter { !shows("\($0.kind)/\(loss.head.name)") }
      .compactMap { number in number.value.map { "\(number.kind) \(Figure.loss(Double($0)))" } }
      .joined(separator: ", ")
  }

  private func totalEntry(columns: Int) -> [[Span]] {
    guard let last = history.last, history.tracks.count > 1, columns >= 64 else { return [] }
    let total = last.losses.reduce(0) { sum, loss in
      sum + Double(loss.weight) * (history.tracks.first { $0.head == loss.head }?.smoothed ?? .nan)
    }
    return [[Span("total ", .faint), Span(Figure.loss(total))]]
  }

  /// Draws names and values beside the ends of the lines, each on a row of its own, in the order of the values.
  func drawEdge(_ legend: LossLegend, _ y: Scale, in edge: Rectangle, on canvas: inout Canvas) {
    let entries = legend.entries.sorted { ($0.end ?? -.infinity) > ($1.end ?? -.infinity) }
    guard entries.count <= edge.rows else { return }
    var places: [Int] = []
    for (index, entry) in entries.enumerated() {
      let wanted = entry.end.map { edge.rows - 1 - y.point(of: $0, among: edge.rows) } ?? edge.rows - 1
      places.append(max(wanted, index, (places.last ?? -1) + 1))
    }
    // Entries pushed below the lower edge move up again.
    for index in places.indices.reversed() {
      places[index] = min(places[index], index + 1 < places.count ? places[index + 1] - 1 : edge.rows - 1)
    }
    let values = entries.map { $0.long.last?.width ?? 0 }.max() ?? 0
    for (entry, place) in zip(entries, places) {
      var spans = legend.isTerse ? Array(entry.long.prefix(1)) : Array(entry.long.dropLast())
      let value = entry.long.last ?? Span("")
      let gap = legend.isTerse ? 1 : legend.edgeWidth - 1 - legend.slopeWidth - spans.width - values
      spans.append(.gap(max(gap, 0)))
      spans.append(Span(value.text.padded(to: values, .right), value.style))
      if legend.hasSlopes, let slope = entry.slope {
        spans.append(Span(slope.text.padded(to: legend.slopeWidth, .right), slope.style))
      }
      canvas.write(spans, line: place, of: edge, indent: 1)
    }
  }
}
