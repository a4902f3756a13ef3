// Draws the data screen: the window's tokens on the left; the targets of the position and the corpus in numbers on the right.
import Foundation
import Run
import TerminalUI

extension DataScreen {
  /// A token's place in the wrapped text.
  struct TokenPlace: Sendable {
    let index: Int
    let column: Int
    let text: String
  }

  /// The areas of the screen's parts.
  struct DataArrangement {
    var header, window, targets, numbers, common, footer: Rectangle
  }

  func arrangement(_ bounds: Rectangle) -> DataArrangement {
    let none = Rectangle(column: 0, row: 0, columns: 0, rows: 0)
    let hasBars = bounds.rows >= 3
    let (header, rest) = bounds.splitTop(hasBars ? 1 : 0)
    let (body, footer) = rest.splitTop(rest.rows - (hasBars ? 1 : 0))
    var parts = DataArrangement(
      header: header, window: body, targets: none, numbers: none, common: none, footer: footer)
    if bounds.columns >= 100, body.rows >= Self.fewestRows {
      let (left, right) = body.splitLeft(body.columns - min(max(body.columns * 2 / 5, 42), 64))
      parts.window = left
      if right.rows >= 26 {
        let numbers = 11
        let common = min(max((right.rows - numbers) / 3, 6), 14)
        let (targets, lower) = right.splitTop(right.rows - numbers - common)
        parts.targets = targets
        (parts.numbers, parts.common) = lower.splitTop(numbers)
      } else if right.rows >= 12 {
        (parts.targets, parts.numbers) = right.splitTop(right.rows * 3 / 5)
      } else {
        parts.targets = right
      }
    } else if body.rows >= 14 {
      let (top, bottom) = body.splitTop(body.rows - min(body.rows / 2, 10))
      parts.window = top
      (parts.targets, parts.numbers) = bottom.splitLeft(bottom.columns >= 76 ? bottom.columns / 2 : bottom.columns)
    } else if body.rows >= Self.fewestRows {
      // The targets are two lines, in a box where the window still has as much room.
      (parts.window, parts.targets) = body.splitTop(body.rows - (body.rows >= 10 ? 4 : 2))
    }
    return parts
  }

  /// The rows between header and footer from which on there is room for the targets.
  private static let fewestRows = 6

  /// The area inside the window's box, for a terminal of this size.
  func textArea(_ size: (columns: Int, rows: Int)) -> Rectangle {
    let area = arrangement(Rectangle(column: 0, row: 0, columns: size.columns, rows: size.rows)).window
    return area.rows >= 4 ? area.inset(columns: 2, rows: 1) : area
  }

  package func draw(size: (columns: Int, rows: Int), now: Double) -> Canvas {
    picture(size, name: "data", notes: Self.words) { canvas in
      let parts = arrangement(canvas.bounds)
      drawHeader(in: parts.header, on: &canvas)
      drawWindow(in: parts.window, on: &canvas)
      if !parts.targets.isEmpty { drawTargets(in: parts.targets, on: &canvas) }
      if !parts.numbers.isEmpty { drawNumbers(in: parts.numbers, on: &canvas) }
      if !parts.common.isEmpty { drawCommon(in: parts.common, on: &canvas) }
      drawFooter(in: parts.footer, on: &canvas)
    }
  }

  private static let words =
    "Two colours alternate, to show where tokens begin. A dim, underlined token is a position whose loss does not count; ║ stands "
    + "where a document begins. NTP predicts the next token. TOP (token order prediction) ranks the upcoming tokens: a token's "
    + "weight is its share of TOP's target, larger for nearer tokens, and the weights sum to 1. Tokens of TOP's target are bold in "
    + "the text."

  private func drawHeader(in area: Rectangle, on canvas: inout Canvas) {
    let window = "window \(Figure.grouped(page.number)) of \(Figure.grouped(summary.windows))"
    drawHeader(
      [
        Dashboard.Piece("foretop", .faint, rank: 7), Dashboard.Piece("data", .bold, rank: 4),
        Dashboard.Piece(summary.name, rank: 3), Dashboard.Piece(window, .bold, rank: 0),
        Dashboard.Piece("position \(position) of \(page.tokens.count)", rank: 2),
        Dashboard.Piece(summary.corpus, .faint, rank: 6),
      ], in: area, on: &canvas)
  }

