// What somebody typed or wrote, as messages repeat it: cut where it is long, and harmless to a terminal.

extension String {
  /// The most scalars of a text that a message repeats; a character can be made of any number of them.
  private static let longestExcerpt = 200

  /// The same text on one line, without what steers a terminal; of a long one the beginning, and how long it is.
  package var excerpt: String { excerpt("", "") }

  /// An excerpt in quotation marks.
  package var quotation: String { excerpt("“", "”") }

  private func excerpt(_ opening: String, _ closing: String) -> String {
    let start = unicodeScalars.prefix(Self.longestExcerpt)
    guard start.endIndex < unicodeScalars.endIndex else { return opening + harmlessLine + closing }
    return "\(opening)\(String(start).harmlessLine)…\(closing) (\(utf8.count) bytes)"
  }
}
