// The memory panel: how the tables of memory layers are used, as the last evaluation counted it. A table of all layers; of one of them a
// map of the table and its rows by use.
import Run
import TerminalUI

extension Dashboard {
  /// Whether the run has memory layers.
  var hasMemory: Bool { (beginning?.recipe.model.memory.keys ?? 0) > 0 }

  func drawMemory(in rectangle: Rectangle, on canvas: inout Canvas) {
    let shown = shownMemory
    var notes: [String] = []
    if let use = shown.use {
      let rows = shown.layer.map { " · \($0.keys)² rows" } ?? ""
      let steps = memoryMap.map { " · \(Figure.grouped($0.steps)) steps" } ?? ""
      notes = ["↑ ↓ \(use.group.name)\(rows)\(steps)", "\(use.group.name)\(rows)", use.group.name]
    }
    let inside = frame(.memory, notes: notes, in: rectangle, on: &canvas)
    guard hasMemory else { return drawNothing(absence(of: .memory) ?? "", in: inside, on: &canvas) }
    guard let use = shown.use else {
      return drawNothing("the use of tables is measured at evaluations", in: inside, on: &canvas)
    }
    if inside.columns >= Self.memoryTableWidth + 24, inside.rows >= 6 {
      let (left, right) = inside.splitLeft(Self.memoryTableWidth)
      let (table, rest) = left.splitTop(min(memories.count + 1, max(inside.rows - 7, 4)))
      drawMemoryTable(in: table, on: &canvas)
      if let layer = shown.layer {
        drawMemoryRanks(layer, in: rest.splitTop(1).1, on: &canvas)
        drawMemoryMap(layer, in: right.splitLeft(2).1, on: &canvas)
      }
      return
    }
    // A small panel has the numbers of one layer, and below what there is room for.
    let lines = memoryLines(use, columns: inside.columns)
    for (index, line) in lines.enumerated() { canvas.write(line, line: index, of: inside) }
    guard let layer = shown.layer else { return }
    let rest = inside.splitTop(lines.count).1
    let ranks = rest.rows >= 9 ? 4 : rest.rows >= 2 ? 2 : 0
    let (map, below) = rest.splitTop(rest.rows - ranks)
    if map.rows >= 3 { drawMemoryMap(layer, in: map, on: &canvas) }
    if ranks > 0 { drawMemoryRanks(layer, in: map.rows >= 3 ? below : rest, on: &canvas) }
  }

  /// The layer that is shown: its numbers, and its map where there is one.
  private var shownMemory: (use: MemoryUse?, layer: MemoryMap.Layer?) {
    guard !memories.isEmpty else { return (nil, nil) }
    let use = memories[min(scroll[.memory, default: 0], memories.count - 1)]
    return (use, memoryMap?.layers.first { $0.name == use.group.name })
  }

  // MARK: Numbers

  private static let memoryTableWidth = 9 + 7 * 8

  private static let memoryColumns: [(title: String, text: @Sendable (MemoryUse) -> String)] = [
    ("used", { Dashboard.share($0.used) }), ("entropy", { Dashboard.share($0.entropy) }),
    ("dead", { Dashboard.share($0.dead) }), ("most", { Dashboard.small($0.most) }),
    ("gap", { Dashboard.share($0.gap) }), ("out", { Dashboard.small($0.output) }),
    ("/mlp", { Dashboard.small($0.output / $0.feedForward) }),
  ]

  private static func share(_ value: Float) -> String { value.isFinite ? Figure.share(Double(value)) : "—" }
  private static func small(_ value: Float) -> String { value.isFinite ? Figure.rate(Double(value)) : "—" }

  private func drawMemoryTable(in area: Rectangle, on canvas: inout Canvas) {
    let head = "layer".padded(to: 9) + Self.memoryColumns.map { $0.title.padded(to: 8, .right) }.joined()
    canvas.write(head, style: .faint, line: 0, of: area)
    let room = max(area.rows - 1, 0)
    let chosen = min(scroll[.memory, default: 0], memories.count - 1)
    let first = max(0, min(chosen - room / 2, memories.count - room))
    for (row, use) in memories.dropFirst(first).prefix(room).enumerated() {
      let isChosen = first + row == chosen
      var spans = [Span(use.group.name.padded(to: 9), isChosen ? Style(.accent, .bold) : .plain)]
      for (index, column) in Self.memoryColumns.enumerated() {
        let isDying = index == 2 && use.dead >= Float(MemoryUse.deadLimit)
        spans.append(Span(column.text(use).padded(to: 8, .right), isDying ? Style(.bad, .bold) : .plain))
      }
      canvas.write(spans, line: 1 + row, of: area)
    }
  }

