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
  }

  var entries: [LegendEntry] = []
  /// The rows below the chart.
  var below: [[Span]] = []
  /// True if the entries stand beside the chart.
  var isAtEdge = false
  var edgeWidth: Int { isAtEdge ? (entries.map(\.long.width).max() ?? 0) + 1 : 0 }

  /// Entries in at most so many rows; those without room are counted at the end: `+3`.
  static func fitted(_ entries: [[Span]], columns: Int, rows: Int, gap: Int = 2) -> [[Span]] {
    guard rows > 0 else { return [] }
    var shown = entries
    var wrapped = TokenText.wrapped(entries, to: columns, gap: gap)
    while shown.count > 1, wrapped.count > rows {
      shown.removeLast()
      let more = [Span("+\(entries.count - shown.count)", .faint)]
      wrapped = TokenText.wrapped(shown + [more], to: columns, gap: gap)
    }
    return wrapped
  }
}

extension Dashboard {
  /// The legend for a chart of this size.
  func lossLegend(columns: Int, rows: Int, axisRows: Int) -> LossLegend {
    var legend = LossLegend(entries: legendEntries)
    let total = totalEntry(columns: columns)
    guard rows >= 4 else { return legend }
    // One row: with the total and all details, or without the total, or without details as well.
    let forms = [legend.entries.map(\.whole) + total, legend.entries.map(\.whole), legend.entries.map(\.long)]
    for form in forms {
      for gap in [3, 2] {
        let row = Array(form.joined(separator: [Span(String(repeating: " ", count: gap))]))
        guard row.width <= columns else { continue }
        legend.below = [row]
        return legend
      }
    }
    if columns >= 60, legend.entries.count <= rows - axisRows {
      legend.isAtEdge = true
      return legend
    }
    // Several rows, at most a third of the panel if all entries fit into that.
    let (long, short) = (
      TokenText.wrapped(legend.entries.map(\.long), to: columns, gap: 2),
      TokenText.wrapped(legend.entries.map(\.short), to: columns, gap: 2)
    )
    legend.below = long.count <= min(rows / 3, short.count + 1) ? long : short
    if legend.below.count <= max(rows / 3, 1) { return legend }
    let room = max(rows - 4, 1)
    guard legend.below.count > room else { return legend }
    legend.below = LossLegend.fitted(legend.entries.map(\.short), columns: columns, rows: room)
    return legend
  }

  /// The entries; all their numbers are smoothed as the lines are.
  private var legendEntries: [LossLegend.LegendEntry] {
    let numbered = shownTracks.map(\.head).filter(\.isNumbered)
    var entries = shownTracks.map { track in
      let style = pen(track.head).style.bold
      let value = Span(Figure.loss(track.smoothed), style)
      let head = track.head
      let mark = Span(head.look.sign, style)
      let long = [mark, Span(" \(head.name) "), value]
      var whole = long
      let last = history.last?.losses.first { $0.head == head }
      if let last, let kl = last.kl {
        // kl: the loss minus its floor, the entropy of the targets.
        whole.append(Span(" (kl \(Figure.loss(track.smoothed - Double(last.loss - kl))))", .faint))
      }
      if let trained = last?.trained, let entropy = last?.entropy {
        // The line is the plain cross-entropy.
        let numbers = "trained \(Figure.loss(Double(trained))), entropy \(Figure.loss(Double(entropy)))"
        whole.append(Span(" (\(numbers))", .faint))
      }
      return LossLegend.LegendEntry(
        // The first head of a kind names the kind.
        short: head.isNumbered
          ? (head == numbered.first { $0.kind === head.kind } ? [Span("\(head.kind.name) ", .faint)] : []) + [
            mark, Span(" "), value,
          ] : long,
        long: long, whole: whole, end: track.smoothed)
    }
    for head in shownHeldOut {
      guard let loss = history.evaluations[.loss(head)]?.last else { continue }
      let name = shownHeldOut.count > 1 || head != .ntp ? " held-out \(head.name) " : " held-out "
      let style = Style(.third, .bold)
      let spans = [Span(String(head.look.heldOutSign), style), Span(name), Span(Figure.loss(Double(loss)), style)]
      entries.append(LossLegend.LegendEntry(short: spans, long: spans, whole: spans, end: Double(loss)))
    }
    return entries
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
      var spans = Array(entry.long.dropLast())
      let value = entry.long.last ?? Span("")
      let gap = legend.edgeWidth - 1 - spans.width - values
      spans.append(Span(String(repeating: " ", count: max(gap, 0))))
      spans.append(Span(value.text.padded(to: values, .right), value.style))
      canvas.write(spans, line: place, of: edge, indent: 1)
    }
  }
}
