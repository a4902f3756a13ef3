// The n-gram model against a slow twin that counts with dictionaries.
import Foundation
import Support
import Testing

@testable import Corpus

@Suite struct KneserNeyTests {
  /// Interpolated Kneser–Ney by the formula, from dictionaries.
  private struct SlowNeighbour {
    let order: Int
    let vocabulary: Int
    let tokens: [Int32]
    let starts: [Int]
    private var counts: [[[Int32]: Double]] = []
    private var discounts: [Double] = []

    init(_ tokens: [Int32], documents: [Range<Int>], vocabulary: Int, order: Int) {
      (self.tokens, self.vocabulary, self.order) = (tokens, vocabulary, order)
      starts = documents.flatMap { range in range.map { _ in range.lowerBound } }
      func grams(_ n: Int) -> [[Int32]] {
        documents.flatMap { range in
          range.count < n ? [] : (range.lowerBound...range.upperBound - n).map { Array(tokens[$0..<$0 + n]) }
        }
      }
      for n in 1...order {
        var table: [[Int32]: Double] = [:]
        if n == order {
          for gram in grams(n) { table[gram, default: 0] += 1 }
        } else {
          for gram in Set(grams(n + 1)) { table[Array(gram.dropFirst()), default: 0] += 1 }
        }
        counts.append(table)
        let (ones, twos) = (table.values.count { $0 == 1 }, table.values.count { $0 == 2 })
        discounts.append(ones > 0 && twos > 0 ? Double(ones) / Double(ones + 2 * twos) : 0.5)
      }
    }

    func probability(_ token: Int32, after context: [Int32]) -> Double {
      let n = context.count + 1
      let shorter = n > 1 ? probability(token, after: Array(context.dropFirst())) : 1 / Double(vocabulary)
      let followers = counts[n - 1].filter { Array($0.key.dropLast()) == context }
      let total = followers.values.reduce(0, +)
      guard total > 0 else { return shorter }
      let d = discounts[n - 1]
      let own = max(0, (followers[context + [token]] ?? 0) - d) / total
      return own + d * Double(followers.count) / total * shorter
    }

    func probability(_ token: Int32, afterPlace end: Int) -> Double {
      let first = max(starts[end], end - order + 2)
      return probability(token, after: first <= end ? Array(tokens[first...end]) : [])
    }
  }

  private static func text(_ count: Int) -> [Int32] {
    var dice = Dice(9)
    var tokens: [Int32] = [0]
    // Some order, so that longer contexts say more.
    while tokens.count < count {
      let last = tokens[tokens.count - 1]
      tokens.append(Bool.random(using: &dice) ? (last * 3 + 1) % 7 : Int32.random(in: 0..<7, using: &dice))
    }
    return tokens
  }

  @Test(arguments: [1, 2, 3, 5], [nil, [0, 40, 41, 44, 120]])
  func `its probabilities are those of its twin, and sum to 1`(order: Int, starts: [Int]?) throws {
    let tokens = Self.text(200)
    let part = TokenRange(tokens, documents: starts)
    let vocabulary = 9
    let model = try KneserNey(of: part, vocabulary: vocabulary, order: order)
    let twin = SlowNeighbour(tokens, documents: part.documentRanges, vocabulary: vocabulary, order: order)
    for end in tokens.indices {
      let all = model.probabilities(after: end)
      #expect(abs(all.reduce(0, +) - 1) < 1e-12, "at \(end)")
      for token in 0..<Int32(vocabulary) {
        #expect(abs(all[Int(token)] - twin.probability(token, afterPlace: end)) < 1e-12, "\(token) at \(end)")
      }
      #expect(all.allSatisfy { $0 > 0 })
    }
  }

  @Test(arguments: [1.0, 0.5, 2])
  func `the likeliest tokens are those of the whole distribution, sharpened`(temperature: Double) throws {
    let tokens = Self.text(300)
    let model = try KneserNey(of: TokenRange(tokens), vocabulary: 12, order: 4)
    let top = 5
    let rows = model.likeliest(after: 0..<tokens.count, top: top, temperature: temperature)
    for end in tokens.indices {
      let p = model.probabilities(after: end).map { pow($0, 1 / temperature) }
      let sum = p.reduce(0, +)
      let named = rows.tokens[end * top..<(end + 1) * top]
      #expect(Set(named).count == top)
      let best = p.sorted(by: >).prefix(top)
      for (k, token) in named.enumerated() {
        #expect(abs(p[Int(token)] - best[k]) < 1e-9)
        #expect(abs(Double(rows.weights[end * top + k]) - p[Int(token)] / sum) < 1e-6)
      }
    }
  }

  @Test func `longer contexts predict a text with order better`() throws {
    let tokens = Self.text(4000)
    func loss(_ order: Int) throws -> Double {
      let model = try KneserNey(of: TokenRange(tokens), vocabulary: 7, order: order)
      return (0..<tokens.count - 1).reduce(0.0) { $0 - log(model.probabilities(after: $1)[Int(tokens[$1 + 1])]) }
        / Double(tokens.count - 1)
    }
    let (one, two, three) = (try loss(1), try loss(2), try loss(3))
    #expect(two < one - 0.3 && three < two + 0.05, "\(one), \(two), \(three)")
  }
}
