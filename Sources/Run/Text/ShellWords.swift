// The words of a typed command line.

extension String {
  /// The words of a line, as a shell reads quotes and backslashes; nothing is expanded.
  /// - Throws: `UserError` for a quote that does not end.
  package func shellWords() throws -> [String] {
    var words: [String] = []
    var word: String?
    var quote: Character?
    var isEscaped = false
    for character in self {
      if isEscaped {
        word = (word ?? "") + String(character)
        isEscaped = false
      } else if character == "\\", quote != "'" {
        isEscaped = true
      } else if let open = quote {
        if character == open { quote = nil } else { word = (word ?? "") + String(character) }
      } else if character == "'" || character == "\"" {
        (quote, word) = (character, word ?? "")
      } else if character == " " {
        if let whole = word { words.append(whole) }
        word = nil
      } else {
        word = (word ?? "") + String(character)
      }
    }
    if let quote { throw UserError(.usage, "a quote \(quote) has no end") }
    if isEscaped { throw UserError(.usage, "a backslash at the end has nothing to quote") }
    return words + (word.map { [$0] } ?? [])
  }
}
