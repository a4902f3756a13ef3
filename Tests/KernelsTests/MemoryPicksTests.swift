// Which rows of a table are picked, how clear that choice was, and how picks are counted: against slow looks at the same numbers.
import Foundation
import Kernels
import Support
import Testing

@Suite struct MemoryPicksTests {
  private struct Choice {
    let shape: MemoryShape
    let positions: Int
    var scores: [Float]
    var cores: [Float]
    var filter: [Float]

    init(_ shape: MemoryShape, positions: Int, _ dice: inout Dice) {
      self.shape = shape
      self.positions = positions
      scores = dice.floats(shape.scoreMatrices * positions * shape.keys)
      cores = dice.floats(max(1, shape.coreElements)).map { abs($0) + 0.1 }
      filter = dice.floats(shape.filterElements).map { abs($0) + 0.1 }
    }

    /// [position][head]: the picked rows, and what `measureEdges` says.
    func picked() -> [[(rows: [Int], edge: PickEdge)]] {
      let (P, count) = (shape.picks, positions * shape.picks)
      var rows = [Int32](repeating: -1, count: count)
      var (weights, sides) = (
        [Float](repeating: 0, count: count * shape.weights), [Float](repeating: 0, count: count * shape.sides)
      )
      var factors = [Float](repeating: 0, count: count)
      var edges = [PickEdge](repeating: PickEdge(), count: positions * shape.heads)
      var room = [Float](repeating: 0, count: 3 * MemoryPicks.room(shape))
      rows.withUnsafeMutableBufferPointer { rows in
        weights.withUnsafeMutableBufferPointer { weights in
          sides.withUnsafeMutableBufferPointer { sides in
            factors.withUnsafeMutableBufferPointer { factors in
              let lists = PickLists(
                rows: rows.baseAddress!, weights: weights.baseAddress!, sides: sides.baseAddress!,
                factors: factors.baseAddress!)
              MemoryPicks.find(
                shape, scores: scores, count: positions, stride: positions, cores: cores, filter: filter, into: lists,
                room: &room, threads: 2)
              let before = Array(rows)
              MemoryPicks.measureEdges(
                shape, scores: scores, count: positions, stride: positions, cores: cores, filter: filter, into: lists,
                edges: &edges, room: &room, threads: 3)
              #expect(Array(rows) == before, "measuring picks the same rows")
            }
          }
        }
      }
      return (0..<positions).map { t in
        (0..<shape.heads).map { head in
          let first = t * P + head * shape.top
          return (rows[first..<first + shape.top].map { Int($0) }, edges[t * shape.heads + head])
        }
      }
    }

    private func score(_ t: Int, _ head: Int, side: Int, key: Int, rank: Int) -> Double {
      Double(scores[(shape.matrix(head: head, side: side, rank: rank) * positions + t) * shape.keys + key])
    }

    /// The candidates of a side.
    func candidates(_ t: Int, _ head: Int, side: Int) -> [Int] {
      let values = (0..<shape.keys).map { key in
        (0..<shape.rank).reduce(0.0) {
          $0 + Double(filter[head * 2 * shape.rank + side * shape.rank + $1])
            * score(t, head, side: side, key: key, rank: $1)
        }
      }
      return Array(values.indices.sorted { values[$0] > values[$1] }.prefix(shape.candidates))
    }

    /// All pairs of candidates, best first, with their scores.
    func pairs(_ t: Int, _ head: Int) -> [(row: Int, score: Double)] {
      let (r, h) = (shape.rank, shape.cores)
      var all: [(row: Int, score: Double)] = []
      for a in candidates(t, head, side: 0) {
        for b in candidates(t, head, side: 1) {
          var sum = 0.0
          if h == 0 { sum = score(t, head, side: 0, key: a, rank: 0) + score(t, head, side: 1, key: b, rank: 0) }
          for core in 0..<h {
            for i in 0..<r {
              for j in 0..<r {
                sum +=
                  score(t, head, side: 0, key: a, rank: i) * Double(cores[((head * h + core) * r + i) * r + j])
                  * score(t, head, side: 1, key: b, rank: j)
              }
            }
          }
          all.append((a * shape.keys + b, sum))
        }
      }
      return all.sorted { $0.score > $1.score }
    }
  }

  private static let shapes = [
    MemoryShape(keys: 9, keyWidth: 4, top: 6, candidates: 5, heads: 2, cores: 2, rank: 2, valueWidth: 8, preWidth: 4),
    MemoryShape(keys: 20, keyWidth: 4, top: 4, candidates: 3, heads: 1, cores: 0, rank: 1, valueWidth: 8, preWidth: 0),
    MemoryShape(keys: 7, keyWidth: 4, top: 1, candidates: 4, heads: 1, cores: 1, rank: 3, valueWidth: 8, preWidth: 0),
    MemoryShape(keys: 3, keyWidth: 4, top: 9, candidates: 3, heads: 1, cores: 2, rank: 2, valueWidth: 8, preWidth: 0),
  ]