  private func drawFooter(in area: Rectangle, on canvas: inout Canvas) {
    guard !area.isEmpty else { return }
    let inside = Self.bar(area)
    drawKeys(in: inside, on: &canvas)
    draw(message: message, above: area, on: &canvas)
  }

  // MARK: The window

  /// A token's text as the window shows it.
  private static func shown(_ index: Int, of page: DataPage) -> String {
    let text = page.text[index].replacing("␠", with: " ")
    return text.isEmpty ? "∅" : text
  }

  /// The tokens wrapped into lines of at most `columns` cells. A line feed ends a line, and a document begins one.
  func tokenLines(columns: Int) -> [[TokenPlace]] { Self.lines(of: page, columns: columns) }

  private static func lines(of page: DataPage, columns: Int) -> [[TokenPlace]] {
    var lines: [[TokenPlace]] = [[]]
    var column = 0
    for index in page.tokens.indices {
      let text = shown(index, of: page)
      if page.beginsDocument(index) || (column > 0 && column + text.width > columns) {
        lines.append([])
        column = page.beginsDocument(index) ? 2 : 0
      }
      lines[lines.count - 1].append(TokenPlace(index: index, column: column, text: text))
      column += text.width
      if page.text[index].hasSuffix("␊") {
        lines.append([])
        column = 0
      }
    }
    return lines
  }

  private func drawWindow(in area: Rectangle, on canvas: inout Canvas) {
    let documents = page.documents.map { Set($0.prefix(page.tokens.count)).count }
    let words = documents.map { $0 == 1 ? "1 document" : "\($0) documents" }
    let masked = page.mask.count { !$0 }
    let notes = ([words] + [masked > 0 ? "\(masked) without a target" : nil]).compactMap { $0 }.joined(separator: " · ")
    let inside = area.rows >= 4 ? canvas.box(area, title: "window \(page.number)", notes: [notes]) : area
    let lines = tokenLines(columns: inside.columns)
    let here = lines.firstIndex { $0.contains { $0.index == position } } ?? 0
    let first = min(max(here - inside.rows / 2, 0), max(lines.count - inside.rows, 0))
    let weights = Dictionary(
      (page.order.indices.contains(position) ? page.order[position] : []).map { (position + $0.distance, $0.weight) },
      uniquingKeysWith: { first, _ in first })
    for (row, line) in lines.dropFirst(first).prefix(inside.rows).enumerated() {
      for place in line {
        if page.beginsDocument(place.index) {
          canvas.put("║", style: .accent, column: inside.column, row: inside.row + row, in: inside)
        }
        canvas.note(
          .row(place.index),
          in: Rectangle(
            column: inside.column + place.column, row: inside.row + row, columns: place.text.width, rows: 1))
        canvas.write(
          place.text, style: style(of: place.index, weights), column: inside.column + place.column,
          row: inside.row + row, in: inside)
      }
    }
    drawFollowing(below: lines.count - first, in: inside, on: &canvas)
    if first + inside.rows < lines.count, area.rows >= 4 {
      let edge = Rectangle(column: area.column + 2, row: area.bottom - 1, columns: area.columns - 4, rows: 1)
      canvas.write(" ↓ \(lines.count - first - inside.rows) more lines ", style: .faint, line: 0, of: edge, .right)
    }
  }

  /// The rows that a window takes below another one: an empty one, its name, and its text.
  private static func rows(of page: DataPage, columns: Int) -> Int { 2 + lines(of: page, columns: columns).count }

  /// The number of the window that is to be read next, to fill the room below the chosen one; nil where there is no room, or no window.
  package var wantedWindow: Int? {
    let area = textArea(size)
    let used = following.reduce(tokenLines(columns: area.columns).count) {
      $0 + Self.rows(of: $1, columns: area.columns)
    }
    let next = page.number + 1 + following.count
    // A heading and a line of text need three rows.
    return used + 3 <= area.rows && next < summary.windows && isReadable ? next : nil
  }

