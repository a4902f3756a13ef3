// Tables of the README and of docs/ are made from the program's own. FORETOP_GOLDEN=write writes them anew.
import Foundation

package enum Readme {
  /// What stands between `<!-- name -->` and `<!-- /name -->`, without the lines around it; written first where asked.
  /// - Parameter path: of the page, from the root of the repository.
  package static func section(
    _ name: String, of path: String = "README.md", asWrittenBy text: String
  ) throws -> String? {
    let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..")
    let file = root.appending(path: path).standardizedFileURL
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
