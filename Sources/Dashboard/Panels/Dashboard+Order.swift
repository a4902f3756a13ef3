// The order panel: the true order of upcoming tokens at a held-out position, and the TOP head's rank of each.
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
      // Below a star graph, the order of its tokens if there is room.
      guard sample != nil, inside.rows - rows >= 6 else { return }
      inside = inside.splitTop(rows + 1).1
    }
    guard let sample else {
      let every = beginning?.recipe.sample.every ?? 0
      let text =
        beginning?.recipe.heads.contains(where: \.ranks) == false
        ? "this run has no TOP head"
        : isOver
          ? "this run has no TOP sample"
          : every > 0 ? "TOP samples come every \(Figure.grouped(every)) steps" : "no TOP sample yet"
      return drawNothing(text, in: inside, on: &canvas)
    }
    if isFullScreen, inside.columns >= 110, inside.rows >= 12 {
      // On the whole screen the other probes have room, too.
      let (left, right) = inside.splitLeft(inside.columns / 2)
      drawProbes(in: right.inset(columns: 2), on: &canvas)
      inside = left
    }
    if inside.rows >= 7, inside.columns >= 34 {
      let shown = drawOrderTable(sample, in: inside, on: &canvas)
      canvas.noteHidden(shown, of: sample.upcoming.count, in: rectangle, inside)
    } else {
      drawOrderLines(sample, in: inside, on: &canvas)
    }
  }

  /// `ndcg@8 .710   τ .541   recall@8 .625`.
  private static func quality(_ sample: OrderSample) -> [Span] {
    let parts = [("ndcg@8 ", sample.ndcg8), ("τ ", sample.tau), ("recall@8 ", sample.recall8)]
    return Array(
      parts.map { [Span($0), Span(Figure.quality($1), .bold)] }.joined(separator: [Span("   ")]))
  }

  /// True if the rank of an upcoming token is at most the number of upcoming tokens.
  private static func isHit(_ upcoming: OrderSample.Upcoming, of sample: OrderSample) -> Bool {
    upcoming.rank > 0 && upcoming.rank <= max(sample.upcoming.count, 1)
  }

  /// A rank as text; a dash if a logit is NaN, so that the vocabulary cannot be ordered.
  private static func rank(_ upcoming: OrderSample.Upcoming) -> String {
    upcoming.rank > 0 ? Figure.short(Double(upcoming.rank)) : "–"
  }

  /// - Returns: the places of the upcoming tokens that are drawn.
  private func drawOrderTable(_ sample: OrderSample, in inside: Rectangle, on canvas: inout Canvas) -> Range<Int> {
    canvas.write("context", style: .faint, line: 0, of: inside)
    canvas.write(TokenText.context(sample.context, columns: inside.columns - 9), line: 0, of: inside, indent: 9)

    // Below the table: the head's ranking, the MTP heads' predictions, the ranking's quality and its history, and the words'
    // meanings.
    let ranking = sample.ranking.map(TokenText.label).joined(separator: "  ").wrapped(to: inside.columns - 9)
    let rankingRows = min(ranking.count, inside.rows >= 14 ? 2 : 1)
    let further = furtherLines(sample.further ?? [], columns: inside.columns - 9)
    let furtherRows = inside.rows >= 11 ? min(further.count, inside.rows >= 16 ? 2 : 1) : 0
    let hasSparkline = inside.rows >= 12
    // Empty lines around the table only where tokens need no rows of theirs.
    let least = 2 + rankingRows + furtherRows + 1 + (hasSparkline ? 1 : 0)
    let air = inside.rows >= least + 2 + min(sample.upcoming.count, 8) ? 1 : 0
    let reserved = least + 2 * air
    let words = Self.meaning(of: sample).wrapped(to: inside.columns)
    // If the whole table fits, the remaining rows explain its words.
    let hasWords = inside.rows >= reserved + max(sample.upcoming.count, 4) + words.count + 1
    let room = max(inside.rows - reserved - (hasWords ? words.count + 1 : 0), 1)

    let shown = drawUpcoming(sample, from: 1 + air, room: room, in: inside, on: &canvas)
    var line = 2 + shown.count + 2 * air
    canvas.write("head", style: .faint, line: line, of: inside)
    for index in 0..<rankingRows {
      let isLast = index == rankingRows - 1 && ranking.count > rankingRows
      let text = isLast ? ranking[index] + " …" : ranking[index]
      canvas.write(text.cut(to: inside.columns - 9), style: Style(.second), line: line + index, of: inside, indent: 9)
    }
    line += rankingRows
    draw(further, most: furtherRows, beside: "mtp", line: &line, indent: 9, in: inside, on: &canvas)
    canvas.write(Self.quality(sample), line: line, of: inside)
    line += 1
    if hasSparkline {
      canvas.write("ndcg@8", style: .faint, line: line, of: inside)
      let area = Rectangle(column: inside.column + 9, row: inside.row + line, columns: inside.columns - 9, rows: 1)
      canvas.sparkline(
        qualities(area.columns), scale: Scale(from: 0, to: 1), style: Style(.second), line: 0, of: area, glyphs: glyphs)
      line += 1
    }
    if hasWords {
      for (index, text) in words.enumerated() { canvas.write(text, style: .faint, line: line + 1 + index, of: inside) }
    }
    return shown
  }

  /// An explanation of the table's words.
  private static func meaning(of sample: OrderSample) -> String {
    "rank: the token's place when the head orders the whole vocabulary. weight: its share of TOP's target, more for what "
      + "comes sooner. ✓: its rank is at most \(max(sample.upcoming.count, 1)), the number of tokens that come."
  }

  /// Draws the upcoming tokens, each with its rank in this sample and in the compared one.
  /// - Returns: the places of the tokens that are drawn.
  private func drawUpcoming(
    _ sample: OrderSample, from top: Int, room: Int, in inside: Rectangle, on canvas: inout Canvas
  ) -> Range<Int> {
    let compared = inside.columns >= 42 ? comparedSample : nil
    // The largest rank that counts as a hit: the number of upcoming tokens, whether or not all are listed.
    let most = max(sample.upcoming.count, 1)
    let isTight = inside.columns < 8 + (compared == nil ? 23 : 31) + "  ✓ ≤ \(most)".width
    let widths = isTight ? (weight: 8, rank: 8, old: 7, gap: " ") : (weight: 9, rank: 8, old: 8, gap: "  ")
    let fixed = 6 + widths.weight + widths.rank + (compared == nil ? 0 : widths.old) + 3
    let token = min(max(sample.upcoming.map(\.token.width).max() ?? 8, 8), max(inside.columns - fixed, 6))
    func row(_ name: String, _ distance: String, _ weight: String, _ rank: String) -> String {
      name.cut(to: token).padded(to: token) + distance.padded(to: 6, .right) + weight.padded(to: widths.weight, .right)
        + rank.padded(to: widths.rank, .right)
    }
    var header = row("upcoming", "ahead", "weight", "rank")
    if let compared { header += ("@" + Figure.short(Double(compared.step))).padded(to: widths.old, .right) }
    canvas.write(header, style: .faint, line: top, of: inside)
    let places = widths.gap + (isTight ? "✓≤\(most)" : "✓ ≤ \(most)")
    if header.width + places.width <= inside.columns {
      canvas.write(places, style: .faint, line: top, of: inside, indent: header.width)
    }
    let first = min(scroll[.order, default: 0], max(sample.upcoming.count - room, 0))
    for (index, upcoming) in sample.upcoming.dropFirst(first).prefix(room).enumerated() {
      let isHit = Self.isHit(upcoming, of: sample)
      let old = compared?.upcoming.first { $0.token == upcoming.token && $0.distance == upcoming.distance }
      canvas.write(
        [
          Span(
            row(
              TokenText.label(upcoming.token), String(upcoming.distance), Figure.share(Double(upcoming.weight), 3),
              Self.rank(upcoming))),
          Span(compared == nil ? "" : (old.map(Self.rank) ?? "–").padded(to: widths.old, .right), .faint),
          Span(widths.gap + (isHit ? "✓" : "✗"), Style(isHit ? .good : .bad, .bold)),
        ], line: top + 1 + index, of: inside)
    }
    return first..<min(first + room, sample.upcoming.count)
  }

  /// Draws a line per probe with its newest sample; probes without a sample are left out.
  private func drawProbes(in area: Rectangle, on canvas: inout Canvas) {
    let newest = Dictionary(samples.map { ($0.probe, $0) }) { $1 }
    canvas.write("probe  context", style: .faint, line: 0, of: area)
    canvas.write("hits  ndcg@8   step", style: .faint, line: 0, of: area, .right)
    let probes = newest.values.sorted { $0.probe < $1.probe }
    for (index, other) in probes.prefix(area.rows - 2).enumerated() {
      let isShown = other.probe == sample?.probe
      let hits = other.upcoming.count { Self.isHit($0, of: other) }
      let numbers =
        "\(hits)/\(other.upcoming.count)".padded(to: 6, .right)
        + Figure.quality(other.ndcg8).padded(to: 8, .right)
        + Figure.short(Double(other.step)).padded(to: 8, .right)
      let context = TokenText.context(other.context, columns: area.columns - 31)
      canvas.write(
        [Span((isShown ? "▸ " : "  ") + "\(other.probe + 1)".padded(to: 5), isShown ? .accent : .faint)] + context,
        line: 1 + index, of: area)
      canvas.write(numbers, style: isShown ? .bold : .plain, line: 1 + index, of: area, .right)
    }
    let missing = (sample?.probes ?? 0) - probes.count
    guard missing > 0 else { return }
    canvas.write(
      "\(missing) more: > and < go through them", style: .faint, line: min(probes.count + 2, area.rows - 1), of: area)
  }

  /// NDCG@8 of the newest steps with samples, at most `count`; the mean if a step has several samples.
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
    var lines = [TokenText.context(sample.context, columns: inside.columns)]
    // The upcoming tokens take the remaining lines.
    var comes: [[Span]] = [[]]
    let room = max(inside.rows - 3, 1)
    for upcoming in sample.upcoming {
      let isHit = Self.isHit(upcoming, of: sample)
      let entry = [
        Span(TokenText.label(upcoming.token) + " "), Span(Self.rank(upcoming), .faint),
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
        Span("head  ", .faint), Span(sample.ranking.map(TokenText.label).joined(separator: "  "), Style(.second)),
      ])
    }
    if inside.rows < 3, inside.rows > 1 { lines.append(comes[0]) }
    if inside.rows >= 3 {
      if inside.rows > lines.count + 1 { lines.append([]) }
      let quality = Self.quality(sample)
      let most = max(sample.upcoming.count, 1)
      let threshold = ["   ✓ ≤ \(most)", "  ✓≤\(most)"].first { quality.width + $0.width <= inside.columns }
      lines.append(quality + [Span(threshold ?? "", .faint)])
    }
    for (index, line) in lines.prefix(inside.rows).enumerated() { canvas.write(line, line: index, of: inside) }
  }
}
