// The interface between the terminal and what it shows: keys in, a picture out. `Dashboard` (one run) and `Browser` (stored
// runs) implement it.
import TerminalUI

/// The content of a screen, without a terminal: the caller passes keys in and carries out the requests that come back.
package protocol ScreenContent: Sendable {
  /// What a key can ask the program to do.
  associatedtype Request

  /// True if the picture changed since the caller last set this to false.
  var needsDrawing: Bool { get set }
  /// True if the picture changes with time alone, so that the caller must redraw it once a second.
  var hasClock: Bool { get }
  var palette: Palette { get }

  /// Draws the picture for a terminal of any size, without side effects.
  /// - Parameter now: Unix time in seconds.
  func draw(size: (columns: Int, rows: Int), now: Double) -> Canvas
  /// Sets the terminal's size, before its first picture: the page keys depend on it.
  mutating func fit(columns: Int, rows: Int)
  mutating func press(_ key: Key) -> Request?
  /// The richest set of chart characters that the terminal can show.
  var mostGlyphs: Glyphs { get set }
  /// True if the terminal has a darker shade of every colour, for what lies behind a line.
  var hasShades: Bool { get set }
  /// Uses a palette that suits the terminal, unless the user chose another.
  mutating func suggest(_ palette: Palette)
  /// Removes notices that were shown for long enough.
  /// - Parameter now: seconds of a monotonic clock.
  mutating func pass(to now: Double)
  /// Shows a sentence to the user.
  mutating func say(_ sentence: String)
  /// Discards a count that no key followed in time.
  mutating func forgetPrefix()
  /// Replaces the layouts after a layout file was saved.
  mutating func use(_ layouts: [Layout], problems: [String], time: Double)
}

extension ScreenContent {
  package mutating func forgetPrefix() {}
  package mutating func pass(to now: Double) {}
  package mutating func suggest(_ palette: Palette) {}
}

extension Glyphs {
  /// The next set of characters that a terminal can show whose richest set is `most`; after the last one comes the first.
  package func next(upTo most: Glyphs) -> Glyphs {
    let ladder = Self.allCases[(Self.allCases.firstIndex(of: most) ?? 0)...]
    let index = ladder.firstIndex(of: self).map { $0 + 1 } ?? ladder.startIndex
    return index < ladder.endIndex ? ladder[index] : most
  }

  /// Changes to the next set that the terminal can show.
  /// - Returns: a message with the name of the set, or the reason why there is only one.
  static func goOn(_ glyphs: inout Glyphs, upTo most: Glyphs) -> String {
    let next = glyphs.next(upTo: most)
    guard next != glyphs else {
      return "this terminal shows nothing but ASCII: its locale is not UTF-8 (LC_ALL, LC_CTYPE, LANG)"
    }
    glyphs = next
    return "characters: \(glyphs.rawValue)"
  }
}

extension Dashboard: ScreenContent {
  package mutating func fit(columns: Int, rows: Int) { size = (columns, rows) }

  package mutating func suggest(_ palette: Palette) {
    guard !hasChosenPalette else { return }
    self.palette = palette
    needsDrawing = true
  }

  /// The time for which a notice stays, in seconds.
  package static let noticeSeconds = 8.0

  package mutating func pass(to now: Double) {
    passCount(to: now)
    guard !message.isEmpty, overlay == nil else { return }
    let since = messageSince ?? now
    messageSince = since
    guard now - since >= Self.noticeSeconds else { return }
    message = ""
    needsDrawing = true
  }
}

extension ScreenContent {
  /// A screen without bands draws the same with and without shades.
  package var hasShades: Bool {
    get { true }
    set {}
  }
}
