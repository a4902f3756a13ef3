// Arguments that are not UTF-8: names of texts keep their bytes; other such arguments are refused, since they would change.
import Run

enum ForeignBytes {
  /// Options whose values keep every byte: paths of texts, and prompts.
  private static let exact = ["--data", "--prompt"]

  /// - Parameter words: the command line without the program's name, as `String(fileName:)` makes them.
  /// - Throws: `UserError` that quotes the first argument whose bytes would change.
  static func requireText(_ words: [String]) throws(UserError) {
    for (index, word) in words.enumerated() where word.hasForeignBytes {
      let before = index > 0 ? words[index - 1] : ""
      guard !keepsBytes(word, after: before, of: words[0]) else { continue }
      throw UserError(
        .usage,
        "\(word.quotation) has bytes that are not UTF-8, which only the paths of texts (--data) and prompts may have: write it in "
          + "UTF-8")
    }
  }

  private static func keepsBytes(_ word: String, after before: String, of command: String) -> Bool {
    if exact.contains(before) || exact.contains(where: { word.hasPrefix($0 + "=") }) { return true }
    let assignment = before == "--set" ? word : word.hasPrefix("--set=") ? String(word.dropFirst(6)) : ""
    if assignment.hasPrefix("data.paths=") { return true }
    // The file of `foretop tokenize NAME FILE`; the run's name is checked elsewhere.
    return command == "tokenize" && !word.hasPrefix("-") && !before.hasPrefix("--")
  }
}
