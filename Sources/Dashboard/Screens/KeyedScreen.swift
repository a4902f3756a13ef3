// The common part of the screens with a key table: dispatch, palette and characters, footer and message.
import TerminalUI

/// The result of a key on a screen that makes no requests but for another screen.
enum Presence {
  case stays, left
  /// The list of all runs is asked for.
  case runs
}

/// A key's way through a list.
enum ListStep: Hashable, Sendable {
  case up, down, pageUp, pageDown, first, last

  /// The index that is chosen after this step from another index.
  /// - Parameter page: the rows that a page key moves by.
  func index(from chosen: Int, of count: Int, page: Int) -> Int {
    let target =
      switch self {
      case .up: chosen - 1
      case .down: chosen + 1
      case .pageUp: chosen - page
      case .pageDown: chosen + page
      case .first: 0
      case .last: count - 1
      }
    return min(max(target, 0), max(count - 1, 0))
  }
}

/// A screen whose keys are a `ScreenKeys` table.
protocol KeyedScreen {
  associatedtype Deed: Hashable & Sendable
  /// The result of a key.
  associatedtype Answer

  static var keys: ScreenKeys<Deed> { get }
  /// The results of a key that keeps the screen (`staying`) and of one that leaves it (`leaving`).
  static var staying: Answer { get }
  static var leaving: Answer { get }
  var message: String { get set }
  /// The help page; nil while it is hidden.
  var help: HelpPage? { get set }
  var palette: Palette { get set }
  var glyphs: Glyphs { get set }
  /// The richest set of chart characters that the terminal can show.
  var mostGlyphs: Glyphs { get }
  /// True while a dialog takes the keys of the table.
  var hasDialog: Bool { get }
  /// True if there is no screen below, so that leaving it quits.
  var isLowest: Bool { get }

  /// The keys that the wheel presses.
  static var wheel: (up: Key, down: Key) { get }
  /// The picture as it was drawn last, for the meaning of a click.
  var lastPicture: Canvas { get }
  /// Chooses what was clicked on.
  /// - Parameter value: of a chart, on the axis across its columns.
  mutating func choose(_ meaning: ClickMeaning, value: Double?)

  /// The reason why a key has no effect now; nil if it has one.
  func refusal(of deed: Deed) -> String?
  mutating func perform(_ deed: Deed) -> Answer
}

extension KeyedScreen {
  static var wheel: (up: Key, down: Key) { (.up, .down) }
  var hasDialog: Bool { false }
  var isLowest: Bool { false }

  /// The key table as Markdown, for docs/.
  static var markdown: String { keys.markdown }

  /// Handles a key. Ctrl-C leaves; an open help page takes the key before the table does; a key without an effect shows the
  /// reason.
  mutating func dispatch(_ key: Key) -> Answer {
    if key == .control("c") { return Self.leaving }
    if var page = help {
      help = page.press(key) ? page : nil
      return Self.staying
    }
    if case .click(let column, let row) = key {
      guard let (area, meaning) = lastPicture.meanings(column: column, row: row).first else { return Self.staying }
      message = ""
      choose(meaning, value: meaning.value(at: column, in: area))
      return Self.staying
    }
    var key = key
    if case .wheel(let isUp, _, _) = key { key = isUp ? Self.wheel.up : Self.wheel.down }
    guard let deed = Self.keys.deed(of: key) else { return Self.staying }
    message = ""
    if let refusal = refusal(of: deed) {
      message = refusal
      return Self.staying
    }
    return perform(deed)
  }

  mutating func changePalette() {
    palette = palette.next
    message = "colours: \(palette.name)"
  }

  mutating func changeGlyphs() { message = Glyphs.goOn(&glyphs, upTo: mostGlyphs) }

  // MARK: The picture

  /// A picture of the screen: its help page if that is open, otherwise the result of `draw`.
  /// - Parameters:
  ///   - name: the screen's name, for the title of the help page.
  ///   - notes: sentences below the keys on the help page.
  func picture(
    _ size: (columns: Int, rows: Int), name: String, notes: String, draw: (inout Canvas) -> Void
  ) -> Canvas {
    var canvas = Canvas(columns: size.columns, rows: size.rows)
    if let help {
      Self.keys.drawHelp("help: \(name)", notes: [notes], scroll: help.scroll, on: &canvas)
    } else {
      draw(&canvas)
    }
    canvas.reduce(to: glyphs)
    return canvas
  }

  /// The text area of the first or last row: without its outermost cells if the row is wide enough.
  static func bar(_ area: Rectangle) -> Rectangle { area.columns >= 30 ? area.inset(columns: 1) : area }

  /// Draws the first row, with as many pieces as fit.
  func drawHeader(_ pieces: [Dashboard.Piece], in area: Rectangle, on canvas: inout Canvas) {
    guard !area.isEmpty else { return }
    let inside = Self.bar(area)
    canvas.write(Dashboard.fitting(pieces, in: inside.columns), line: 0, of: inside)
  }

  // MARK: The last row

  /// Draws the keys (or, while a text is typed, the keys that end the typing) and the message: above the keys, or in their place
  /// on a low screen.
  func drawFooter(in area: Rectangle, message: String, typing: [Span]?, on canvas: inout Canvas) {
    guard !area.isEmpty else { return }
    let inside = Self.bar(area)
    let hasRow = canvas.rows >= 8
    if let typing {
      canvas.write(typing, line: 0, of: inside)
    } else if !message.isEmpty, !hasRow {
      canvas.write(message, style: Style(.warning, .bold), line: 0, of: inside)
    } else {
      drawKeys(in: inside, on: &canvas)
    }
    if hasRow { draw(message: message, above: area, on: &canvas) }
  }

  func drawKeys(in area: Rectangle, on canvas: inout Canvas) {
    let keys = Self.keys.footer(in: area.columns, isLowest: isLowest, glyphs) { hasDialog || refusal(of: $0) != nil }
    canvas.write(keys, line: 0, of: area)
  }

  /// Draws a message on the row above the keys.
  func draw(message: String, above footer: Rectangle, on canvas: inout Canvas) {
    guard !message.isEmpty, canvas.rows >= 3 else { return }
    canvas.write(
      " " + message.cut(to: max(canvas.columns - 6, 1)) + " ", style: Style(.warning, .bold), line: 0,
      of: Rectangle(column: 2, row: footer.row - 1, columns: canvas.columns - 3, rows: 1))
  }
}
