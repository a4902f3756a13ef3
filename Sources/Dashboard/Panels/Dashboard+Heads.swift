// The heads panel, a table with a line per head: its loss, smoothed loss, held-out loss, best held-out loss, and share of the
// total loss.
import Run
import TerminalUI

extension Dashboard {
  /// A column of the table: a title, and a cell per head.
  private struct HeadColumn {
    let title: String
    let cells: [String]
    var width: Int { max(title.width, cells.map(\.width).max() ?? 0) }
  }

  func drawHeads(in rectangle: Rectangle, on canvas: inout Canvas) {
    let inside = frame(.heads, notes: headNotes, in: rectangle, on: &canvas)
    guard !history.tracks.isEmpty else {
      return drawNothing("losses come with the first step", in: inside, on: &canvas)
    }
    let tracks = history.tracks
    let name = tracks.map(\.head.name.width).max() ?? 0
    let all = headColumns(tracks)
    var columns = all
    // On a narrow panel these columns are left out, in this order.
    var rank = ["entropy", "trained", "at", "grad at h", "now", "accuracy", "best", "held-out", "share"][...]
    func width(_ columns: [HeadColumn]) -> Int { columns.reduce(name) { $0 + 2 + $1.width } }
    while width(columns) > inside.columns, let title = rank.popFirst() { columns.removeAll { $0.title == title } }

    // What is left out stands below, where a second table has room.
    var further = all.filter { column in !columns.contains { $0.title == column.title } }
    while width(further) > inside.columns, !further.isEmpty { further.removeLast() }
    let second = tracks.count + 2
    let isDouble = !further.isEmpty && inside.rows >= second + tracks.count + 1
    drawTable(columns, names: name, of: tracks, in: rectangle, inside, on: &canvas)
    if isDouble {
      drawTable(further, names: name, of: tracks, in: rectangle, inside.splitTop(second).1, on: &canvas)
    }
    let rows = (isDouble ? second : 0) + tracks.count + 2
    if isFullScreen, inside.rows - rows >= Self.leastAccuracyChart {
      drawAccuracies(in: inside.splitTop(rows).1, on: &canvas)
    }
  }

  /// The least number of rows for a chart below the table, with a title and a legend.
  private static let leastAccuracyChart = 8

  /// Draws the accuracies of the heads over the run, below a title.
  private func drawAccuracies(in area: Rectangle, on canvas: inout Canvas) {
    let lines = history.evaluations.heads.compactMap { head in
      evaluationLine(head.name, head.look.sign, pen(head), .accuracy(head))
    }
    guard !lines.isEmpty else { return }
    let (title, chart) = area.splitTop(1)
    canvas.write("accuracy at each evaluation", style: .faint, line: 0, of: title)
    drawEvaluations(lines, beginsAtZero: true, figure: Figure.quality, in: chart, on: &canvas)
  }

  /// Draws columns of the table below their titles, beside the names of the heads.
  /// - Parameter name: the width of the names.
  private func drawTable(
    _ columns: [HeadColumn], names name: Int, of tracks: [History.LossTrack], in rectangle: Rectangle,
    _ inside: Rectangle, on canvas: inout Canvas
  ) {
    func line(_ first: String, _ cells: [String]) -> String {
      zip(columns, cells).reduce(first.padded(to: name)) { $0 + "  " + $1.1.padded(to: $1.0.width, .right) }
    }
    canvas.write(line("", columns.map(\.title)), style: .faint, line: 0, of: inside)
    let room = max(inside.rows - 1, 0)
    let first = min(scroll[.heads, default: 0], max(tracks.count - room, 0))
    for (row, index) in tracks.indices.dropFirst(first).prefix(room).enumerated() {
      let head = tracks[index].head
      let text = line(head.name, columns.map { $0.cells[index] })
      canvas.write(
        [
          Span(String(text.prefix(head.name.count)), pen(head).style.bold),
          Span(String(text.dropFirst(head.name.count))),
        ], line: 1 + row, of: inside)
    }
    canvas.noteHidden(first..<min(first + room, tracks.count), of: tracks.count, in: rectangle, inside)
  }

  private var headNotes: [String] {
    guard history.tracks.count > 1, let total = smoothedTotal else { return [] }
    return ["total \(Figure.loss(total))"]
  }

  /// The total loss Σ λ · loss over the heads in nats, smoothed as the lines are; nil if a loss is not finite.
  private var smoothedTotal: Double? {
    let total = history.tracks.reduce(0) { $0 + weight(of: $1.head) * $1.smoothed }
    return total.isFinite ? total : nil
  }

  private func headColumns(_ tracks: [History.LossTrack]) -> [HeadColumn] {
    let total = smoothedTotal
    let best = tracks.map { bestHeldOut(of: $0.head) }
    func heldOut(_ quantity: EvaluationHistory.Quantity) -> Float? { history.evaluations[quantity]?.last }
    func loss(_ value: Double?) -> String { value.map(Figure.loss) ?? "—" }
    func beside(_ kind: History.LossTrack.TrackQuantity) -> HeadColumn {
      let lines = history.chartTracks.filter { $0.quantity == kind && !$0.smoothed.isNaN }
      return HeadColumn(
        title: kind.rawValue,
        cells: tracks.map { track in loss(lines.first { $0.head == track.head }?.smoothed) })
    }
    return [
      HeadColumn(title: "now", cells: tracks.map { loss($0.losses.raw.last.map(Double.init)) }),
      HeadColumn(title: "smooth", cells: tracks.map { loss($0.smoothed) }),
      beside(.trained), beside(.entropy),
      HeadColumn(title: "held-out", cells: tracks.map { loss(heldOut(.loss($0.head)).map(Double.init)) }),
      HeadColumn(title: "best", cells: best.map { loss($0?.loss) }),
      HeadColumn(title: "at", cells: best.map { $0?.step.map(Figure.grouped) ?? "—" }),
      HeadColumn(
        title: "share",
        cells: tracks.map { track in
          guard let total, total > 0 else { return "—" }
          return Figure.fixed(100 * weight(of: track.head) * track.smoothed / total, 0) + " %"
        }),
      HeadColumn(title: "λ", cells: tracks.map { Figure.factor(weight(of: $0.head)) }),
      HeadColumn(
        title: "accuracy",
        cells: tracks.map { heldOut(.accuracy($0.head)).map { Figure.quality($0) } ?? "—" }),
      HeadColumn(
        title: "grad at h",
        cells: tracks.map { heldOut(.gradientAtH($0.head)).map { Figure.norm(Double($0)) } ?? "—" }),
    ].filter { column in column.cells.contains { $0 != "—" } }
  }

  /// The lowest held-out loss of a head in nats, and its step. The step is nil if only a sum of old evaluations has the value.
  private func bestHeldOut(of head: Head) -> (loss: Double, step: Int?)? {
    guard let series = history.evaluations[.loss(head)], series.summary.count > 0 else { return nil }
    let lowest = series.summary.minimum
    let index = series.values.firstIndex(of: lowest)
    return (Double(lowest), index.map { Int(history.evaluations.places[.step][$0]) })
  }
}
