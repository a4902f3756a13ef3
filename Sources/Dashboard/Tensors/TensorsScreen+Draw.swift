// The tensors screen's picture: a header, the tree, the chosen tensor beside or below it, and the keys.
import Run
import TerminalUI

extension TensorsScreen {
  /// Where the parts are.
  struct TensorsArrangement {
    var header, tree, detail, footer: Rectangle
  }

  func arrangement(_ bounds: Rectangle) -> TensorsArrangement {
    let none = Rectangle(column: 0, row: 0, columns: 0, rows: 0)
    let hasBars = bounds.rows >= 3
    let (header, rest) = bounds.splitTop(hasBars ? 1 : 0)
    let (body, footer) = rest.splitTop(rest.rows - (hasBars ? 1 : 0))
    if showsWhole { return TensorsArrangement(header: header, tree: none, detail: body, footer: footer) }
    if bounds.columns >= 110 {
      let (tree, detail) = body.splitLeft(min(max(body.columns * 58 / 100, 70), body.columns - 44))
      return TensorsArrangement(header: header, tree: tree, detail: detail, footer: footer)
    }
    if body.rows >= 18 {
      let (tree, detail) = body.splitTop(body.rows / 2)
      return TensorsArrangement(header: header, tree: tree, detail: detail, footer: footer)
    }
    return TensorsArrangement(header: header, tree: body, detail: none, footer: footer)
  }

  /// Draws for a terminal of any size; changes nothing.
  package func draw(size: (columns: Int, rows: Int)) -> Canvas {
    picture(size, name: "tensors", notes: Self.words) { canvas in
      let parts = arrangement(canvas.bounds)
      drawHeader(in: parts.header, on: &canvas)
      if !parts.tree.isEmpty { drawTree(in: parts.tree, on: &canvas) }
      if !parts.detail.isEmpty { drawDetail(in: parts.detail, on: &canvas) }
      let typing = [Span("enter", .accent), Span(" keeps it   "), Span("esc", .accent), Span(" all tensors")]
      drawFooter(in: parts.footer, message: message, typing: self.typing == nil ? nil : typing, on: &canvas)
    }
  }

  private static let words =
    "The norm is the square root of the sum of all squares. Δ is the norm of the difference to the other checkpoint, as a "
    + "share of this one's norm, and cos the cosine of the angle between the two: 1 is the same direction. The heat map has the "
    + "mean magnitude of a block of the matrix, bright where it is large. If few singular values hold most of the "
    + "squared norm, the matrix is close to a matrix of low rank."

  private func drawHeader(in area: Rectangle, on canvas: inout Canvas) {
    func piece(_ long: [Span], _ short: [Span], _ rank: Int) -> Dashboard.Piece {
      Dashboard.Piece(long: long, short: short, rank: rank)
    }
    var pieces = [
      Dashboard.Piece("foretop", .faint, rank: 7), Dashboard.Piece("tensors", .bold, rank: 4),
      Dashboard.Piece(name, rank: 2),
    ]
    if let tree {
      let number = [Span(Figure.grouped(tree.step), .bold)]
      let step = [Span("step ")] + number
      func against(_ word: String) -> [Span] {
        tree.against.map { [Span(word), Span(Figure.grouped($0), .bold)] } ?? []
      }
      pieces.append(
        Dashboard.Piece([step + against(" against step "), step + against(" against "), step, number], rank: 0))
      let numbers = tree.rows.reduce(0) { $0 + $1.count }
      let words = "\(tree.rows.count) tensors · \(Figure.short(Double(numbers))) numbers"
      pieces.append(piece([Span(words)], [Span("\(tree.rows.count) tensors")], 5))
    }
    if let typing {
      let spans = [Span("filter ", .faint), Span(typing, .bold), Span(" ", Style(.plain, .reverse))]
      pieces.append(piece(spans, spans, 1))
    } else if !filter.isEmpty {
      pieces.append(piece([Span("filter ", .faint), Span(filter, .bold)], [Span(filter, .bold)], 1))
    }
    drawHeader(pieces, in: area, on: &canvas)
  }

  // MARK: The tree

