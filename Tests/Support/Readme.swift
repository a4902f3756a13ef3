// The README's tables are made from the program's own. FORETOP_GOLDEN=write writes them anew.
import Foundation

package enum Readme {
  private static var file: URL {
    URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../README.md").standardizedFileURL
  }

  /// What stands between `<!-- name -->` and `<!-- /name -->`, without the lines around it; written first where asked.
  package static func section(_ name: String, asWrittenBy text: String) throws -> String? {
    var readme = try String(contentsOf: file, encoding: .utf8)
    guard let start = readme.range(of: "<!-- \(name) -->\n"),
      let end = readme.range(of: "<!-- /\(name) -->", range: start.upperBound..<readme.endIndex)
    else { return nil }
    if ProcessInfo.processInfo.environment["FORETOP_GOLDEN"] == "write" {
      readme.replaceSubrange(start.upperBound..<end.lowerBound, with: text + "\n")
      try readme.write(to: file, atomically: true, encoding: .utf8)
      return text
    }
    return String(readme[start.upperBound..<end.lowerBound].dropLast())
  }
}
