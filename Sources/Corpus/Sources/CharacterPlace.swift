// Texts that become characters must be UTF-8: what is not is refused with its place.

/// How far a text was looked at, part by part.
struct CharacterPlace {
  /// Bytes and ends of lines so far.
  private var (before, lines) = (0, 0)

  /// Goes on behind bytes that were looked at before.
  mutating func pass(_ bytes: some Collection<UInt8>) {
    before += bytes.count
    lines += Self.lines(in: bytes)
  }

  /// Looks at the bytes that come next, which do not end within a character.
  /// - Parameter path: of the file, for the error.
  /// - Throws: `CorpusError.badText` if the bytes are not UTF-8.
  mutating func check(_ bytes: [UInt8], of path: String) throws(CorpusError) {
    if let place = bytes.withUnsafeBytes({ $0.firstInvalidByte }) {
      throw CorpusError(
        .badText,
        """
        \(path), line \(lines + 1 + Self.lines(in: bytes[..<place])): byte \(before + place) is not valid UTF-8, so that the text \
        cannot be split into characters; save it as UTF-8, or set tokenizer.kind to sentencepiece or bytes
        """)
    }
    pass(bytes)
  }

  private static func lines(in bytes: some Collection<UInt8>) -> Int { bytes.count { $0 == UInt8(ascii: "\n") } }
}