  private func drawTree(in area: Rectangle, on canvas: inout Canvas) {
    let notes = tree == nil ? [] : order == .tree ? ["s sort"] : ["by \(order.rawValue) ▼"]
    let inside =
      area.rows >= 5 && area.columns >= 24 ? canvas.box(area, title: "tree", notes: notes) : area
    guard let tree else {
      return Self.drawNothing(
        message.isEmpty || pending != nil ? "reading the checkpoint …" : message, in: inside, on: &canvas)
    }
    guard !lines.isEmpty else {
      return Self.drawNothing("no tensor's name contains this text", in: inside, on: &canvas)
    }
    let hasHeader = inside.rows >= 3
    let rows = inside.rows - (hasHeader ? 1 : 0)
    // From the right, columns that have no room are left out: a name needs some.
    let titles = ["shape", "norm", "std", "Δ/norm", "cos"]
    let widths = [12, 8, 8, 8, 8]
    var shown = Array(titles.indices.prefix(tree.against == nil ? 3 : 5))
    func width(_ columns: [Int]) -> Int { columns.reduce(0) { $0 + widths[$1] } }
    while !shown.isEmpty, inside.columns - width(shown) < 15 { shown.removeLast() }
    // The norm, where there is room for one number alone.
    if shown.count < 2, inside.columns >= 20 { shown = [1] }
    let names = inside.columns - width(shown)
    if hasHeader {
      let header = shown.reduce("  tensor".padded(to: names)) { $0 + titles[$1].padded(to: widths[$1], .right) }
      canvas.write(header, style: .faint, line: 0, of: inside)
    }
    let first = firstRow(in: rows)
    for (offset, line) in lines.dropFirst(first).prefix(rows).enumerated() {
      let isChosen = first + offset == chosen
      canvas.note(
        .row(first + offset),
        in: Rectangle(
          column: inside.column, row: inside.row + (hasHeader ? 1 : 0) + offset, columns: inside.columns, rows: 1))
      let sign = line.isGroup ? (isClosed(line.group) ? "▸ " : "▾ ") : String(repeating: "  ", count: line.depth)
      let name = (sign + Self.fitted(line.name, to: max(names - 3 - sign.width, 1))).padded(to: names - 2)
      let style: Style = isChosen ? .accent : line.isGroup ? .bold : .plain
      var spans = [Span(isChosen ? "▸ " : "  ", .accent), Span(name, style)]
      let cells = cells(of: line, in: tree)
      for index in shown {
        let isStrong = index == 3 && line.rows.count == 1
        let style: Style = index == 0 ? .faint : isStrong ? Style(.second) : .plain
        spans.append(Span(cells[index].padded(to: widths[index], .right), style))
      }
      canvas.write(spans, line: (hasHeader ? 1 : 0) + offset, of: inside)
    }
    if first + rows < lines.count, area.rows >= 5 {
      let edge = Rectangle(column: area.column + 2, row: area.bottom - 1, columns: area.columns - 4, rows: 1)
      canvas.write(" ↓ \(lines.count - first - rows) more ", style: .faint, line: 0, of: edge, .right)
    }
  }

  /// Shape, norm, deviation, difference and cosine of a tensor; of a group the count, and norms of all its numbers together.
  private func cells(of line: TreeLine, in tree: TensorTree) -> [String] {
    let rows = line.rows.map { tree.rows[$0] }
    let waiting = isMissing(tree.step) ? "–" : "…"
    guard line.isGroup else {
      let shape = rows[0].shape.map(String.init).joined(separator: " × ")
      guard let numbers = rows[0].numbers else { return [shape] + Array(repeating: waiting, count: 4) }
      return [
        shape, Self.figure(numbers.summary.norm), Self.figure(numbers.summary.deviation),
        numbers.difference?.relative.map { Figure.share($0, 4) } ?? "–",
        numbers.difference?.cosine.map { Self.cosine($0, 4) } ?? "–",
      ]
    }
    let count = Figure.short(Double(rows.reduce(0) { $0 + $1.count }))
    let numbers = rows.compactMap(\.numbers)
    guard numbers.count == rows.count else { return [count, waiting, "", waiting, ""] }
    let norm = numbers.reduce(0) { $0 + $1.summary.norm * $1.summary.norm }.squareRoot()
    let differences = numbers.compactMap { $0.difference?.norm }
    let change = differences.count == rows.count ? differences.reduce(0) { $0 + $1 * $1 }.squareRoot() : nil
    return [
      count, Self.figure(norm), "",
      change.flatMap { norm > 0 ? Figure.share($0 / norm, 4) : nil } ?? "", "",
    ]
  }

  /// Four digits, whatever the size: `15.70`, `−.0614`, `3.4e-7`.
  static func figure(_ value: Double) -> String {
    guard value.isFinite, value != 0 else { return value == 0 ? "0" : Figure.fixed(value, 0) }
    let size = abs(value)
    let decimals = size < 1 ? 4 : size < 10 ? 3 : size < 1000 ? 2 : 0
    let digits = size < 1e-3 || size >= 1e5 ? Figure.scientific(size) : Figure.share(size, decimals)
    return (value < 0 ? "−" : "") + digits
  }

  /// `.0204`, `−.1110`.
  static func cosine(_ value: Double, _ decimals: Int) -> String {
    (value < 0 ? "−" : "") + Figure.share(abs(value), decimals)
  }

  static func drawNothing(_ text: String, in inside: Rectangle, on canvas: inout Canvas) {
    let lines = text.wrapped(to: max(inside.columns, 1))
    let top = max((inside.rows - lines.count) / 2, 0)
    for (index, line) in lines.enumerated() {
      canvas.write(
        line, style: .faint, line: top + index, of: inside, indent: max((inside.columns - line.width) / 2, 0))
    }
  }
}
