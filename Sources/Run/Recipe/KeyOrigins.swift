// Where each key of a recipe got its value: a fault between keys is that of whoever set one of them last.

/// The places of a recipe's values: lines of its file, and options of the command line. What is in neither is a default.
package struct KeyOrigins: Sendable {
  /// The beginning of messages about a value without a known place: the recipe's path or name.
  package let source: String
  /// Lines of the file.
  private var lines: [String: Int] = [:]
  /// Options as they were typed, such as `--set model.width=64`, in that order.
  private var options: [(key: String, words: String)] = []

  package init(_ source: String) { self.source = source }

  mutating func add(_ key: String, line: Int) { lines[key] = line }

  /// An option gives a key its value.
  /// - Parameter words: the option as it was typed.
  package mutating func add(_ key: String, option words: String) {
    options.removeAll { $0.key == key }
    options.append((key, words))
  }

  /// Whether somebody gave a key its value; what is not named is a default.
  package func names(_ key: String) -> Bool { lines[key] != nil || options.contains { $0.key == key } }

  /// An error about keys that do not go together.
  /// - Parameter keys: all that the sentence is about.
  /// - Returns: with the options that set any of them, else with the last of their lines, else with the source.
  func error(_ keys: [String], _ sentence: String) -> UserError {
    let blamed = options.filter { keys.contains($0.key) }.map(\.words)
    guard blamed.isEmpty else { return UserError(.usage, "\(blamed.joined(separator: " ")): \(sentence)") }
    let line = keys.compactMap { lines[$0] }.max()
    return UserError(.data, "\(source)\(line.map { ":\($0)" } ?? ""): \(sentence)")
  }
}
