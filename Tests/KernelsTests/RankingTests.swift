// Ranks and hits, counted, against a row of logits that is put in order.
import Foundation
import Kernels
import Support
import Testing

@Suite struct RankingTests {
  /// Every token of a row by falling logit, of equal ones the lower first.
  private func order(_ row: [Float]) -> [Int] { row.indices.sorted { (row[$0], $1) > (row[$1], $0) } }

  @Test(arguments: [1, 2, 15, 16, 17, 33, 100, 4099])
  func `a rank is the place in a sorted row`(vocabulary: Int) {
    var dice = Dice(UInt64(vocabulary))
    var z = dice.floats(3 * vocabulary)
    // Ties, within a vector and across two.
    for i in stride(from: 0, to: z.count, by: 3) { z[i] = z[i / 7] }
    for row in 0..<3 {
      let tokens = (0..<min(vocabulary, 40)).map { Int32($0 * 7919 % vocabulary) }
      var ranks = [Int32](repeating: 0, count: tokens.count)
      Ranking.ranks(
        matrix(&z, rows: 3, columns: vocabulary), row: row, of: tokens, count: tokens.count, into: &ranks)
      let order = order(Array(z[row * vocabulary..<(row + 1) * vocabulary]))
      #expect(ranks.map(Int.init) == tokens.map { order.firstIndex(of: Int($0))! + 1 })
    }
  }

  @Test(arguments: [1, 2, 15, 16, 17, 33, 100])
  func `a row with a NaN ranks nothing, wherever the NaN is`(vocabulary: Int) {
    var dice = Dice(UInt64(vocabulary))
    for place in [0, vocabulary / 2, vocabulary - 1] {
      var z = dice.floats(vocabulary)
      z[place] = .nan
      let tokens = (0..<min(vocabulary, 8)).map(Int32.init)
      var ranks = [Int32](repeating: 7, count: tokens.count)
      Ranking.ranks(matrix(&z, rows: 1, columns: vocabulary), row: 0, of: tokens, count: tokens.count, into: &ranks)
      #expect(ranks.allSatisfy { $0 == 0 })
    }
  }

  @Test(arguments: [1, 2, 15, 16, 17, 33, 100])
  func `a hit is the first place in a sorted row, and nothing else changes`(vocabulary: Int) {
    var dice = Dice(3)
    let rows = 64
    // Whole numbers: many rows have their largest logit twice.
    var z = (0..<rows * vocabulary).map { _ in Float(Int.random(in: 0..<5, using: &dice)) }
    let before = z
    // Half of the targets are the first of the largest, the others mostly not.
    var tokens = dice.tokens(rows, below: vocabulary)
    for t in stride(from: 0, to: rows, by: 2) {
      tokens[t] = Int32(order(Array(z[t * vocabulary..<(t + 1) * vocabulary]))[0])
    }
    var weights = [Float](repeating: 1, count: rows)
    var counts = (0..<rows).map { Int32($0 % 9 == 0 ? 0 : 1) }
    func losses(_ hits: UnsafeMutablePointer<UInt8>?) -> [Float] {
      var losses = [Float](repeating: -1, count: rows)
      tokens.withUnsafeMutableBufferPointer { tokens in
        weights.withUnsafeMutableBufferPointer { weights in
          counts.withUnsafeMutableBufferPointer { counts in
            SparseCrossEntropy.rows(
              matrix(&z, rows: rows, columns: vocabulary),
              targets: SparseTargets(
                tokens: tokens.baseAddress!, weights: weights.baseAddress!, counts: counts.baseAddress!, capacity: 1),
              losses: &losses, hits: hits, gradient: nil, threads: 2)
          }
        }
      }
      return losses
    }
    var hits = [UInt8](repeating: 7, count: rows)
    #expect(losses(&hits) == losses(nil))
    #expect(z == before)
    let expected = (0..<rows).map { t in
      counts[t] > 0 && order(Array(z[t * vocabulary..<(t + 1) * vocabulary]))[0] == Int(tokens[t])
    }
    #expect(hits == expected.map { $0 ? 1 : 0 })
    #expect(expected.contains(true) && (vocabulary == 1 || expected.contains(false)))
  }
}
