// Pictures in text, kept beside the tests. FORETOP_GOLDEN=write writes them anew; look at them before keeping them.
import Foundation
import Testing

@testable import Dashboard
@testable import TerminalUI

/// Compares a picture with the one kept under this name.
func expectPicture(_ name: String, _ canvas: Canvas, sourceLocation: SourceLocation = #_sourceLocation) throws {
  let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Golden")
  let file = folder.appending(path: name + ".txt")
  let text = canvas.text + "\n"
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
