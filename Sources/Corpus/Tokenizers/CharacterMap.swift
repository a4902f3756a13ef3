// The character map of a SentencePiece model's normalizer. The library reads the table without bounds checks, so that
// foretop validates the table before it loads a model.

enum CharacterMap {
  /// True if every step through the table stays in the table, and every string that the table refers to ends in it.
  ///
  /// The table is four bytes with the size of a trie, the trie (Darts-clone: units of four bytes), and the texts, each
  /// with a zero byte behind it. A unit leads to the units at its own place ^ offset ^ byte, for each byte of text.
  static func isSound(_ table: [UInt8]) -> Bool {
    if table.isEmpty { return true }
    func word(_ place: Int) -> UInt32 { table[place..<place + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) } }
    guard table.count > 4 else { return false }
    let size = Int(word(0))
    // A trie lies in blocks of 256 units.
    guard size >= 1024, size % 1024 == 0, size < table.count - 4, table.last == 0 else { return false }
    let units = (0..<size / 4).map { word(4 + $0 * 4) }
    let texts = table.count - 4 - size
    for (place, unit) in units.enumerated() where unit >> 31 == 0 {
      let offset = Int(unit >> 10) << Int((unit & 1 << 9) >> 6)
      guard (place ^ offset) | 0xFF < units.count else { return false }
      // Where a text ends here, a unit says which.
      if unit >> 8 & 1 == 1, Int(units[place ^ offset] & 0x7FFF_FFFF) >= texts { return false }
    }
    return true
  }
}
