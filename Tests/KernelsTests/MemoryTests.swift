// Memory layers' kernels: the best of many, the vectors that find candidates, and tables that are updated a row at a time.
import Foundation
import Kernels
import Support
import Testing

@Suite struct MemoryTests {
  @Test(arguments: [(1, 1), (5, 2), (16, 16), (40, 1), (100, 33), (257, 7), (1024, 32)])
  func `the best are those of a sort, and of equal ones the first`(n: Int, m: Int) {
    var dice = Dice(for: "the best of \(n)")
    for trial in 0..<20 {
      // Every other time many are equal.
      let x = (0..<n).map { _ in
        trial % 2 == 0 ? Float.random(in: -1...1, using: &dice) : Float(Int.random(in: 0...4, using: &dice))
      }
      let expected = x.indices.sorted { (x[$1], $0) < (x[$0], $1) }.prefix(m).sorted()
      var heap = [Float](repeating: 0, count: m)
      var places = [Int32](repeating: 0, count: m)
      var found = [Int32](repeating: -1, count: m)
      TopScores.find(x, count: n, most: m, heap: &heap, places: &places, into: &found)
      #expect(found.map { Int($0) } == expected, "\(Trial.note)")
    }
  }

  @Test func `numbers that are not finite find places that are there`() {
    for bad in [Float.nan, .infinity, -.infinity] {
      let x = [Float](repeating: bad, count: 50)
      var heap = [Float](repeating: 0, count: 9)
      var places = [Int32](repeating: 0, count: 9)
      var found = [Int32](repeating: -1, count: 9)
      TopScores.find(x, count: 50, most: 9, heap: &heap, places: &places, into: &found)
      #expect(found.allSatisfy { (0..<50).contains($0) })
    }
  }

  @Test func `candidates are found by the first singular vectors, whose sign stays`() {
    var dice = Dice(for: "singular vectors")
    for r in 1...4 {
      for _ in 0..<10 {
        let cores = dice.floats(2 * r * r)
        var filter = [Float](repeating: 0, count: 2 * r)
        RankOneFilter.update(cores: cores, count: 2, rank: r, filter: &filter, isFirst: true)
        #expect(filter[..<r].reduce(0, +) >= 0)
        let sum = (0..<r * r).map { Double(cores[$0]) + Double(cores[r * r + $0]) }
        func value(_ u: [Double], _ v: [Double]) -> Double {
          (0..<r * r).reduce(0) { $0 + u[$1 / r] * sum[$1] * v[$1 % r] }
        }
        let (u, v) = (filter[..<r].map(Double.init), filter[r...].map(Double.init))
        let best = value(u, v)
        #expect(best > 0 || r == 1)
        for _ in 0..<200 {
          func unit() -> [Double] {
            let x = (0..<r).map { _ in Double.random(in: -1...1, using: &dice) }
            let length = x.reduce(0) { $0 + $1 * $1 }.squareRoot()
            return x.map { $0 / length }
          }
          #expect(abs(value(unit(), unit())) <= abs(best) + 1e-5, "\(Trial.note)")
        }
        if r == 2 {
          // The closed form of two by two.
          let (a, b, c, e) = (sum[0], sum[1], sum[2], sum[3])
          let angle = 0.5 * atan2(2 * (a * b + c * e), a * a + c * c - b * b - e * e)
          #expect(abs(abs(cos(angle) * v[0] + sin(angle) * v[1]) - 1) < 1e-5)
        }
        var kept = filter.map { -$0 }
        RankOneFilter.update(cores: cores, count: 2, rank: r, filter: &kept, isFirst: false)
        #expect(zip(kept, filter).allSatisfy { abs($0 + $1) < 1e-6 }, "the sign is that of before")
      }
    }
  }

  /// Made-up picks of a step, owned.
  private final class Picks {
    let shape: MemoryShape
    let positions: Int
    var rows: [Int32]
    var weights, factors, dPooled, z: [Float]
    var ends, order: [Int32]

    init(_ shape: MemoryShape, positions: Int, _ dice: inout Dice) {
      self.shape = shape
      self.positions = positions
      // Few rows, some of them picked twice by a token, and rows that nobody picks.
      rows = (0..<positions * shape.picks).map { _ in Int32.random(in: 0..<Int32(shape.rows / 2), using: &dice) }
      weights = dice.floats(positions * shape.picks * shape.weights)
      factors = dice.floats(positions * shape.picks)
      dPooled = dice.floats(positions * shape.valueWidth)
      z = dice.floats(max(1, positions * shape.preWidth))
      ends = [Int32](repeating: 0, count: shape.rows)
      order = [Int32](repeating: 0, count: rows.count)
    }

