// Documents as TF-IDF vectors: w = (1 + log tf) · log(N / df), made unit vectors. Function tokens (the most frequent ones, which make
// 40 % of the text) and tokens of too many documents say little about a topic and are left out.
import Foundation
import Run

struct DocumentTerms {
  /// The heaviest terms of a document that are kept, and those by which others find it.
  static let mostTerms = 256
  static let mostIndexed = 32
  /// A token in more than this share of the documents, and in more than so many, is left out.
  static let mostShare = 0.05
  static let mostDocuments = 10

  /// Where the terms of each document begin; one more than there are documents.
  private(set) var offsets = [0]
  /// The terms of each document by rising token, with their weights.
  private(set) var tokens: [Int32] = []
  private(set) var weights: [Float] = []
  /// The terms by which each document is found, heaviest first: places in its terms.
  private(set) var indexed: [[UInt16]] = []
  let count: Int

  /// - Parameter vocabulary: tokens are below it.
  init(of part: TokenRange, _ documents: [Range<Int>], vocabulary: Int) throws(CorpusError) {
    count = documents.count
    var frequencies = [Int](repeating: 0, count: vocabulary)
    var documentFrequencies = [Int32](repeating: 0, count: vocabulary)
    var lastSeen = [Int32](repeating: -1, count: vocabulary)
    for (number, range) in documents.enumerated() {
      for token in try part.tokens(range) {
        frequencies[Int(token)] += 1
        if lastSeen[Int(token)] != number {
          lastSeen[Int(token)] = Int32(number)
          documentFrequencies[Int(token)] += 1
        }
      }
    }
    let function = FunctionTokens(frequencies)
    let limit = max(Self.mostDocuments, Int(Self.mostShare * Double(documents.count)))
    let rarity = (0..<vocabulary).map { token -> Float in
      let found = Int(documentFrequencies[token])
      guard found > 0, found <= limit, !function.contains(Int32(token)) else { return 0 }
      return Float(log(Double(documents.count) / Double(found)))
    }
    let frequent = documentFrequencies
    // Some documents at a time, so that their terms are not in memory twice.
    for first in stride(from: 0, to: documents.count, by: 4096) {
      let found = WorkerThread.map(min(4096, documents.count - first)) { index -> Result<Terms, CorpusError> in
        Result { () throws(CorpusError) in
          Self.terms(of: try part.tokens(documents[first + index]), rarity) { frequent[Int($0)] > 1 }
        }
      }
      for result in found {
        let terms = try result.get()
        tokens += terms.tokens
        weights += terms.weights
        indexed.append(terms.indexed)
        offsets.append(tokens.count)
      }
    }
  }

  private struct Terms: Sendable {
    var tokens: [Int32]
    var weights: [Float]
    var indexed: [UInt16]
  }

  /// - Parameters:
  ///   - rarity: log(N / df) of each token; 0 leaves a token out.
  ///   - isShared: whether another document has a token.
  private static func terms(of tokens: [Int32], _ rarity: [Float], isShared: (Int32) -> Bool) -> Terms {
    let sorted = tokens.filter { rarity[Int($0)] > 0 }.sorted()
    var terms: [(token: Int32, weight: Float)] = []
    var first = 0
    while first < sorted.count {
      var end = first
      while end < sorted.count, sorted[end] == sorted[first] { end += 1 }
      terms.append((sorted[first], (1 + log(Float(end - first))) * rarity[Int(sorted[first])]))
      first = end
    }
    func byWeight(_ a: (token: Int32, weight: Float), _ b: (token: Int32, weight: Float)) -> Bool {
      (a.weight, b.token) > (b.weight, a.token)
    }
    if terms.count > mostTerms { terms = terms.sorted(by: byWeight).prefix(mostTerms).sorted { $0.token < $1.token } }
    let norm = terms.reduce(Float(0)) { $0 + $1.weight * $1.weight }.squareRoot()
    let heaviest = terms.indices.filter { isShared(terms[$0].token) }.sorted { byWeight(terms[$0], terms[$1]) }
    return Terms(
      tokens: terms.map(\.token), weights: terms.map { $0.weight / norm },
      indexed: heaviest.prefix(mostIndexed).map { UInt16($0) })
  }

  /// The cosine of two documents: the inner product of their vectors.
  func cosine(_ a: Int, _ b: Int) -> Float {
    tokens.withUnsafeBufferPointer { tokens in
      weights.withUnsafeBufferPointer { weights in
        var (i, j) = (offsets[a], offsets[b])
        let (lastI, lastJ) = (offsets[a + 1], offsets[b + 1])
        var sum: Float = 0
        while i < lastI, j < lastJ {
          if tokens[i] == tokens[j] {
            sum += weights[i] * weights[j]
            i += 1
            j += 1
          } else if tokens[i] < tokens[j] {
            i += 1
          } else {
            j += 1
          }
        }
        return sum
      }
    }
  }
}
