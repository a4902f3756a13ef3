// The key table of a screen over stored runs. Its dispatcher, footer, help page and the table in docs/ read it.
import TerminalUI

/// A table of keys.
package struct ScreenKeys<Deed: Hashable & Sendable>: Sendable {
  /// Keys that belong together.
  struct KeyRow: Sendable {
    let strokes: [(key: Key, deed: Deed)]
    /// The keys as the help page writes them.
    let keys: String
    /// A word or two for the footer; a row with an empty label is not in the footer.
    let label: String
    /// Their effect, for the help page.
    let text: String

    init(_ strokes: [(Key, Deed)], shown keys: String? = nil, label: String = "", _ text: String) {
      self.strokes = strokes.map { (key: $0.0, deed: $0.1) }
      self.keys = keys ?? strokes.map(\.0.name).joined(separator: " ")
      self.label = label
      self.text = text
    }
  }

  let rows: [KeyRow]
  private let deeds: [Key: Deed]

  init(_ rows: [KeyRow]) {
    self.rows = rows
    deeds = Dictionary(rows.flatMap(\.strokes).map { ($0.key, $0.deed) }) { _, second in
      preconditionFailure("a key is in the table twice, for \(second)")
    }
  }

  /// These keys and the common ones: the next palette, the next set of characters, redraw.
  /// - Parameter colours: the key of the next palette.
  func withLooks(_ palette: Deed, _ glyphs: Deed, _ redraw: Deed, colours: Character = "c") -> ScreenKeys {
    ScreenKeys(
      rows + [
        KeyRow([(.character(colours), palette)], "change the colours: next palette"),
        KeyRow([(.character("b"), glyphs)], "change the characters: braille, blocks, ASCII"),
        KeyRow([(.control("l"), redraw)], "redraw the screen"),
      ])
  }

  /// These keys and the one that lists all runs, which every screen has.
  func withRuns(_ runs: Deed) -> ScreenKeys {
    ScreenKeys(rows + [KeyRow([(.character("R"), runs)], "list all runs")])
  }

  func deed(of key: Key) -> Deed? { deeds[key] }

  /// The footer's rows, as many as fit; keys without an effect now are dim.
  /// - Parameter isLowest: true for a screen with none below it, where “back” would be wrong.
  func footer(in columns: Int, isLowest: Bool = false, _ glyphs: Glyphs, isOff: (Deed) -> Bool) -> [Span] {
    var spans: [Span] = []
    let gap = columns >= 100 ? "   " : "  "
    for row in rows where !row.label.isEmpty {
      let refused = isOff(row.strokes[0].deed)
      let label = isLowest && row.label == "back" ? "quit" : row.label
      let entry = [
        Span(glyphs.keys(row.keys), refused ? .faint : .accent), Span(" " + label, refused ? .faint : .plain),
      ]
      let all = spans + (spans.isEmpty ? [] : [Span(gap)]) + entry
      guard all.width <= columns else { continue }
      spans = all
    }
    return spans
  }

  /// The key table as Markdown, for docs/.
  package var markdown: String {
    let lines = rows.map { row in
      "| \(row.keys.split(separator: " ").map { "`\($0)`" }.joined(separator: " ")) | \(row.text) |"
    }
    return (["| key | does |", "| --- | --- |"] + lines).joined(separator: "\n")
  }

  private static var mouse: String {
    "The mouse chooses with a click and moves or zooms with the wheel; with shift the terminal selects text (--no-mouse: "
      + "foretop does not use the mouse)."
  }

  /// Draws the help page over the whole canvas.
  /// - Parameter scroll: the number of lines scrolled past.
  func drawHelp(_ title: String, notes: [String] = [], scroll: Int, on canvas: inout Canvas) {
    canvas.clear(canvas.bounds)
    let inside =
      canvas.rows >= 5 && canvas.columns >= 24
      ? canvas.box(canvas.bounds, title: title, notes: ["esc closes"], isFocused: true) : canvas.bounds
    let width = canvas.columns < 44 ? 6 : rows.map(\.keys.width).max() ?? 8
    var lines: [[Span]] = []
    for row in rows {
      for (index, text) in row.text.wrapped(to: max(inside.columns - width - 2, 8)).enumerated() {
        lines.append([Span((index == 0 ? row.keys : "").padded(to: width), .accent), Span("  " + text)])
      }
    }
    for note in notes + [Self.mouse] {
      lines.append([])
      lines += note.wrapped(to: inside.columns).map { [Span($0, .faint)] }
    }
    let top = inside.rows > lines.count + 2 ? 1 : 0
    let first = min(scroll, max(lines.count - inside.rows, 0))
    for (index, line) in lines.dropFirst(first).prefix(inside.rows).enumerated() {
      canvas.write(line, line: top + index, of: inside)
    }
    if first + inside.rows < lines.count, canvas.rows >= 5 {
      let edge = Rectangle(column: 2, row: canvas.rows - 1, columns: canvas.columns - 4, rows: 1)
      canvas.write(" ↓ more ", style: .accent, line: 0, of: edge, .right)
    }
  }
}

/// The state of an open help page.
struct HelpPage: Sendable, Equatable {
  var scroll = 0

  /// Handles a key.
  /// - Returns: true if the page stays open.
  mutating func press(_ key: Key) -> Bool {
    switch key {
    case .escape, .enter, .space, .character("?"), .character("q"): return false
    case .up, .character("k"): scroll = max(scroll - 1, 0)
    case .down, .character("j"): scroll = min(scroll + 1, 100)
    case .wheel(let isUp, _, _): scroll = min(max(scroll + (isUp ? -3 : 3), 0), 100)
    case .pageUp: scroll = max(scroll - 10, 0)
    case .pageDown: scroll = min(scroll + 10, 100)
    case .home: scroll = 0
    case .end: scroll = 100
    default: break
    }
    return true
  }
}