    func sorted(_ body: (TableGradient) -> Void) {
      rows.withUnsafeMutableBufferPointer { rows in
        weights.withUnsafeMutableBufferPointer { weights in
          factors.withUnsafeMutableBufferPointer { factors in
            dPooled.withUnsafeMutableBufferPointer { dPooled in
              z.withUnsafeMutableBufferPointer { z in
                ends.withUnsafeMutableBufferPointer { ends in
                  order.withUnsafeMutableBufferPointer { order in
                    let table = TableGradient(
                      shape,
                      records: PickRecords(
                        rows: rows.baseAddress!, weights: weights.baseAddress!, factors: factors.baseAddress!,
                        dPooled: dPooled.baseAddress!, z: z.baseAddress!),
                      ends: ends.baseAddress!, order: order.baseAddress!)
                    table.sort(positions: positions)
                    body(table)
                  }
                }
              }
            }
          }
        }
      }
    }
  }

  private static let shapes = [
    MemoryShape(
      keys: 6, keyWidth: 4, top: 3, candidates: 3, heads: 2, cores: 2, rank: 2, valueWidth: 38, preWidth: 5),
    MemoryShape(
      keys: 20, keyWidth: 4, top: 4, candidates: 3, heads: 1, cores: 0, rank: 1, valueWidth: 16, preWidth: 0),
  ]

  private func gradient(_ shape: MemoryShape, _ table: TableGradient) -> [Float] {
    var all = [Float](repeating: .nan, count: shape.rows * shape.rowWidth)
    all.withUnsafeMutableBufferPointer { g in
      for row in 0..<shape.rows { table.sum(row: row, into: g.baseAddress! + row * shape.rowWidth) }
    }
    return all
  }

  @Test(arguments: shapes.indices)
  func `a row's gradient is the sum over its picks`(index: Int) {
    let shape = Self.shapes[index]
    var dice = Dice(for: "row gradients")
    let picks = Picks(shape, positions: 30, &dice)
    var expected = [Double](repeating: 0, count: shape.rows * shape.rowWidth)
    for (pick, row) in picks.rows.enumerated() {
      let (t, first) = (pick / shape.picks, Int(row) * shape.rowWidth)
      for i in 0..<shape.preWidth {
        expected[first + i] += Double(picks.factors[pick]) * Double(picks.z[t * shape.preWidth + i])
      }
      for i in 0..<shape.valueWidth {
        let weight = picks.weights[pick * shape.weights + i / shape.partWidth]
        expected[first + shape.preWidth + i] += Double(weight) * Double(picks.dPooled[t * shape.valueWidth + i])
      }
    }
    let (count, rows) = (picks.rows.count, picks.rows)
    picks.sorted { table in
      let whole = gradient(shape, table)
      #expect(largestError(whole, expected) < 1e-5, "\(Trial.note)")
      for threads in [1, 2, 3, 7] {
        #expect(table.sort(positions: 30, threads: threads) == Set(rows).count)
        #expect(gradient(shape, table).map(\.bitPattern) == whole.map(\.bitPattern), "\(threads) threads")
      }
      #expect((0..<shape.rows).reduce(0) { $0 + table.count(of: $1) } == count)
      var bits: Set<UInt64> = []
      for threads in [1, 2, 3, 7] {
        var room = [Float](repeating: 0, count: threads * shape.rowWidth)
        var partial = [Double](repeating: 0, count: TableGradient.pieces(shape))
        bits.insert(table.squares(room: &room, partial: &partial, threads: threads).bitPattern)
      }
      #expect(bits.count == 1)
      let sum = expected.reduce(0) { $0 + $1 * $1 }
      #expect(abs(Double(bitPattern: bits.first!) - sum) < 1e-4 * sum)
    }
  }

  @Test(arguments: shapes.indices, [1, 2, 3, 7])
  func `tables are updated to the bits of dense AdamW, rows that nobody picks too`(index: Int, threads: Int) {
    let shape = Self.shapes[index]
    var dice = Dice(for: "table updates")
    let count = shape.rows * shape.rowWidth
    var sparse = (w: dice.floats(count), m: [Float](repeating: 0, count: count), v: [Float](repeating: 0, count: count))
    var dense = sparse
    for step in 0..<12 {
      let picks = Picks(shape, positions: 5 + step, &dice)
      let adam = AdamW(
        beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, rate: 0.02 / Double(step + 1),
        clip: step % 3 == 0 ? 0.37 : 1, step: step)
      picks.sorted { table in
        let g = gradient(shape, table)
        adam.update(w: &dense.w, g: g, m: &dense.m, v: &dense.v, rounded: nil, count: count, threads: 1)
        var room = [Float](repeating: 0, count: threads * shape.rowWidth)
        table.update(w: &sparse.w, m: &sparse.m, v: &sparse.v, adam: adam, room: &room, threads: threads)
      }
      #expect(sparse.w.map(\.bitPattern) == dense.w.map(\.bitPattern), "step \(step), \(Trial.note)")
      #expect(sparse.m.map(\.bitPattern) == dense.m.map(\.bitPattern))
      #expect(sparse.v.map(\.bitPattern) == dense.v.map(\.bitPattern))
    }
  }
}