  @Test(arguments: shapes.indices)
  func `picks are the best pairs, and their edge is that of a full sort`(index: Int) {
    let shape = Self.shapes[index]
    var dice = Dice(for: "edges of picks")
    let choice = Choice(shape, positions: 12, &dice)
    for (t, heads) in choice.picked().enumerated() {
      for (head, found) in heads.enumerated() {
        let pairs = choice.pairs(t, head)
        #expect(found.rows.sorted() == pairs.prefix(shape.top).map(\.row).sorted(), "\(Trial.note)")
        let (best, worst) = (pairs[0].score, pairs[shape.top - 1].score)
        #expect(abs(Double(found.edge.spread) - (best - worst)) < 1e-5)
        if pairs.count > shape.top {
          #expect(abs(Double(found.edge.gap) - (worst - pairs[shape.top].score)) < 1e-5 && found.edge.gap >= 0)
        } else {
          #expect(found.edge.gap.isNaN)
        }
      }
    }
  }

  /// Of the specification's eleven tests the sixth: (−u, −v) is another choice.
  @Test(arguments: [0, 1])
  func `the other sign of the vectors that find candidates finds the best pairs of other keys`(index: Int) {
    let shape = Self.shapes[index]
    var dice = Dice(for: "signs")
    var choice = Choice(shape, positions: 12, &dice)
    let before = choice.picked()
    choice.filter = choice.filter.map { -$0 }
    for (t, heads) in choice.picked().enumerated() {
      for (head, found) in heads.enumerated() {
        let pairs = choice.pairs(t, head)
        #expect(found.rows.sorted() == pairs.prefix(shape.top).map(\.row).sorted(), "\(Trial.note)")
        // The keys with the largest sums are now those with the smallest: of both kinds there is one key a side at most.
        #expect(found.rows.sorted() != before[t][head].rows.sorted(), "\(Trial.note)")
      }
    }
  }

  /// Of the specification's eleven tests the fourth: C_i = e₁e₁ᵀ/h.
  @Test(arguments: [1, 2, 4])
  func `where cores are of rank one, picks are those of the vectors that find candidates`(cores: Int) {
    let shape = MemoryShape(
      keys: 16, keyWidth: 4, top: 7, candidates: 7, heads: 1, cores: cores, rank: 2, valueWidth: 8, preWidth: 0)
    var dice = Dice(for: "cores of rank one")
    var choice = Choice(shape, positions: 20, &dice)
    // Same signs on both sides, so that the largest products are those of the largest scores.
    choice.scores = choice.scores.map { abs($0) }
    choice.cores = (0..<cores).flatMap { _ in [1 / Float(cores), 0, 0, 0] }
    choice.filter = [0, 0, 0, 0]
    RankOneFilter.update(cores: choice.cores, count: cores, rank: 2, filter: &choice.filter, isFirst: true)
    #expect(choice.filter == [1, 0, 1, 0])
    func score(_ t: Int, side: Int, _ key: Int) -> Float {
      choice.scores[(shape.matrix(head: 0, side: side, rank: 0) * 20 + t) * 16 + key]
    }
    for (t, heads) in choice.picked().enumerated() {
      // The whole grid of pairs by u·R times v·L, without candidates: with as many candidates as picks none is lost.
      let products = (0..<256).map { score(t, side: 0, $0 / 16) * score(t, side: 1, $0 % 16) }
      let best = products.indices.sorted { products[$0] > products[$1] }.prefix(7)
      #expect(heads[0].rows.sorted() == best.sorted(), "\(Trial.note)")
    }
  }

  @Test(arguments: [1, 2, 5]) func `picks are counted, and the step that last picked a row`(threads: Int) {
    let shape = Self.shapes[0]
    var dice = Dice(for: "counted picks")
    var picks = [UInt32](repeating: 0, count: shape.rows)
    var last = picks
    var (expected, expectedLast) = (picks, picks)
    picks[0] = .max - 1
    expected[0] = .max - 1
    picks.withUnsafeMutableBufferPointer { picks in
      last.withUnsafeMutableBufferPointer { last in
        let use = TableUse(picks: picks.baseAddress!, last: last.baseAddress!)
        for step in 1...5 {
          let positions = 3 * step
          var rows = (0..<positions * shape.picks).map { _ in Int32.random(in: 0..<Int32(shape.rows / 3), using: &dice)
          }
          var none = [Float](repeating: 0, count: positions * 64)
          var (ends, order) = ([Int32](repeating: 0, count: shape.rows), [Int32](repeating: 0, count: rows.count))
          for row in rows {
            expected[Int(row)] = expected[Int(row)] == .max ? .max : expected[Int(row)] + 1
            expectedLast[Int(row)] = UInt32(step)
          }
          rows.withUnsafeMutableBufferPointer { rows in
            none.withUnsafeMutableBufferPointer { none in
              ends.withUnsafeMutableBufferPointer { ends in
                order.withUnsafeMutableBufferPointer { order in
                  let floats = none.baseAddress!
                  let table = TableGradient(
                    shape,
                    records: PickRecords(
                      rows: rows.baseAddress!, weights: floats, factors: floats, dPooled: floats, z: floats),
                    ends: ends.baseAddress!, order: order.baseAddress!)
                  table.sort(positions: positions)
                  table.count(into: use, step: UInt32(step), threads: threads)
                }
              }
            }
          }
        }
      }
    }
    #expect(picks == expected && last == expectedLast && expected[0] == .max, "\(Trial.note)")
    #expect(last.suffix(shape.rows / 2).allSatisfy { $0 == 0 })
  }
}
