// The footer: the keys in the order of their importance. Keys without an effect now are dim, and all of them while an overlay takes
// the keys.
import TerminalUI

extension Dashboard {
  func drawKeys(in rectangle: Rectangle, on canvas: inout Canvas) {
    let inside = rectangle.columns >= 30 ? rectangle.inset(columns: 1) : rectangle
    var spans: [Span] = []
    var width = 0
    let gap = rectangle.columns >= 100 ? "   " : "  "
    // Keys with an effect come first; the others follow, dim, as far as there is room.
    let lines =
      KeyTable.footer.filter { refusal(of: $0.strokes[0].action) == nil }
      + KeyTable.footer.filter { refusal(of: $0.strokes[0].action) != nil }
    func isDim(_ line: KeyLine) -> Bool { overlay != nil || refusal(of: line.strokes[0].action) != nil }
    for line in lines {
      let isOff = isDim(line)
      let key = Span(glyphs.keys(line.keys), isOff ? .faint : .accent)
      let word = line.strokes[0].action == .pause && phase == .paused ? "go on" : line.label
      let label = Span(" " + word, isOff ? .faint : .plain)
      let needed = key.width + label.width + (spans.isEmpty ? 0 : gap.count)
      guard width + needed <= inside.columns else { continue }
      if !spans.isEmpty { spans.append(Span(gap)) }
      spans += [key, label]
      width += needed
    }
    // Too narrow for labels: four keys, of which only quit may have its name.
    if width < 30, inside.columns < 38 {
      spans = []
      for line in lines.prefix(4) {
        let isOff = isDim(line)
        if !spans.isEmpty { spans.append(Span(inside.columns >= 24 ? "  " : " ")) }
        spans.append(Span(glyphs.keys(line.keys), isOff ? .faint : .accent))
        let label = line.strokes[0].action == .quit && inside.columns >= 18 ? " quit" : ""
        spans.append(Span(label, isOff ? .faint : .plain))
      }
    }
    canvas.write(spans, line: rectangle.rows - 1, of: inside)
  }
}
