import Testing

@testable import TerminalUI

struct CanvasTests {
  @Test func `width is counted in cells`() {
    #expect("abc".width == 3)
    #expect("漢字".width == 4)
    #expect("e\u{301}".width == 1)
    #expect("한글".width == 4)
    #expect("🙂".width == 2)
    #expect("⢦⡀│╭●".width == 5)
    #expect("ｱ".width == 1)
    #expect("a\u{200B}b".width == 2)
  }

  @Test func `text is clipped at the edges of its rectangle`() {
    var canvas = Canvas(columns: 6, rows: 2)
    let clip = Rectangle(column: 1, row: 0, columns: 3, rows: 1)
    canvas.write("abcdef", column: 0, row: 0, in: clip)
    canvas.write("xyz", column: 1, row: 1, in: clip)
    #expect(canvas.text == " bcd\n")
  }

  @Test func `a wide character is never halved`() {
    var canvas = Canvas(columns: 5, rows: 1)
    canvas.write("漢字漢", column: 0, row: 0, in: canvas.bounds)
    #expect(canvas.text == "漢字")
    canvas.write("x", column: 1, row: 0, in: canvas.bounds)
    #expect(canvas.text == " x字")
    #expect((0..<5).map { canvas[$0, 0].width } == [1, 1, 2, 0, 1])
    canvas.write("漢", column: 1, row: 0, in: canvas.bounds)
    #expect((0..<5).map { canvas[$0, 0].width } == [1, 2, 0, 1, 1])
  }

  @Test func `what is left out is shown by an ellipsis`() {
    var canvas = Canvas(columns: 8, rows: 3)
    canvas.write([Span("abcd"), Span("efghij")], line: 0, of: canvas.bounds)
    canvas.write([Span("abcdefgh"), Span("i")], line: 1, of: canvas.bounds)
    canvas.write([Span("abcd"), Span("efgh")], line: 2, of: canvas.bounds)
    #expect(canvas.text == "abcdefg…\nabcdefg…\nabcdefgh")
    #expect("漢字漢字".cut(to: 5) == "漢字…")
    #expect("漢字漢字".cut(to: 4) == "漢…")
    #expect("abcdef".cutFront(to: 4) == "…def")
    #expect("abc".cut(to: 0) == "")
  }

  @Test func `control and direction characters never reach the terminal`() {
    var canvas = Canvas(columns: 12, rows: 1)
    canvas.write("a\u{1B}[2J\u{202E}b\u{7}\u{9B}c", column: 0, row: 0, in: canvas.bounds)
    #expect(canvas.text == "a·[2J·b··c")
    // What takes no place is left out, and what would be taken for something else is a dot, in as many cells.
    var hidden = Canvas(columns: 8, rows: 1)
    hidden.write("a\u{200B}\u{E0041}b\u{3164}c\u{FFFE}\u{61C}", column: 0, row: 0, in: hidden.bounds)
    #expect(hidden.text == "ab··c··")
  }

  @Test func `marks join the character before them`() {
    var canvas = Canvas(columns: 4, rows: 1)
    canvas.write("e\u{301}x", column: 0, row: 0, in: canvas.bounds)
    #expect(canvas[0, 0].character == "e\u{301}")
    #expect(canvas[1, 0].character == "x")
    canvas.write("\u{301}", column: 0, row: 0, in: canvas.bounds)
    #expect(canvas[0, 0].character == "e\u{301}")
  }

  @Test func `a box has its title left and the longest note that fits right`() {
    var canvas = Canvas(columns: 24, rows: 3)
    let inside = canvas.box(canvas.bounds, title: "rate", notes: ["cosine · very long", "cosine"])
    #expect(
      canvas.text == "╭─ rate ──────── cosine ─╮\n".dropFirst(0).replacing("────────", with: "──────")
        + "│                      │\n╰──────────────────────╯")
    #expect(inside == Rectangle(column: 2, row: 1, columns: 20, rows: 1))
  }

  @Test(arguments: [(0, 0), (1, 1), (2, 2), (3, 2), (5, 3)])
  func `boxes of any size do no harm`(columns: Int, rows: Int) {
    var canvas = Canvas(columns: 4, rows: 4)
    canvas.box(Rectangle(column: 1, row: 1, columns: columns, rows: rows), title: "a title", notes: ["a note"])
    #expect(canvas[0, 0] == .blank)
  }

  @Test func `words are wrapped at spaces and long ones broken`() {
    #expect("the quick brown fox".wrapped(to: 9) == ["the quick", "brown fox"])
    #expect("a\nbb".wrapped(to: 5) == ["a", "bb"])
    #expect("one two three four".wrapped(to: 9, most: 2) == ["one two", "three …"])
    #expect("one two".wrapped(to: 9, most: 2) == ["one two"])
    #expect("abcdefgh xy".wrapped(to: 3) == ["abc", "def", "gh", "xy"])
    #expect("漢字".wrapped(to: 1) == ["漢", "字"])
    #expect("".wrapped(to: 5) == [""])
    #expect("abc".wrapped(to: 0) == [])
  }

  @Test func `tracks share what cells leave`() {
    #expect(Track.boundaries([.cells(1), .share(3), .share(1), .cells(2)], in: 23) == [0, 1, 16, 21, 23])
    #expect(Track.boundaries([.cells(5), .cells(5)], in: 7) == [0, 5, 7])
    #expect(Track.boundaries([.share(1), .share(1), .share(1)], in: 100).last == 100)
  }

  @Test func `braille has eight points a cell`() {
    var plot = Plot(columns: 2, rows: 1, glyphs: .braille)
    let pen = Pen(style: .plain, symbol: "*")
    plot.line(from: (0, 3), to: (3, 0), pen)
    var canvas = Canvas(columns: 2, rows: 1)
    plot.draw(on: &canvas, column: 0, row: 0)
    #expect(canvas.text == "⡠⠊")
  }

  @Test func `every bit of a braille cell is where Unicode has it`() {
    let expected: [[UInt32]] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]]
    for y in 0..<4 {
      for x in 0..<2 {
        var plot = Plot(columns: 1, rows: 1, glyphs: .braille)
        plot.point(x: x, y: y, Pen(style: .plain, symbol: "*"))
        var canvas = Canvas(columns: 1, rows: 1)
        plot.draw(on: &canvas, column: 0, row: 0)
        #expect(canvas[0, 0].character.unicodeScalars.first?.value == 0x2800 + expected[y][x])
      }
    }
  }

  @Test func `a line lies over a band and a mark over both`() {
    var plot = Plot(columns: 3, rows: 1, glyphs: .ascii)
    for x in 0..<3 { plot.band(x: x, from: 0, to: 0, style: .faint) }
    plot.point(x: 1, y: 0, Pen(style: .plain, symbol: "*"))
    plot.mark(x: 2, y: 0, "o", style: .plain)
    var canvas = Canvas(columns: 3, rows: 1)
    plot.draw(on: &canvas, column: 0, row: 0)
    #expect(canvas.text == ".*o")
  }

  @Test func `ascii has nothing above 127`() {
    var canvas = Canvas(columns: 20, rows: 1)
    canvas.write("●漢 ±τ…⟨E2⟩", column: 0, row: 0, in: canvas.bounds)
    canvas.reduce(to: .ascii)
    #expect(canvas.text == "*?  ~t~<E2>")
  }
}
