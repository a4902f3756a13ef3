// A contiguous range of a corpus's tokens, in memory or in files.

/// A contiguous range of tokens: the training part, the held-out part, or the tokens of a text. Readers cannot leave
/// the range.
package struct TokenRange: Sendable {
  private enum Backing: Sendable {
    case array([Int32])
    case files(TokenFiles)
    case graphs(StarGraphs)
    case pieces(TokenPieces)
  }

  private let storage: Backing
  /// The range in the storage.
  private let range: Range<Int>
  /// The places in the storage where documents begin, ascending from 0; nil if the text is not divided into documents.
  private let starts: [Int]?

  /// All of the given tokens.
  /// - Parameter documents: the places where documents begin, ascending from 0; nil treats all as one text.
  package init(_ tokens: [Int32], documents: [Int]? = nil) {
    storage = .array(tokens)
    range = 0..<tokens.count
    starts = documents
  }

  /// All tokens of token files.
  init(_ files: TokenFiles, documents: [Int]?) {
    storage = .files(files)
    range = 0..<files.count
    starts = documents
  }

  /// All samples of star graphs, a window each.
  init(_ graphs: StarGraphs) {
    storage = .graphs(graphs)
    range = 0..<graphs.count * graphs.context
    starts = nil
  }

  /// Documents in an order of their own.
  init(_ pieces: TokenPieces) {
    storage = .pieces(pieces)
    range = 0..<pieces.count
    starts = pieces.starts
  }

  private init(_ storage: Backing, _ range: Range<Int>, _ starts: [Int]?) {
    self.storage = storage
    self.range = range
    self.starts = starts
  }

  /// The same tokens, not divided into documents.
  var withoutDocuments: TokenRange { TokenRange(storage, range, nil) }

  /// The tokens of each document, as far as they are in the part, counted from its start; the whole part if it is not divided.
  var documentRanges: [Range<Int>] {
    guard let starts, !range.isEmpty else { return [0..<range.count] }
    let first = document(of: range.lowerBound, in: starts)
    let last = document(of: range.upperBound - 1, in: starts)
    return (first...last).map { number in
      let end = number + 1 < starts.count ? min(starts[number + 1], range.upperBound) : range.upperBound
      return max(starts[number], range.lowerBound) - range.lowerBound..<end - range.lowerBound
    }
  }

  /// True if the tokens are divided into documents.
  package var hasDocuments: Bool { starts != nil || graphs != nil }

  /// The star graphs that the tokens are made of; nil for text.
  package var graphs: StarGraphs? { if case .graphs(let graphs) = storage { graphs } else { nil } }

  /// Tokens from a place on that may stand in one row: a row of star graphs ends with its sample.
  package func available(from start: Int) -> Int {
    graphs.map { $0.context - start % $0.context } ?? count - start
  }

  /// Puts a 1 for every token of a stretch that counts as a position, and a 0 for every other, into memory for that many.
  package func copyMask(_ stretch: Range<Int>, to destination: UnsafeMutablePointer<UInt8>) {
    check(stretch)
    for index in 0..<stretch.count {
      let counts =
        graphs.map { $0.scored.contains((range.lowerBound + stretch.lowerBound + index) % $0.context) } ?? true
      destination[index] = counts ? 1 : 0
    }
  }

  /// Number of documents in the range, including incomplete ones; 1 if the text is not divided.
  package var documents: Int {
    guard let starts, !range.isEmpty else { return 1 }
    return document(of: range.upperBound - 1, in: starts) - document(of: range.lowerBound, in: starts) + 1
  }

  /// The number of the document that a place in the storage belongs to.
  private func document(of place: Int, in starts: [Int]) -> Int {
    var (low, high) = (0, starts.count)
    while high - low > 1 {
      let middle = (low + high) / 2
      if starts[middle] <= place { low = middle } else { high = middle }
    }
    return low
  }

  /// Copies the document number of each token of a stretch to `destination`, which has room for as many. The stretch is
  /// counted from the part's start.
  package func copyDocuments(_ stretch: Range<Int>, to destination: UnsafeMutablePointer<Int32>) {
    check(stretch)
    if let graphs {
      // The filler after a sample is another document: no head looks for it.
      for index in 0..<stretch.count {
        let place = range.lowerBound + stretch.lowerBound + index
        destination[index] = place % graphs.context < graphs.shape.sampleLength ? 0 : 1
      }
      return
    }
    guard let starts, !stretch.isEmpty else {
      destination.update(repeating: 0, count: stretch.count)
      return
    }
    let first = range.lowerBound + stretch.lowerBound
    var document = document(of: first, in: starts)
    for index in 0..<stretch.count {
      while document + 1 < starts.count, starts[document + 1] <= first + index { document += 1 }
      destination[index] = Int32(truncatingIfNeeded: document)
    }
  }

  /// Number of tokens.
  package var count: Int { range.count }

  /// Number of complete windows of `context` tokens.
  package func windows(of context: Int) -> Int { count / context }

  /// A sub-range, counted from this part's start.
  package func part(_ stretch: Range<Int>) -> TokenRange {
    check(stretch)
    return TokenRange(
      storage, (range.lowerBound + stretch.lowerBound)..<(range.lowerBound + stretch.upperBound), starts)
  }

  /// Copies of the tokens of a stretch, counted from the part's start.
  /// - Throws: see `copy`.
  package func tokens(_ stretch: Range<Int>) throws(CorpusError) -> [Int32] {
    check(stretch)
    var tokens = [Int32](repeating: 0, count: stretch.count)
    try tokens.withUnsafeMutableBufferPointer { buffer throws(CorpusError) in
      if let start = buffer.baseAddress { try copy(stretch, to: start) }
    }
    return tokens
  }

  /// Copies the tokens of a stretch to `destination`, which has room for as many. The stretch is counted from the
  /// part's start.
  /// - Throws: `CorpusError` if the file of the tokens cannot be read, has changed, or has a number outside the
  ///   vocabulary.
  package func copy(_ stretch: Range<Int>, to destination: UnsafeMutablePointer<Int32>) throws(CorpusError) {
    check(stretch)
    let first = range.lowerBound + stretch.lowerBound
    switch storage {
    case .array(let tokens):
      for index in 0..<stretch.count { destination[index] = tokens[first + index] }
    case .files(let files): try files.copy(first..<first + stretch.count, to: destination)
    case .graphs(let graphs): Self.copy(first..<first + stretch.count, of: graphs, to: destination)
    case .pieces(let pieces): try pieces.copy(first..<first + stretch.count, to: destination)
    }
  }

  private static func copy(_ stretch: Range<Int>, of graphs: StarGraphs, to destination: UnsafeMutablePointer<Int32>) {
    let context = graphs.context
    if stretch.count == context, stretch.lowerBound % context == 0 {
      return graphs.fill(stretch.lowerBound / context, destination)
    }
    withUnsafeTemporaryAllocation(of: Int32.self, capacity: context) { room in
      var place = stretch.lowerBound
      while place < stretch.upperBound {
        graphs.fill(place / context, room.baseAddress!)
        let end = min((place / context + 1) * context, stretch.upperBound)
        (destination + (place - stretch.lowerBound)).update(
          from: room.baseAddress! + place % context, count: end - place)
        place = end
      }
    }
  }

  private func check(_ stretch: Range<Int>) {
    precondition(
      0 <= stretch.lowerBound && stretch.upperBound <= count, "tokens \(stretch) are not among the \(count) of the part"
    )
  }
}
