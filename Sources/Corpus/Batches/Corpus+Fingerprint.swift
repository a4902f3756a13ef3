// Which tokens a corpus has, in a few characters: whether two runs learn from the same text.

extension Corpus {
  /// Tokens of a piece, and the most pieces that are read: a text of up to a million tokens as a whole, of a longer one pieces
  /// that are spread evenly, so that a start reads no large text twice.
  private static let piece = 1024
  private static let mostPieces = 1024

  /// A checksum over the numbers of tokens of both parts, their frequencies and their order; hexadecimal.
  /// - Throws: `CorpusError` when the tokens cannot be read.
  package var fingerprint: String {
    get throws(CorpusError) {
      var words: [UInt64] = [UInt64(training.count), UInt64(heldOut.count), unigramEntropy.bitPattern]
      for part in [training, heldOut] { words.append(try Self.sum(of: part)) }
      var sum = CacheChecksum(of: words.count)
      words.withUnsafeBytes { sum.add($0) }
      let digits = String(sum.finished, radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }
  }

  private static func sum(of part: TokenRange) throws(CorpusError) -> UInt64 {
    let pieces = (part.count + piece - 1) / piece
    // Graphs are made when they are read, and a pass of them may have no end.
    let looked = min(pieces, part.graphs == nil ? mostPieces : 64)
    var sum = CacheChecksum(of: part.count)
    for index in 0..<looked {
      // The first and the last are among them.
      let place = looked > 1 ? index * (pieces - 1) / (looked - 1) : 0
      let tokens = try part.tokens(place * piece..<min((place + 1) * piece, part.count))
      tokens.withUnsafeBytes { sum.add($0) }
    }
    return sum.finished
  }
}
