// Byte-level BPE: a word begins as its bytes, which merges join to tokens (Sennrich et al., arXiv 1508.07909; over
// bytes as in GPT-2).

/// A tokenizer that a `tokenizer.json` describes, ready to use.
final class BytePairModel: Sendable {
  /// The token that two neighbours are merged into, and the rank of the merge: the lowest rank comes first.
  private struct RankedMerge {
    let rank: UInt32
    let result: Int32
  }

  let vocabulary: Int
  private let pattern: WordPattern
  private let merges: [UInt64: RankedMerge]
  /// The token of every byte value.
  private let byteTokens: [Int32]
  /// Tokens by their bytes, if words that are tokens are not split (`ignore_merges`); otherwise empty.
  private let whole: [[UInt8]: Int32]
  private let tokens: [[UInt8]]
  private let specials: [Int32: [UInt8]]

  /// - Throws: `CorpusError.badTokenizer`: see `BytePairFile`.
  init(_ json: [UInt8]) throws(CorpusError) {
    let file = try BytePairFile(json)
    vocabulary = file.tokens.count
    pattern = file.pattern
    tokens = file.tokens
    specials = file.specials
    var byteTokens = [Int32](repeating: 0, count: 256)
    for (id, token) in file.tokens.enumerated() where token.count == 1 { byteTokens[Int(token[0])] = Int32(id) }
    self.byteTokens = byteTokens
    var merges: [UInt64: RankedMerge] = [:]
    for (rank, merge) in file.merges.enumerated() where merges[Self.key(merge.left, merge.right)] == nil {
      merges[Self.key(merge.left, merge.right)] = RankedMerge(rank: UInt32(rank), result: merge.result)
    }
    self.merges = merges
    whole =
      file.takesWholeWords
      ? Dictionary(
        file.tokens.enumerated().lazy.filter { !$1.isEmpty }.map { ($1, Int32($0)) },
        uniquingKeysWith: { first, _ in first })
      : [:]
  }

  private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(left)) << 32 | UInt64(UInt32(right))
  }

  /// The bytes that a token stands for; empty for special tokens.
  func bytes(of token: Int32) -> [UInt8] { tokens[Int(token)] }

  /// The name of a special token; nil for other tokens.
  func special(_ token: Int32) -> [UInt8]? { specials[token] }
}

extension BytePairModel: WordEncoder {
  func scanner(of bytes: UnsafeRawBufferPointer, in block: Range<Int>) -> PatternScanner {
    PatternScanner(pattern, bytes, in: block)
  }

  func mayCut(_ bytes: UnsafeRawBufferPointer, at index: Int) -> Bool { PatternScanner.mayCut(bytes, at: index) }

  func encode(word bytes: Slice<UnsafeRawBufferPointer>, isStart: Bool, into tokens: inout [Int32]) {
    if bytes.count == 1 { return tokens.append(byteTokens[Int(bytes[bytes.startIndex])]) }
    if !whole.isEmpty, let token = whole[Array(bytes)] { return tokens.append(token) }
    var parts = bytes.map { byteTokens[Int($0)] }
    /// The index of the part after each part; 0 for the last.
    var following = Array(1...parts.count)
    following[parts.count - 1] = 0
    var before = Array(-1..<parts.count - 1)
    // Ranks and places: the lowest rank first, and of these the leftmost.
    var due = LowestFirst()
    func pair(at place: Int) -> RankedMerge? {
      let next = following[place]
      return next == 0 ? nil : merges[Self.key(parts[place], parts[next])]
    }
    for place in parts.indices { if let merge = pair(at: place) { due.add(merge.rank, place) } }
    while let (rank, place) = due.next() {
      // What was due may have been merged with something else since.
      guard parts[place] >= 0, let merge = pair(at: place), merge.rank == rank else { continue }
      let next = following[place]
      parts[place] = merge.result
      parts[next] = -1
      following[place] = following[next]
      if following[place] > 0 { before[following[place]] = place }
      if before[place] >= 0, let earlier = pair(at: before[place]) { due.add(earlier.rank, before[place]) }
      if let later = pair(at: place) { due.add(later.rank, place) }
    }
    tokens.append(contentsOf: parts.lazy.filter { $0 >= 0 })
  }
}

/// A binary heap of candidate merges.
private struct LowestFirst {
  private var keys: [UInt64] = []

  mutating func add(_ rank: UInt32, _ place: Int) {
    keys.append(UInt64(rank) << 32 | UInt64(UInt32(place)))
    var child = keys.count - 1
    while child > 0, keys[child] < keys[(child - 1) / 2] {
      keys.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  mutating func next() -> (rank: UInt32, place: Int)? {
    guard let lowest = keys.first else { return nil }
    let last = keys.removeLast()
    if !keys.isEmpty {
      keys[0] = last
      var parent = 0
      while true {
        var child = 2 * parent + 1
        if child + 1 < keys.count, keys[child + 1] < keys[child] { child += 1 }
        guard child < keys.count, keys[child] < keys[parent] else { break }
        keys.swapAt(child, parent)
        parent = child
      }
    }
    return (UInt32(lowest >> 32), Int(UInt32(truncatingIfNeeded: lowest)))
  }
}