  /// The numbers of a layer in words, as many as there is room for.
  private func memoryLines(_ use: MemoryUse, columns: Int) -> [[Span]] {
    var lines: [[Span]] = []
    for column in Self.memoryColumns {
      let piece = [Span(column.title + " ", .faint), Span(column.text(use), .bold)]
      if let last = lines.last, last.width + 2 + piece.width <= columns {
        lines[lines.count - 1] += [Span("  ")] + piece
      } else {
        lines.append(piece)
      }
    }
    return lines
  }

  // MARK: Pictures

  /// The rows of a table by how often they were picked: bars for equal parts of the rows, most used first.
  private func drawMemoryRanks(_ layer: MemoryMap.Layer, in area: Rectangle, on canvas: inout Canvas) {
    guard area.rows >= 1, let most = layer.ranks.max(), most > 0 else { return }
    let part = Figure.share(1 / Double(layer.ranks.count))
    var words = "rows by use, \(part) a bar; the first \(Figure.share(Double(layer.ranks[0]))) of the picks"
    if let first = layer.first.first, words.width + 24 <= area.columns {
      words += ", row \(first.row)·\(first.column) \(Self.small(first.share))"
    }
    canvas.write(words, style: .faint, line: area.rows - 1, of: area)
    let rows = min(area.rows - 1, 6)
    guard rows > 0 else { return }
    let width = max(1, min(3, area.columns / layer.ranks.count))
    let heights = glyphs.heights
    for (index, share) in layer.ranks.prefix(area.columns / width).enumerated() where share > 0 {
      let parts = max(Int((Double(share / most) * Double(rows * heights.count)).rounded()), 1)
      for row in 0..<rows {
        let height = min(parts - row * heights.count, heights.count)
        guard height > 0 else { break }
        for column in 0..<max(1, width - 1) {
          canvas.put(
            heights[height - 1], style: Style(.second), column: area.column + index * width + column,
            row: area.bottom - 2 - row, in: area)
        }
      }
    }
  }

  /// The use of the table: keys of rows downward, keys of columns across; fuller cells are picked more often.
  private func drawMemoryMap(_ layer: MemoryMap.Layer, in area: Rectangle, on canvas: inout Canvas) {
    let side = layer.side
    guard area.rows >= 2, side > 0, layer.cells.count == side * side else { return }
    let rows = min(area.rows - 1, side)
    // A cell of the terminal is twice as high as it is wide.
    let columns = min(area.columns, 2 * rows)
    for row in 0..<rows {
      for column in 0..<columns {
        let use = Self.meanUse(of: layer, row, rows, column, columns)
        guard let place = Self.shade(of: use) else { continue }
        canvas.put(
          (glyphs == .ascii ? [".", ":", "+", "#"] : ["░", "▒", "▓", "█"])[place],
          style: Style(.second, tone: Tone(place: 4 - place)), column: area.column + column, row: area.row + row,
          in: area)
      }
    }
    let shades = glyphs == .ascii ? ". : + #" : "░ ▒ ▓ █"
    let words = "\(shades)  to .5, 1.5, 3, more × even use"
    canvas.write(
      words.width <= area.columns ? words : "\(shades) use", style: .faint, line: rows, of: area)
  }

  /// The shade of a use in per cent of even use; nil for none.
  private static func shade(of use: Double) -> Int? {
    if use < 0.5 { return nil }
    return [50.0, 150, 300].firstIndex { use <= $0 } ?? 3
  }

  /// The mean use of the cells that a place of the screen stands for.
  private static func meanUse(
    of layer: MemoryMap.Layer, _ row: Int, _ rows: Int, _ column: Int, _ columns: Int
  ) -> Double {
    func range(_ index: Int, _ count: Int) -> Range<Int> {
      let first = index * layer.side / count
      return first..<max((index + 1) * layer.side / count, first + 1)
    }
    var (sum, count) = (0, 0)
    for a in range(row, rows) {
      for b in range(column, columns) {
        sum += layer.cells[a * layer.side + b]
        count += 1
      }
    }
    return Double(sum) / Double(count)
  }
}