  /// Draws the windows that training takes after the chosen one.
  /// - Parameter row: the first row that is free.
  private func drawFollowing(below row: Int, in inside: Rectangle, on canvas: inout Canvas) {
    var row = row
    for page in following where row + 3 <= inside.rows {
      canvas.write("window \(Figure.grouped(page.number))", style: .accent, line: row + 1, of: inside)
      row += 2
      for line in Self.lines(of: page, columns: inside.columns) {
        for place in line where row < inside.rows {
          if page.beginsDocument(place.index) {
            canvas.put("║", style: .faint, column: inside.column, row: inside.row + row, in: inside)
          }
          canvas.write(
            place.text, style: .faint, column: inside.column + place.column, row: inside.row + row, in: inside)
        }
        row += 1
      }
    }
  }

  private func style(of index: Int, _ weights: [Int: Double]) -> Style {
    if index == position { return Style(.accent, [.bold, .reverse]) }
    if let weight = weights[index] {
      // Larger weights have stronger shades: one shade weaker for each factor of e.
      return Style(.second, .bold, tone: Tone(place: 1 + Int(min(max(-log(weight), 0), 14))))
    }
    if page.mask.indices.contains(index), !page.mask[index] { return Style(.faint, [.dim, .underline]) }
    return index.isMultiple(of: 2) ? .plain : Style(.first, tone: Tone(place: 4))
  }

  // MARK: Beside it

  private func drawTargets(in area: Rectangle, on canvas: inout Canvas) {
    guard page.tokens.indices.contains(position) else { return }
    let inside =
      area.rows >= 3
      ? canvas.box(area, title: "targets of position \(position)", notes: ["token \(page.tokens[position])"])
      : area.columns >= 30 ? area.inset(columns: 2) : area
    // A low panel would have titles and hardly a target.
    guard inside.rows > 5 else { return drawShortTargets(in: inside, on: &canvas) }
    let counts = page.mask.indices.contains(position) && page.mask[position]
    var lines: [[Span]] = [[Span("at    ", .faint), Span(quoted(page.text[position]), .bold)]]
    let ahead = page.ahead[position]
    lines.append([Span("ntp   ", .faint), nextToken])
    if ahead.count > 1 {
      let tokens = ahead.dropFirst().enumerated().map { "\($0.offset + 2) " + ($0.element.map(quoted) ?? "–") }
      lines.append([Span("mtp   ", .faint), Span(tokens.joined(separator: "  "), Style(.fourth))])
    }
    let order = page.order[position]
    if !order.isEmpty || counts { lines.append([Span("top   ", .faint), Span("ahead  weight", .faint)]) }
    for (index, line) in lines.prefix(inside.rows).enumerated() { canvas.write(line, line: index, of: inside) }
    let token = min(max(order.prefix(24).map(\.text.width).max() ?? 6, 6) + 2, max(inside.columns - 20, 6))
    let room = inside.rows - lines.count
    for (row, target) in order.prefix(max(room, 0)).enumerated() {
      let line = lines.count + row
      if row == room - 1, order.count > room {
        let rest = order[row...].reduce(0) { $0 + $1.weight }
        canvas.write("… \(order.count - row) more: \(Figure.share(rest, 4))", style: .faint, line: line, of: inside)
        break
      }
      canvas.write(
        [
          Span("\(target.distance)".padded(to: 5, .right), .faint),
          Span("  " + Figure.share(target.weight, 4).padded(to: 6, .right) + "  ", .bold),
          Span(quoted(target.text).cut(to: token), Style(.second)),
        ], line: line, of: inside)
      let left = 15 + token + 1
      canvas.bar(
        target.weight, columns: inside.columns - left, style: Style(.second), column: inside.column + left,
        row: inside.row + line, in: inside, glyphs: glyphs)
    }
  }

  private func quoted(_ text: String) -> String { "“\(text)”" }

  /// NTP's target at the position, or why it has none.
  private var nextToken: Span {
    if let next = page.ahead[position].first ?? nil { return Span(quoted(next), Style(.first, .bold)) }
    return Span(
      page.documents == nil ? "nothing follows: no loss counts here" : "its document ends: no loss counts here",
      Style(.warning))
  }

