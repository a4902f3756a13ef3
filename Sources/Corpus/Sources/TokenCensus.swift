// Statistics of all tokens from a single reading, so that tokens need not be read again before the first step.
import Foundation

/// Counts tokens, piece by piece.
struct TokenCensus {
  /// Tokens at or above this limit are in no vocabulary.
  static let limit = 1 << 24

  /// The frequency of each token before the boundary.
  private(set) var counts: [Int] = []
  /// The largest token and the place of its first occurrence; nil before the first token.
  private(set) var largest: (token: UInt64, place: Int)?
  /// The places where documents begin: with every file, and after every run of end-of-document tokens.
  private(set) var starts: [Int] = []
  /// Number of tokens so far.
  private(set) var count = 0

  /// The tokens before this place are counted.
  private let boundary: Int
  private let end: UInt64?
  private var wasEnd = false

  /// - Parameters:
  ///   - boundary: only tokens before this place are counted in `counts`.
  ///   - end: the token that ends a document; nil if there is none.
  init(before boundary: Int, endedBy end: Int32? = nil) {
    self.boundary = boundary
    self.end = end.map { UInt64($0) }
  }

  /// Notes that another file begins.
  mutating func beginFile() {
    wasEnd = false
    starts.append(count)
  }

  /// Adds tokens.
  /// - Parameter width: bytes of each: 2, 4 or 8.
  mutating func add(_ bytes: UnsafeRawBufferPointer, width: Int) {
    switch width {
    case 2: add(bytes.assumingMemoryBound(to: UInt16.self))
    case 4: add(bytes.assumingMemoryBound(to: UInt32.self))
    case 8: add(bytes.assumingMemoryBound(to: UInt64.self))
    default: preconditionFailure("tokens have 2, 4 or 8 bytes")
    }
  }

  private mutating func add<Word: FixedWidthInteger & UnsignedInteger>(_ words: UnsafeBufferPointer<Word>) {
    var most: Word = 0
    for word in words { most = max(most, word) }
    if !words.isEmpty, largest.map({ $0.token < UInt64(most) }) ?? true {
      largest = (UInt64(most), count + (words.firstIndex(of: most) ?? 0))
    }
    let known = Int(min(UInt64(most), UInt64(Self.limit - 1))) + 1
    if known > counts.count {
      counts += [Int](repeating: 0, count: max(known, min(Self.limit, 2 * counts.count)) - counts.count)
    }
    counts.withUnsafeMutableBufferPointer { counts in
      for word in words.prefix(max(0, boundary - count)) where UInt64(word) < UInt64(counts.count) {
        counts[Int(word)] += 1
      }
    }
    if let end {
      for (index, word) in words.enumerated() {
        let isEnd = UInt64(word) == end
        if wasEnd && !isEnd { starts.append(count + index) }
        wasEnd = isEnd
      }
    }
    count += words.count
  }

  /// Increase it when a census of the same tokens has other numbers.
  static let version = 1

  /// Adds what this census depends on besides the tokens.
  func add(to key: inout Digest) {
    key.add(number: boundary)
    key.add(number: end.map { Int($0) } ?? -1)
  }

  /// The numbers of the census, for a file: how many tokens, the largest one and its place (all bits: none), how many numbers of
  /// `counts` follow, these, and `starts`.
  var words: [UInt64] {
    let counts = counts[...(counts.lastIndex { $0 > 0 } ?? -1)]
    let head: [UInt64] = [
      UInt64(count), largest?.token ?? 0, largest.map { UInt64($0.place) } ?? .max, UInt64(counts.count),
    ]
    return head + counts.map { UInt64($0) } + starts.map { UInt64($0) }
  }

  /// A census with the numbers of a file.
  /// - Returns: nil if they cannot be those of a census.
  func filled(by words: [UInt64]) -> TokenCensus? {
    guard words.count >= 4, words[3] <= UInt64(words.count - 4), let count = Int(exactly: words[0]) else { return nil }
    let numbers = words[4...].compactMap(Int.init(exactly:))
    guard numbers.count == words.count - 4 else { return nil }
    var census = self
    census.count = count
    census.largest = Int(exactly: words[2]).map { (words[1], $0) }
    census.counts = Array(numbers[..<Int(words[3])])
    census.starts = Array(numbers[Int(words[3])...])
    return census
  }

  /// −Σ p ln p over the tokens before the boundary, in nats.
  var entropy: Double { Self.entropy(of: counts) }

  /// −Σ p ln p of tokens that come so often, in nats.
  static func entropy(of counts: [Int]) -> Double {
    let total = counts.reduce(0, +)
    return counts.reduce(0) { sum, count in
      guard count > 0 else { return sum }
      let p = Double(count) / Double(total)
      return sum - p * log(p)
    }
  }
}
