// How far the setting-up of a text is while there is no screen yet, on standard error: on a terminal a bar that moves in its line,
// elsewhere a line a second.
import Curses
import Dashboard
import Foundation
import Run
import TerminalUI

/// The progress of setting up, with sentences on what is done.
final class SetupBar {
  private var work = WorkProgress(of: .setup(.tokens))
  /// The word before a line.
  private let speaker: String
  /// The cells that the bar's line may take; nil where lines are printed.
  private let columns: Int?
  private var lastDrawn = -Double.infinity
  private var lastPart: SetupWork?
  /// The cells that the bar's line takes now; 0 while there is none.
  private var width = 0

  /// Seconds between two pictures of the bar.
  private static let pause = 0.1

  /// - Parameter speaker: the word before a line, such as the command.
  init(_ speaker: String) {
    self.speaker = speaker
    let isMoving =
      isatty(STDERR_FILENO) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb" && Screen.isUTF8Asked
    // Without the last cell, in which some terminals begin another line.
    columns = isMoving ? TextTable.terminalColumns.map { $0 - 1 } : nil
  }

  /// Says what is done next, in a line of its own.
  func say(_ sentence: String) {
    clear()
    Output.warn("\(sentence) …")
  }

  /// Shows how much of how much of a part is done.
  func show(_ part: SetupWork, done: Int, total: Int) {
    let now = Date().timeIntervalSince1970
    guard let columns else {
      let line = work.line(part, done: done, total: total, now: now)
      if let line { Output.warn(line.trimmingSpaces, from: speaker) }
      return
    }
    work.take(part, done: done, total: total, now: now)
    // Another part is shown at once.
    guard part != lastPart || now - lastDrawn >= Self.pause || now < lastDrawn else { return }
    (lastDrawn, lastPart) = (now, part)
    draw(work.barLine(columns: columns).text.cut(to: columns))
  }

  /// Takes the bar off the terminal.
  func clear() {
    guard width > 0 else { return }
    draw("")
    Output.overwrite("")
  }

  /// Writes a line over the one before.
  private func draw(_ line: String) {
    Output.overwrite(line.padded(to: max(width, line.width)))
    width = line.width
  }
}
