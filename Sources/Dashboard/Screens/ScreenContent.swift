// What a terminal can show: keys in, a picture out. The dashboard of a run is one, the screens over stored runs another.
import TerminalUI

/// What is on the screen. It knows no terminal: who shows it hands in keys, and carries out what it asks for.
package protocol ScreenContent: Sendable {
  /// What a key can ask of the program.
  associatedtype Request

  /// Whether something changed since this was last set to false.
  var needsDrawing: Bool { get set }
  /// True if the picture changes without news: it is drawn once a second then.
  var hasClock: Bool { get }
  var palette: Palette { get }

  /// Draws for a terminal of any size; changes nothing.
  /// - Parameter now: Unix time, seconds.
  func draw(size: (columns: Int, rows: Int), now: Double) -> Canvas
  /// Takes the terminal's size before the first picture of it: what moves by pages has to know them.
  mutating func fit(columns: Int, rows: Int)
  mutating func press(_ key: Key) -> Request?
  /// The most that the terminal can show.
  var mostGlyphs: Glyphs { get set }
  /// Takes colours that suit the terminal, unless somebody chose others.
  mutating func suggest(_ palette: Palette)
  /// Takes the time: notices fade.
  /// - Parameter now: seconds of a clock that never jumps.
  mutating func pass(to now: Double)
  /// Says something to the user.
  mutating func say(_ sentence: String)
  /// Forgets what belongs to a key that would have come at once.
  mutating func forgetPrefix()
  /// Takes layout files that were saved meanwhile.
  mutating func use(_ layouts: [Layout], problems: [String], time: Double)
}

extension ScreenContent {
  package mutating func forgetPrefix() {}
  package mutating func pass(to now: Double) {}
  package mutating func suggest(_ palette: Palette) {}
}

extension Glyphs {
  /// The ones after these that a terminal can show which shows `most`.
  package func next(upTo most: Glyphs) -> Glyphs {
    let ladder = Self.allCases[(Self.allCases.firstIndex(of: most) ?? 0)...]
    let index = ladder.firstIndex(of: self).map { $0 + 1 } ?? ladder.startIndex
    return index < ladder.endIndex ? ladder[index] : most
  }

  /// Goes on to the next ones that a terminal can show.
  /// - Returns: which those are, or why there are no others.
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

  /// Seconds for which a notice stays.
  static let noticeSeconds = 8.0

  package mutating func pass(to now: Double) {
    guard !message.isEmpty, overlay == nil else { return }
    let since = messageSince ?? now
    messageSince = since
    guard now - since >= Self.noticeSeconds else { return }
    message = ""
    needsDrawing = true
  }
}