  /// The same in few lines: the token, and the targets of NTP, MTP heads and TOP; those of TOP without room are counted.
  private func drawShortTargets(in inside: Rectangle, on canvas: inout Canvas) {
    let further: [[Span]] = page.ahead[position].dropFirst().enumerated().map { place, token in
      [Span("\(place + 2) ", .faint), Span(token.map(quoted) ?? "–", Style(.fourth))]
    }
    let tokens: [[Span]] =
      [[Span("at ", .faint), Span(quoted(page.text[position]), .bold)], [Span("ntp ", .faint), nextToken]] + further
    let order: [[Span]] = page.order[position].enumerated().map { place, target in
      [
        Span(place == 0 ? "top " : "", .faint), Span(quoted(target.text), Style(.second)),
        Span(" " + Figure.share(target.weight, 3), .bold),
      ]
    }
    let lines = TokenText.wrapped(tokens, to: inside.columns, between: .gap(2))
    // Where TOP has no target, the reason has its line.
    let first = lines.prefix(max(inside.rows - (order.isEmpty ? 0 : 1), 1))
    let ranked =
      order.isEmpty ? [] : LossLegend.fitted(order, columns: inside.columns, rows: inside.rows - first.count)
    for (index, line) in (first + ranked).enumerated() { canvas.write(line, line: index, of: inside) }
  }

  private func drawNumbers(in area: Rectangle, on canvas: inout Canvas) {
    let inside = canvas.box(area, title: "text")
    var rows: [(String, String)] = [
      ("files", Figure.grouped(summary.files)), ("documents", summary.documents.map(Figure.grouped) ?? "one text"),
      ("bytes", Figure.bytes(Double(summary.bytes))),
      (
        "tokens",
        "\(Figure.short(Double(summary.trainingTokens))) to train, \(Figure.short(Double(summary.heldOutTokens))) held out"
      ),
      ("bytes a token", Figure.fixed(summary.bytesPerToken, 2)), ("vocabulary", Figure.grouped(summary.vocabulary)),
      (
        "unigram entropy",
        "\(Figure.loss(summary.unigramEntropy)) nats of \(Figure.loss(log(Double(max(summary.vocabulary, 1)))))"
      ),
      ("windows", "\(Figure.grouped(summary.windows)) of \(summary.context) tokens"),
      ("training takes", summary.passesWords),
    ]
    // Graphs are made as they are needed, and are in no file.
    if summary.files == 0 { rows.removeAll { ["files", "documents", "bytes", "bytes a token"].contains($0.0) } }
    // What does not fit says less: the number of tokens that are held out is not cut.
    func shorten(_ name: String, to words: String) {
      guard let index = rows.firstIndex(where: { $0.0 == name && $0.1.width > inside.columns - 17 }) else { return }
      rows[index].1 = words
    }
    let (all, held) = (Double(summary.trainingTokens), Double(summary.heldOutTokens))
    shorten("tokens", to: "\(Figure.short(all)) + \(Figure.short(held)) held")
    shorten("windows", to: "\(Figure.short(Double(summary.windows))) of \(summary.context) tokens")
    for (index, row) in rows.prefix(inside.rows).enumerated() {
      canvas.write([Span(row.0.padded(to: 17), .faint), Span(row.1)], line: index, of: inside)
    }
  }

  private func drawCommon(in area: Rectangle, on canvas: inout Canvas) {
    let part = summary.counted < summary.trainingTokens ? "of the first \(Figure.short(Double(summary.counted)))" : ""
    let inside = canvas.box(area, title: "commonest tokens", notes: part.isEmpty ? [] : [part])
    let most = Double(max(summary.commonest.first?.count ?? 1, 1))
    for (row, entry) in summary.commonest.prefix(inside.rows).enumerated() {
      let share = Double(entry.count) / Double(max(summary.counted, 1))
      let percent = "\(Figure.fixed(share * 100, 2)) %"
      canvas.write(
        [
          Span("“\(entry.text)”".cut(to: 12).padded(to: 13)),
          Span(Figure.short(Double(entry.count)).padded(to: 9, .right), .faint), Span(percent.padded(to: 9, .right)),
        ], line: row, of: inside)
      canvas.bar(
        Double(entry.count) / most, columns: inside.columns - 33, style: Style(.first), column: inside.column + 33,
        row: inside.row + row, in: inside, glyphs: glyphs)
    }
  }
}
