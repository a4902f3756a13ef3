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
  /// Forgets what belongs to a key that would have come at once.
  mutating func forgetPrefix()
  /// Takes layout files that were saved meanwhile.
  mutating func use(_ layouts: [Layout], problems: [String], time: Double)
}

extension ScreenContent {
  package mutating func forgetPrefix() {}
}

extension Dashboard: ScreenContent {
  package mutating func fit(columns: Int, rows: Int) {}
}
