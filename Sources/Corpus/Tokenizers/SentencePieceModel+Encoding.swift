// Encodes text as pieces: splits text into words, across which the model never merges, and encodes invalid UTF-8.

extension SentencePieceModel: WordEncoder {
  /// Words end where text may be cut without a change of the tokens.
  struct Scanner: WordScanner {
    let model: SentencePieceModel
    let bytes: UnsafeRawBufferPointer
    let end: Int

    mutating func end(ofWordAt start: Int) -> Int { model.nextCut(bytes, after: start, before: end) }
  }

  func scanner(of bytes: UnsafeRawBufferPointer, in block: Range<Int>) -> Scanner {
    Scanner(model: self, bytes: bytes, end: block.upperBound)
  }

  /// The tokens of arbitrary bytes.
  /// - Parameters:
  ///   - continuing: whether other bytes of the same text came before these.
  ///   - threads: how many work on it.
  func tokens(of bytes: UnsafeRawBufferPointer, continuing: Bool = false, threads: Int) -> [Int32] {
    guard !byteTokens.isEmpty else {
      var tokens: [Int32] = []
      encode(bytes[...], isStart: !continuing, into: &tokens)
      return tokens
    }
    return tokensByWords(of: bytes, continuing: continuing, threads: threads)
  }

  func mayCut(_ bytes: UnsafeRawBufferPointer, at index: Int) -> Bool {
    let before = bytes[index - 1]
    switch cut {
    case .nowhere: return false
    case .lines: return before == UInt8(ascii: "\n")
    case .words:
      return before == UInt8(ascii: "\n")
        || (bytes[index] == UInt8(ascii: " ") && before != UInt8(ascii: " "))
    }
  }

  /// Encodes a word; invalid UTF-8 becomes byte pieces.
  func encode(word bytes: Slice<UnsafeRawBufferPointer>, isStart: Bool, into tokens: inout [Int32]) {
    var start = bytes.startIndex
    var index = start
    while index < bytes.endIndex {
      let decoded = bytes.base.scalar(at: index)
      let end = index + decoded.length
      if decoded.value == nil || decoded.value == 0x2581 {
        encode(bytes[start..<index], isStart: isStart && start == bytes.startIndex, into: &tokens)
        tokens.append(contentsOf: bytes[index..<end].map { byteTokens[Int($0)] })
        start = end
      }
      index = end
    }
    encode(bytes[start..<index], isStart: isStart && start == bytes.startIndex, into: &tokens)
  }
}
