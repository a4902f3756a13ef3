// What TOP knows: the true order of upcoming tokens at a held-out position, and where the head ranks each.
import Run
import TerminalUI

extension Dashboard {
  func drawOrder(in rectangle: Rectangle, on canvas: inout Canvas) {
    var notes: [String] = []
    if let sample {
      let probe = "probe \(sample.probe + 1)/\(sample.probes)"
      notes = [
        "< > \(probe) · step \(Figure.grouped(sample.step))", "\(probe) · step \(Figure.grouped(sample.step))", probe,
      ]
    }
    var inside = frame(.order, notes: notes, in: rectangle, on: &canvas)
    if let graph = graphPicture {
      let rows = draw(graph, in: inside, on: &canvas)
      // Below the graph, the order of its tokens as long as there is room for that.
      guard sample != nil, inside.rows - rows >= 6 else { return }
      inside = inside.splitTop(rows + 1).1
    }
    guard let sample else {
      let every = beginning?.recipe.sample.every ?? 0
      let text =
        beginning?.recipe.heads.contains(where: \.ranks) == false
        ? "this run has no TOP head"
        : every > 0 ? "TOP samples come every \(Figure.grouped(every)) steps" : "no TOP sample yet"
      return drawNothing(text, in: inside, on: &canvas)
    }
    if inside.rows >= 9, inside.columns >= 34 {
      drawOrderTable(sample, in: inside, on: &canvas)
    } else {
      drawOrderLines(sample, in: inside, on: &canvas)
    }
  }

  /// `ndcg@8 .71   τ .54   recall@8 .63`.
  private static func quality(_ sample: OrderSample) -> [Span] {
    let parts = [("ndcg@8 ", sample.ndcg8), ("τ ", sample.tau), ("recall@8 ", sample.recall8)]
    return Array(
      parts.map { [Span($0), Span(Figure.share(Double($1)), .bold)] }.joined(separator: [Span("   ")]))
  }

  /// The text before the position, its end always shown, and the place where the order is asked for.
  private static func context(_ sample: OrderSample, columns: Int) -> [Span] {
    // In running text a space is a space.
    [Span(sample.context.joined().replacing("␠", with: " ").cutFront(to: max(columns - 1, 1))), Span("▏", .accent)]
  }

  /// A hit is a token that comes and is among as many first choices as tokens come.
  private static func isHit(_ upcoming: OrderSample.Upcoming, of sample: OrderSample) -> Bool {
    upcoming.rank > 0 && upcoming.rank <= max(sample.upcoming.count, 1)
  }

  /// A rank; a dash where the logits have a NaN, and with it the vocabulary no order.
  private static func rank(_ upcoming: OrderSample.Upcoming) -> String {
    upcoming.rank > 0 ? Figure.short(Double(upcoming.rank)) : "–"
  }

