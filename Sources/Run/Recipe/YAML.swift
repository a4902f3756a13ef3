// YAML from outside, parsed within bounds. Recipes and layouts are read from it.
import Yams

package enum YAML {
  /// The reason why a text is not valid YAML, or is refused.
  package struct YAMLFault: Error, Equatable {
    /// Line, counted from 1; nil where there is none to name.
    package let line: Int?
    /// A sentence without what the text is called.
    package let what: String
  }

  /// What is read of it is a page; what is longer is something else.
  private static let longest = 1 << 18
  /// Aliases of aliases grow without bound: so few cannot.
  private static let mostAliases = 16
  /// The parser calls itself for every level. Deeper ones by indentation need more room than a page has.
  private static let deepest = 200

  /// Parses the text of a file.
  /// - Parameters:
  ///   - what: what the text should be, for messages: “a recipe”.
  ///   - source: the file's name, for messages.
  /// - Returns: nil for a text without any value.
  /// - Throws: `UserError` with file, line and reason.
  package static func root(of text: String, what: String, source: String) throws(UserError) -> Node? {
    do {
      return try node(of: text, what: what)
    } catch {
      throw UserError(.data, "\(source):\(error.line.map { "\($0):" } ?? "") \(error.what)")
    }
  }

  /// Parses a text.
  /// - Parameter what: what the text should be, for messages: “a recipe”.
  /// - Returns: nil for a text without any value.
  /// - Throws: `YAMLFault`.
  package static func node(of text: String, what: String) throws(YAMLFault) -> Node? {
    let yaml = text.withoutByteOrderMark
    guard yaml.utf8.count <= longest else {
      throw YAMLFault(line: nil, what: "\(yaml.utf8.count) bytes are too many for \(what)")
    }
    let scan = YAMLScan(yaml, deepest: deepest)
    guard scan.aliases <= mostAliases else {
      throw YAMLFault(line: nil, what: "more than \(mostAliases) aliases (*) are too many for \(what)")
    }
    if let line = scan.tooDeep {
      throw YAMLFault(line: line, what: "lists and sections are nested deeper than \(deepest), too deep for \(what)")
    }
    do {
      // Yams keeps a pointer into the text while it parses. A short text lives inside the String value, where that
      // pointer would dangle; a comment at the end makes every text long.
      let long = yaml + (yaml.hasSuffix("\n") ? "" : "\n") + "# the end of the text"
      // Values are read as the type that a key wants, never as the type that YAML would take them for: the parser need not
      // try its regular expressions, which take milliseconds to compile.
      return try Yams.compose(yaml: long, .basic, .default, .utf8)
    } catch let error as YamlError {
      throw damage(error, in: yaml)
    } catch {
      throw YAMLFault(line: nil, what: "this is not YAML")
    }
  }

  private static func damage(_ error: YamlError, in yaml: String) -> YAMLFault {
    switch error {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
      .composer(_, let problem, let mark, _):
      // What is never closed is missed after the last line.
      let last = yaml.reversed().drop(while: \.isWhitespace).count(where: \.isNewline) + 1
      return YAMLFault(line: min(mark.line, last), what: "this is not YAML: \(problem)")
    case .duplicatedKeysInMapping(let duplicates, let context):
      let keys = duplicates.joined(separator: ", ").excerpt
      return YAMLFault(line: context.mark.line, what: "\(keys) is set twice in one section")
    case .reader(let problem, _, _, _): return YAMLFault(line: nil, what: "this is not YAML: \(problem)")
    default: return YAMLFault(line: nil, what: "this is not YAML: \(error)")
    }
  }
}
