// Near duplicates by MinHash (Broder 1997) with banding: documents whose sets of five consecutive tokens overlap by more than 0.7.
// The share of equal minima of 128 hash functions estimates the Jaccard similarity of two sets; documents that have all four
// minima of any of 32 bands in common are compared.
import Run

enum NearDuplicates {
  /// Increase it when a change finds other duplicates: part of the cache's key.
  static let version = 1
  static let hashes = 128
  static let bands = 32
  /// Consecutive tokens of an element of a document's set.
  static let shingle = 5
  /// The estimated similarity above which a document is left out.
  static let threshold = 0.7
  /// Documents of one bucket that a document is compared with, newest first: a text full of phrases ends.
  private static let mostCompared = 256

  /// The documents that repeat an earlier one which is kept.
  /// - Returns: for each document the number of the earlier one, or −1 where the document is kept.
  static func find(in part: TokenRange, _ documents: [Range<Int>]) throws(CorpusError) -> [Int32] {
    let signatures = try signatures(of: part, documents)
    let rows = hashes / bands
    let enough = Int(threshold * Double(hashes)) + 1
    var originals = [Int32](repeating: -1, count: documents.count)
    // The newest document of each bucket, and for each document and band the one before it in the bucket.
    var newest: [UInt64: Int32] = [:]
    var before = [Int32](repeating: -1, count: documents.count * bands)
    // The document that each was last compared with.
    var compared = [Int32](repeating: -1, count: documents.count)
    for document in documents.indices {
      var keys: [UInt64] = []
      keys.reserveCapacity(bands)
      for band in 0..<bands {
        var key = UInt64(band)
        for row in 0..<rows { key = mixed(key ^ UInt64(signatures[document * hashes + band * rows + row]) &+ 1 << 40) }
        keys.append(key)
      }
      search: for (band, key) in keys.enumerated() {
        var other = newest[key] ?? -1
        var left = mostCompared
        while other >= 0, left > 0 {
          if compared[Int(other)] != document {
            compared[Int(other)] = Int32(document)
            var equal = 0
            for index in 0..<hashes
            where signatures[document * hashes + index] == signatures[Int(other) * hashes + index] {
              equal += 1
            }
            if equal >= enough {
              originals[document] = other
              break search
            }
          }
          other = before[Int(other) * bands + band]
          left -= 1
        }
      }
      guard originals[document] < 0 else { continue }
      for (band, key) in keys.enumerated() {
        before[document * bands + band] = newest[key] ?? -1
        newest[key] = Int32(document)
      }
    }
    return originals
  }

  /// The minima of all documents.
  /// - Returns: [documents, hashes].
  private static func signatures(of part: TokenRange, _ documents: [Range<Int>]) throws(CorpusError) -> [UInt32] {
    var all: [UInt32] = []
    all.reserveCapacity(documents.count * hashes)
    let seeds = seeds
    let found = WorkerThread.map(documents.count) { index -> Result<[UInt32], CorpusError> in
      Result { () throws(CorpusError) in signature(of: try part.tokens(documents[index]), seeds) }
    }
    for signature in found { all += try signature.get() }
    return all
  }

  private static let seeds: [SIMD16<UInt32>] = (0..<hashes / 16).map { group in
    var seeds = SIMD16<UInt32>()
    for lane in 0..<16 {
      seeds[lane] = UInt32(truncatingIfNeeded: mixed(UInt64(16 * group + lane + 1) &* 0x9E37_79B9_7F4A_7C15))
    }
    return seeds
  }

  /// The minimum of each hash function over the elements of a document's set. A document shorter than an element is one element.
  static func signature(of tokens: [Int32], _ seeds: [SIMD16<UInt32>]) -> [UInt32] {
    var minima = [SIMD16<UInt32>](repeating: SIMD16(repeating: .max), count: seeds.count)
    let length = min(shingle, tokens.count)
    tokens.withUnsafeBufferPointer { tokens in
      for first in 0...(tokens.count - length) {
        var hash: UInt64 = 0
        for index in first..<first + length { hash = mixed(hash &+ UInt64(UInt32(bitPattern: tokens[index])) &+ 1) }
        let element = SIMD16(repeating: UInt32(truncatingIfNeeded: hash))
        for group in seeds.indices {
          var value = (element ^ seeds[group]) &* SIMD16(repeating: 0x85EB_CA6B)
          value ^= value &>> SIMD16(repeating: 13)
          value = value &* SIMD16(repeating: 0xC2B2_AE35)
          value ^= value &>> SIMD16(repeating: 16)
          minima[group] = pointwiseMin(minima[group], value)
        }
      }
    }
    return minima.flatMap { lanes in (0..<16).map { lanes[$0] } }
  }

  /// The estimated similarity of two lists of tokens.
  static func similarity(_ a: [Int32], _ b: [Int32]) -> Double {
    let (a, b) = (signature(of: a, seeds), signature(of: b, seeds))
    return Double(zip(a, b).count { $0 == $1 }) / Double(hashes)
  }
}