  private func drawOrderTable(_ sample: OrderSample, in inside: Rectangle, on canvas: inout Canvas) {
    canvas.write("context", style: .faint, line: 0, of: inside)
    canvas.write(Self.context(sample, columns: inside.columns - 9), line: 0, of: inside, indent: 9)

    // The head's ranking, wrapped below the table, then the quality and its history.
    let ranking = sample.ranking.map(Self.label).joined(separator: "  ").wrapped(to: inside.columns - 9)
    let rankingRows = min(ranking.count, inside.rows >= 14 ? 2 : 1)
    let hasSparkline = inside.rows >= 12
    let reserved = 3 + 1 + rankingRows + 1 + (hasSparkline ? 1 : 0)
    let room = max(inside.rows - reserved, 1)

    let token = min(max(sample.upcoming.map(\.token.width).max() ?? 8, 8), inside.columns - 28)
    func row(_ name: String, _ distance: String, _ weight: String, _ rank: String) -> String {
      name.cut(to: token).padded(to: token) + distance.padded(to: 6, .right) + weight.padded(to: 9, .right)
        + rank.padded(to: 8, .right)
    }
    canvas.write(row("upcoming", "ahead", "weight", "rank"), style: .faint, line: 2, of: inside)
    // Why rank 10 is a hit: as many places count as tokens come, whether or not all of them are listed.
    let most = max(sample.upcoming.count, 1)
    let places = "  ✓ ≤ \(most)"
    if token + 23 + places.width <= inside.columns {
      canvas.write(places, style: .faint, line: 2, of: inside, indent: token + 23)
    }
    let first = min(scroll[.order, default: 0], max(sample.upcoming.count - room, 0))
    for (index, upcoming) in sample.upcoming.dropFirst(first).prefix(room).enumerated() {
      let isHit = Self.isHit(upcoming, of: sample)
      canvas.write(
        [
          Span(
            row(
              Self.label(upcoming.token), String(upcoming.distance), Figure.share(Double(upcoming.weight), 3),
              Self.rank(upcoming))),
          Span(isHit ? "  ✓" : "  ✗", Style(isHit ? .good : .bad, .bold)),
        ], line: 3 + index, of: inside)
    }

    let shown = min(max(sample.upcoming.count - first, 0), room)
    var line = min(3 + shown + 1, inside.rows - rankingRows - 1 - (hasSparkline ? 1 : 0))
    canvas.write("head", style: .faint, line: line, of: inside)
    for index in 0..<rankingRows {
      let isLast = index == rankingRows - 1 && ranking.count > rankingRows
      let text = isLast ? ranking[index] + " …" : ranking[index]
      canvas.write(text.cut(to: inside.columns - 9), style: Style(.second), line: line + index, of: inside, indent: 9)
    }
    line += rankingRows
    canvas.write(Self.quality(sample), line: line, of: inside)
    if hasSparkline {
      canvas.write("ndcg@8", style: .faint, line: line + 1, of: inside)
      let area = Rectangle(column: inside.column + 9, row: inside.row + line + 1, columns: inside.columns - 9, rows: 1)
      canvas.sparkline(
        qualities(area.columns), scale: Scale(from: 0, to: 1), style: Style(.second), line: 0, of: area, glyphs: glyphs)
    }
  }

  /// A token of a list: one that is nothing but spaces would not be seen.
  private static func label(_ token: String) -> String {
    token.allSatisfy { $0 == " " } ? String(repeating: "␠", count: token.count) : token
  }

  /// NDCG@8 of the latest samples, one a step: the mean where a step has several.
  private func qualities(_ count: Int) -> [Double] {
    var means: [Double] = []
    var index = samples.count
    while index > 0, means.count < count {
      let step = samples[index - 1].step
      var values: [Double] = []
      while index > 0, samples[index - 1].step == step {
        values.append(Double(samples[index - 1].ndcg8))
        index -= 1
      }
      means.append(values.reduce(0, +) / Double(values.count))
    }
    return means.reversed()
  }

  private func drawOrderLines(_ sample: OrderSample, in inside: Rectangle, on canvas: inout Canvas) {
    var lines = [Self.context(sample, columns: inside.columns)]
    // The upcoming tokens take the lines that the others leave.
    var comes: [[Span]] = [[]]
    let room = max(inside.rows - 3, 1)
    for upcoming in sample.upcoming {
      let isHit = Self.isHit(upcoming, of: sample)
      let entry = [
        Span(Self.label(upcoming.token) + " "), Span(Self.rank(upcoming), .faint),
        Span(isHit ? "✓" : "✗", Style(isHit ? .good : .bad, .bold)),
      ]
      let isFirst = comes[comes.count - 1].isEmpty
      if !isFirst, comes[comes.count - 1].width + entry.width + 2 > inside.columns {
        if comes.count == room { break }
        comes.append(entry)
      } else {
        comes[comes.count - 1] += (isFirst ? [] : [Span("  ")]) + entry
      }
    }
    if inside.rows >= 4 { lines += comes }
    if inside.rows >= 5 || inside.rows == 3 {
      lines.append([
        Span("head  ", .faint), Span(sample.ranking.map(Self.label).joined(separator: "  "), Style(.second)),
      ])
    }
    if inside.rows < 3, inside.rows > 1 { lines.append(comes[0]) }
    if inside.rows >= 3 {
      if inside.rows > lines.count + 1 { lines.append([]) }
      lines.append(Self.quality(sample))
    }
    for (index, line) in lines.prefix(inside.rows).enumerated() { canvas.write(line, line: index, of: inside) }
  }
}
