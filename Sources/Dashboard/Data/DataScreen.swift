// The data screen: a window as tokens, the targets of a chosen position, and the corpus in numbers.
import Run
import TerminalUI

/// The data screen.
package struct DataScreen: Sendable, ScreenContent, KeyedScreen {
  enum DataAction: Hashable, Sendable {
    case left, right, up, down, first, last, nextWindow, previousWindow, tenOn, tenBack, nextDocument
    case runs, palette, glyphs, help, leave, stay, redraw
  }

  /// What a key asks the program to do.
  package enum DataRequest: Sendable, Equatable {
    case leave
    /// Shows the list of all runs in the place of this screen.
    case runs
    /// Reads the window with this number.
    case window(Int)
    /// Looks for the beginning of a document in the following windows, with `findDocument`.
    case document
  }

  let summary: DataSummary
  private(set) var page: DataPage
  /// The chosen position in the window.
  private(set) var position = 0
  package var message = ""
  var help: HelpPage?
  package var palette: Palette
  /// True if the palette is the user's choice, not the terminal's.
  private var hasChosenPalette = false
  var glyphs: Glyphs
  package var needsDrawing = true
  package var mostGlyphs = Glyphs.braille
  package var hasClock: Bool { false }
  private(set) var size = (columns: 80, rows: 24)
  /// The windows after the chosen one, for the room below it.
  private(set) var following: [DataPage] = []
  /// False where the next window could not be read.
  private(set) var isReadable = true

  package init(_ summary: DataSummary, _ page: DataPage, palette: Palette = .okabe, glyphs: Glyphs = .braille) {
    self.summary = summary
    self.page = page
    self.palette = palette
    self.glyphs = glyphs
    position = min(page.tokens.count / 3, max(page.tokens.count - 1, 0))
  }

  static let staying: DataRequest? = nil
  static let leaving: DataRequest? = .leave

  static let keys = ScreenKeys<DataAction>([
    ScreenKeys.KeyRow(
      [(.left, .left), (.right, .right), (.character("h"), .left), (.character("l"), .right)], shown: "← →",
      label: "position", "choose the position whose targets are shown (also h, l)"),
    ScreenKeys.KeyRow(
      [(.up, .up), (.down, .down), (.character("k"), .up), (.character("j"), .down)], shown: "↑ ↓", label: "line",
      "go a line up, down (also k, j)"),
    ScreenKeys.KeyRow(
      [(.character("["), .previousWindow), (.character("]"), .nextWindow)], shown: "[ ]", label: "window",
      "show the previous, the next window in the order of training"),
    ScreenKeys.KeyRow(
      [(.character("{"), .tenBack), (.character("}"), .tenOn)], shown: "{ }", label: "10 on", "go ten windows back, on"),
    ScreenKeys.KeyRow(
      [(.character("d"), .nextDocument)], label: "document", "go to the beginning of the next document"),
    ScreenKeys.KeyRow([(.character("q"), .leave)], label: "quit", "quit"),
    ScreenKeys.KeyRow([(.character("?"), .help)], label: "help", "show the keys"),
    ScreenKeys.KeyRow([(.home, .first), (.end, .last)], shown: "home end", "go to the window's ends"),
    ScreenKeys.KeyRow([(.escape, .stay)], "close what is open; esc never quits"),
  ]).withRuns(.runs).withLooks(.palette, .glyphs, .redraw)

  /// Shows a window that was requested; the chosen position stays.
  package mutating func take(_ page: DataPage) {
    self.page = page
    (following, isReadable) = ([], true)
    position = min(position, max(page.tokens.count - 1, 0))
    needsDrawing = true
  }

  /// Adds the window that `wantedWindow` asked for; nil where it cannot be read.
  package mutating func follow(with page: DataPage?) {
    if let page { following.append(page) } else { isReadable = false }
    needsDrawing = true
  }

  /// The most windows in which the beginning of a document is looked for.
  private static let mostSearched = 1000

  /// Shows the next window inside which a document begins, at that position. The window stays where none is found soon.
  /// - Parameters:
  ///   - window: reads the window of a number.
  ///   - isLate: returns true to end the search.
  package mutating func findDocument(_ window: (Int) throws -> DataPage, until isLate: () -> Bool) rethrows {
    var searched = 0
    while searched < Self.mostSearched, page.number + searched + 1 < summary.windows, searched == 0 || !isLate() {
      searched += 1
      let next = try window(page.number + searched)
      guard let place = next.documentBeginning(after: 0) else { continue }
      take(next)
      move(to: place)
      return
    }
    say("no document begins inside the next \(searched == 1 ? "window" : "\(Figure.grouped(searched)) windows")")
  }

  package mutating func fit(columns: Int, rows: Int) { size = (columns, rows) }

  package mutating func say(_ sentence: String) {
    message = sentence
    needsDrawing = true
  }

  /// Applies choices that were remembered from an earlier use.
  package mutating func use(_ preferences: Preferences) {
    guard let chosen = Palette.named(preferences.palette) else { return }
    (palette, hasChosenPalette) = (chosen, true)
  }

  package mutating func suggest(_ palette: Palette) {
    guard !hasChosenPalette else { return }
    self.palette = palette
    needsDrawing = true
  }

  package mutating func use(_ layouts: [Layout], problems: [String], time: Double) {}

  // MARK: Keys

  package mutating func press(_ key: Key) -> DataRequest? {
    needsDrawing = true
    return dispatch(key)
  }

  var lastPicture: Canvas { draw(size: size, now: 0) }

  /// A click on a token chooses its position.
  mutating func choose(_ meaning: ClickMeaning, value: Double?) {
    if case .row(let index) = meaning { move(to: index) }
  }

  mutating func perform(_ deed: DataAction) -> DataRequest? {
    switch deed {
    case .leave: return .leave
    case .runs: return .runs
    case .stay: message = "q quits"
    case .left: move(to: position - 1)
    case .right: move(to: position + 1)
    case .up: moveLine(-1)
    case .down: moveLine(1)
    case .first: move(to: 0)
    case .last: move(to: page.tokens.count - 1)
    case .nextWindow: return .window(page.number + 1)
    case .previousWindow: return .window(page.number - 1)
    case .tenOn: return .window(min(page.number + 10, summary.windows - 1))
    case .tenBack: return .window(max(page.number - 10, 0))
    case .nextDocument:
      guard let place = page.documentBeginning(after: position) else { return .document }
      move(to: place)
    case .palette: changePalette()
    case .glyphs: changeGlyphs()
    case .help: help = HelpPage()
    case .redraw: break
    }
    return nil
  }

  /// The reason why a key has no effect now; nil if it has one.
  func refusal(of deed: DataAction) -> String? {
    switch deed {
    case .previousWindow, .tenBack: page.number > 0 ? nil : "this is the first window that training takes"
    case .nextWindow, .tenOn:
      page.number + 1 < summary.windows ? nil : "this is the last window of a pass; the next pass has another order"
    case .nextDocument:
      summary.documents == nil
        ? "all documents are packed into one text; data.documents: separate divides them"
        : page.number + 1 < summary.windows || page.documentBeginning(after: position) != nil
          ? nil : "no document begins after this position, and this is the last window of a pass"
    default: nil
    }
  }

  private mutating func move(to place: Int) { position = min(max(place, 0), max(page.tokens.count - 1, 0)) }

  /// Moves to the token above or below in the wrapped text.
  private mutating func moveLine(_ direction: Int) {
    let lines = tokenLines(columns: textArea(size).columns)
    guard let line = lines.firstIndex(where: { $0.contains { $0.index == position } }),
      let here = lines[line].first(where: { $0.index == position })
    else { return }
    var next = line + direction
    // A line may be empty but for the mark of a document's beginning.
    while lines.indices.contains(next), lines[next].isEmpty { next += direction }
    guard lines.indices.contains(next) else { return }
    move(to: lines[next].min { abs($0.column - here.column) < abs($1.column - here.column) }?.index ?? position)
  }
}
