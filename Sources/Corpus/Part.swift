// Tokens in a row, wherever they are kept: a part of a corpus.

/// A stretch of tokens that nothing is read outside of: the training part, the held-out part, or a text's tokens.
package struct Part: Sendable {
  private enum Storage: Sendable {
    case mapped(CacheFile)
    case array([Int32])
  }

  private let storage: Storage
  /// Where in the storage the part is.
  private let range: Range<Int>

  /// All of the given tokens.
  package init(_ tokens: [Int32]) {
    storage = .array(tokens)
    range = 0..<tokens.count
  }

  /// All tokens of a token file: elements of 2 or 4 bytes.
  init(_ file: CacheFile) {
    precondition(file.width != 1, "a token file has 2 or 4 bytes a token")
    storage = .mapped(file)
    range = 0..<file.count
  }

  private init(_ storage: Storage, _ range: Range<Int>) {
    self.storage = storage
    self.range = range
  }

  /// Number of tokens.
  package var count: Int { range.count }

  /// How many whole windows of `context` tokens start every `context` tokens.
  package func windows(of context: Int) -> Int { count / context }

  /// A stretch of this part, counted from its start, as a part of its own.
  package func part(_ stretch: Range<Int>) -> Part {
    check(stretch)
    return Part(storage, (range.lowerBound + stretch.lowerBound)..<(range.lowerBound + stretch.upperBound))
  }

  /// Copies of the tokens of a stretch, counted from the part's start.
  package func tokens(_ stretch: Range<Int>) -> [Int32] {
    check(stretch)
    return [Int32](unsafeUninitializedCapacity: stretch.count) { buffer, count in
      if let start = buffer.baseAddress { copy(stretch, to: start) }
      count = stretch.count
    }
  }

  /// Puts the tokens of a stretch, counted from the part's start, into memory for that many.
  package func copy(_ stretch: Range<Int>, to destination: UnsafeMutablePointer<Int32>) {
    check(stretch)
    let first = range.lowerBound + stretch.lowerBound
    switch storage {
    case .array(let tokens):
      for index in 0..<stretch.count { destination[index] = tokens[first + index] }
    case .mapped(let file) where file.width == 2:
      let elements = file.elements.assumingMemoryBound(to: UInt16.self)
      for index in 0..<stretch.count { destination[index] = Int32(elements[first + index]) }
    case .mapped(let file):
      let elements = file.elements.assumingMemoryBound(to: Int32.self)
      for index in 0..<stretch.count { destination[index] = elements[first + index] }
    }
  }

  private func check(_ stretch: Range<Int>) {
    precondition(
      0 <= stretch.lowerBound && stretch.upperBound <= count, "tokens \(stretch) are not among the \(count) of the part"
    )
  }
}
