// Documents of a part in another order, without a copy of their tokens.

/// Stretches of a token range, one behind the other.
final class TokenPieces: Sendable {
  private let base: TokenRange
  private let pieces: [Range<Int>]
  /// The place of each piece's first token among all.
  let starts: [Int]
  let count: Int

  /// - Parameter pieces: stretches of `base` in their new order, none empty.
  init(of base: TokenRange, _ pieces: [Range<Int>]) {
    self.base = base
    self.pieces = pieces
    var starts: [Int] = []
    starts.reserveCapacity(pieces.count)
    var count = 0
    for piece in pieces {
      starts.append(count)
      count += piece.count
    }
    self.starts = starts
    self.count = count
  }

  /// Copies a stretch to memory for that many.
  func copy(_ stretch: Range<Int>, to destination: UnsafeMutablePointer<Int32>) throws(CorpusError) {
    guard !stretch.isEmpty else { return }
    var (low, high) = (0, starts.count)
    while high - low > 1 {
      let middle = (low + high) / 2
      if starts[middle] <= stretch.lowerBound { low = middle } else { high = middle }
    }
    var place = stretch.lowerBound
    while place < stretch.upperBound {
      let first = pieces[low].lowerBound + place - starts[low]
      let end = min(pieces[low].upperBound, first + stretch.upperBound - place)
      try base.copy(first..<end, to: destination + (place - stretch.lowerBound))
      place += end - first
      low += 1
    }
  }
}
