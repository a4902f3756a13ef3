// Draws one picture: the panels at their places, a message, and the overlay on top.
import Run
import TerminalUI

extension Dashboard {
  /// Draws the screen for a terminal of any size, without side effects.
  /// - Parameters:
  ///   - size: columns and rows; a size below 1 × 1 counts as 1 × 1.
  ///   - now: Unix time in seconds.
  package func draw(size: (columns: Int, rows: Int), now: Double) -> Canvas {
    var canvas = Canvas(columns: size.columns, rows: size.rows)
    let arrangement = arrangement(columns: canvas.columns, rows: canvas.rows)
    for (panel, rectangle) in arrangement where !rectangle.isEmpty {
      draw(panel, in: rectangle, on: &canvas, now: now)
    }
    if !arrangement.contains(where: { $0.panel == .events }) { drawMessage(arrangement, on: &canvas) }
    drawOverlay(on: &canvas)
    canvas.reduce(to: glyphs)
    return canvas
  }

  /// The panels and their places: those of the layout, or on the whole screen the focused panel between the two bars.
  func arrangement(columns: Int, rows: Int) -> [(panel: Panel, rectangle: Rectangle)] {
    guard isFullScreen, let focus else { return places(columns: columns, rows: rows) }
    let whole = Rectangle(column: 0, row: 0, columns: columns, rows: rows)
    guard rows >= 5 else { return [(focus, whole)] }
    let (status, rest) = whole.splitTop(1)
    let (middle, keys) = rest.splitTop(rest.rows - 1)
    return [(.status, status), (focus, middle), (.keys, keys)]
  }

  /// The panels of the layout. Neighbours take the room of panels that this run can never have anything for; in a run with
  /// memory layers, the panel of memory takes that of TOP's order, and another diagnostic that of one that is not measured.
  func places(columns: Int, rows: Int) -> [(panel: Panel, rectangle: Rectangle)] {
    var places = layout.arrangement(columns: columns, rows: rows)
    for (panel, other) in Self.standIns where absence(of: panel) != nil && absence(of: other) == nil {
      guard !places.contains(where: { $0.panel == other }) else { continue }
      places = places.map { ($0.panel == panel ? other : $0.panel, $0.rectangle) }
    }
    return Layout.fill(places, without: Set(Panel.allCases.filter { absence(of: $0) != nil }))
  }

  /// Panels that a run may have nothing for, each with one that takes its place if the layout lacks that.
  private static let standIns: [(panel: Panel, other: Panel)] = [
    (.order, .memory), (.tokens, .diagnostics), (.tokens, .collapse),
  ]

  private func draw(_ panel: Panel, in rectangle: Rectangle, on canvas: inout Canvas, now: Double) {
    if !panel.isBar { canvas.note(.panel(Panel.allCases.firstIndex(of: panel) ?? 0), in: rectangle) }
    switch panel {
    case .status: drawStatus(in: rectangle, on: &canvas, now: now)
    case .losses: drawLosses(in: rectangle, on: &canvas)
    case .heads: drawHeads(in: rectangle, on: &canvas)
    case .order: drawOrder(in: rectangle, on: &canvas)
    case .quality: drawQuality(in: rectangle, on: &canvas)
    case .gradients: drawGradients(in: rectangle, on: &canvas)
    case .memory: drawMemory(in: rectangle, on: &canvas)
    case .tokens: drawTokens(in: rectangle, on: &canvas)
    case .collapse: drawCollapse(in: rectangle, on: &canvas)
    case .diagnostics: drawDiagnostics(in: rectangle, on: &canvas)
    case .throughput: drawThroughput(in: rectangle, on: &canvas)
    case .rate: drawRate(in: rectangle, on: &canvas)
    case .machine: drawMachine(in: rectangle, on: &canvas)
    case .text: drawText(in: rectangle, on: &canvas)
    case .ask: drawAsk(in: rectangle, on: &canvas)
    case .events: drawEvents(in: rectangle, on: &canvas)
    case .recipe: drawRecipe(in: rectangle, on: &canvas)
    case .keys: drawKeys(in: rectangle, on: &canvas)
    }
  }

  /// Draws a panel's box, if the panel is high enough for one, and returns the area inside.
  func frame(
    _ panel: Panel, notes: [String] = [], in rectangle: Rectangle, on canvas: inout Canvas
  ) -> Rectangle {
    let isFocused = focus == panel
    if rectangle.rows < 4 || layout.settings.boxless.contains(panel) {
      if isFocused { canvas.put("▏", style: .accent, column: rectangle.column, row: rectangle.row) }
      return rectangle.inset(columns: 1)
    }
    return canvas.box(rectangle, title: panel.rawValue, notes: notes, isFocused: isFocused)
  }

  /// Writes a dim sentence into the middle of a panel that has nothing to show yet.
  func drawNothing(_ text: String, in inside: Rectangle, on canvas: inout Canvas) {
    let lines = text.wrapped(to: inside.columns)
    let top = max((inside.rows - lines.count) / 2, 0)
    for (index, line) in lines.enumerated() {
      let indent = max((inside.columns - line.width) / 2, 0)
      canvas.write(line, style: .faint, line: top + index, of: inside, indent: indent)
    }
  }

  /// Draws the newest message where no events panel shows it: on the row above the keys.
  private func drawMessage(_ arrangement: [(panel: Panel, rectangle: Rectangle)], on canvas: inout Canvas) {
    // A screen that has room for the status alone already shows its keys there.
    let last = asked.last?.text ?? (arrangement.count > 1 ? hint : "")
    let text = message.isEmpty ? last : message
    guard !text.isEmpty, canvas.rows >= 2 else { return }
    // The last row belongs to the keys, in the footer or in a status that fills the screen.
    let hasKeys = arrangement.contains { $0.panel == .keys || $0.panel == .status }
    let line = Rectangle(column: 0, row: canvas.rows - (hasKeys ? 2 : 1), columns: canvas.columns, rows: 1)
    let shown = " " + text.cut(to: max(canvas.columns - 6, 1)) + " "
    if arrangement.count == 1 { canvas.clear(line) }
    canvas.write(shown, style: Style(.warning, .bold), column: canvas.columns > 10 ? 2 : 0, row: line.row, in: line)
  }
}

extension Canvas {
  /// Says on the lower edge of a box how many lines are above and below those that are shown; a panel without a box has no place
  /// for that.
  /// - Parameters:
  ///   - shown: the lines that are shown, of `count`.
  ///   - inside: what `frame` or `box` returned for the rectangle.
  mutating func noteHidden(
    _ shown: Range<Int>, of count: Int, in rectangle: Rectangle, _ inside: Rectangle, style: Style = .faint
  ) {
    guard inside.row > rectangle.row, shown.count < count else { return }
    let parts = [
      shown.lowerBound > 0 ? "↑ \(shown.lowerBound)" : "",
      shown.upperBound < count ? "↓ \(count - shown.upperBound) more" : "",
    ].filter { !$0.isEmpty }
    let edge = Rectangle(
      column: rectangle.column + 2, row: rectangle.bottom - 1, columns: rectangle.columns - 4, rows: 1)
    let text = " " + parts.joined(separator: "  ") + " "
    if text.width <= edge.columns { write(text, style: style, line: 0, of: edge, .right) }
  }
}
