// Pictures, characters and styles, kept beside the tests. FORETOP_GOLDEN=write writes them anew; look at them before keeping them.
import Foundation
import Testing

@testable import Dashboard
@testable import TerminalUI

/// Compares a picture with the one kept under this name.
func expectPicture(_ name: String, _ canvas: Canvas, sourceLocation: SourceLocation = #_sourceLocation) throws {
  let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Golden")
  let file = folder.appending(path: name + ".txt")
  let text = canvas.text + "\n" + canvas.styles
  if ProcessInfo.processInfo.environment["FORETOP_GOLDEN"] == "write" {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try text.write(to: file, atomically: true, encoding: .utf8)
    return
  }
  guard let kept = try? String(contentsOf: file, encoding: .utf8) else {
    Issue.record("there is no picture \(name).txt: write it with FORETOP_GOLDEN=write", sourceLocation: sourceLocation)
    return
  }
  guard kept != text else { return }
  let (old, new) = (
    kept.split(separator: "\n", omittingEmptySubsequences: false),
    text.split(separator: "\n", omittingEmptySubsequences: false)
  )
  let row = zip(old, new).enumerated().first { $1.0 != $1.1 }?.offset ?? min(old.count, new.count)
  Issue.record(
    """
    \(name).txt differs from line \(row + 1) on:
    kept: \(row < old.count ? String(old[row]) : "(nothing)")
    now:  \(row < new.count ? String(new[row]) : "(nothing)")
    all of it now:
    \(text)
    """, sourceLocation: sourceLocation)
}

extension Canvas {
  /// The style of every cell as a letter, with what the letters mean; spaces are cells of the plain style.
  var styles: String {
    let used = Set(cells.map(\.style)).subtracting([.plain]).sorted { $0.words < $1.words }
    let letters = Dictionary(uniqueKeysWithValues: zip(used, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"))
    let grid = (0..<rows).map { row in
      let line = String((0..<columns).map { letters[self[$0, row].style] ?? " " })
      return String(line.reversed().drop { $0 == " " }.reversed())
    }
    let legend = used.compactMap { style in letters[style].map { "\($0) \(style.words)" } }
    return "styles: " + legend.joined(separator: ", ") + "\n" + grid.joined(separator: "\n") + "\n"
  }
}

extension Style {
  /// Its role and attributes.
  fileprivate var words: String {
    let names: [(Attributes, String)] = [
      (.bold, "bold"), (.dim, "dim"), (.underline, "underlined"), (.reverse, "reversed"),
    ]
    let shade = (tone.place > 0 ? ["shade \(tone.place)"] : []) + (tone.isBehind ? ["behind"] : [])
    return (["\(role)"] + shade + names.filter { attributes.contains($0.0) }.map(\.1)).joined(separator: " ")
  }
}
