// Lazy updates of tables: rows that lacked updates come to the bits of dense AdamW, no matter when, and by how many threads,
// they are read.
import Kernels
import Support
import Testing

@Suite struct LazyTableTests {
  /// The made-up picks of one step.
  private final class PickedStep {
    let shape: MemoryShape
    let picks: Int
    let rows: FixedArray<Int32>
    private let ends, order: FixedArray<Int32>
    private let weights, factors, dPooled, z: FixedArray<Float>

    init(_ shape: MemoryShape, positions: Int, _ dice: inout Dice) {
      self.shape = shape
      picks = positions * shape.picks
      rows = FixedArray(repeating: 0, count: picks)
      ends = FixedArray(repeating: 0, count: shape.rows)
      order = FixedArray(repeating: 0, count: picks)
      weights = FixedArray(repeating: 0, count: picks * shape.weights)
      factors = FixedArray(repeating: 0, count: picks)
      dPooled = FixedArray(repeating: 0, count: positions * shape.valueWidth)
      z = FixedArray(repeating: 0, count: max(1, positions * shape.preWidth))
      // The second half of the table is never picked.
      for pick in 0..<picks { rows[pick] = Int32.random(in: 0..<Int32(shape.rows / 2), using: &dice) }
      for block in [weights, factors, dPooled, z] {
        for (index, number) in dice.floats(block.count).enumerated() { block[index] = number }
      }
      gradient.sort(positions: positions)
    }

    private var gradient: TableGradient {
      TableGradient(
        shape,
        records: PickRecords(
          rows: rows.start, weights: weights.start, factors: factors.start, dPooled: dPooled.start, z: z.start),
        ends: ends.start, order: order.start)
    }

    /// [N, D_p + D_v].
    var dense: FixedArray<Float> {
      let all = FixedArray<Float>(repeating: 0, count: shape.rows * shape.rowWidth)
      let gradient = gradient
      for row in 0..<shape.rows { gradient.sum(row: row, into: all.start + row * shape.rowWidth) }
      return all
    }

    /// Brings the picked rows up to date, as a forward pass does.
    func read(_ table: LazyTable, threads: Int) {
      table.postponed.bringUpToDate(rows.start, picks: picks, threads: threads)
    }

    func update(
      _ table: LazyTable, within updates: Int = PostponedUpdates.most, by adam: AdamW, room: FixedArray<Float>,
      threads: Int
    ) {
      table.record(adam)
      gradient.update(table.postponed, within: updates, adam: adam, room: room.start, threads: threads)
    }
  }

  /// A table with its moments, and how many updates its rows have.
  private final class LazyTable {
    let shape: MemoryShape
    let w, m, v: FixedArray<Float>
    private let applied: FixedArray<Int32>
    private let history: FixedArray<AdamWFactors>
    /// Updates so far.
    private(set) var count = 0

    init(_ shape: MemoryShape, weights: [Float]) {
      self.shape = shape
      w = FixedArray(repeating: 0, count: weights.count)
      m = FixedArray(repeating: 0, count: weights.count)
      v = FixedArray(repeating: 0, count: weights.count)
      applied = FixedArray(repeating: 0, count: shape.rows)
      history = FixedArray(repeating: LazyTableTests.adam(0).factors, count: PostponedUpdates.most)
      for (index, weight) in weights.enumerated() { w[index] = weight }
    }

    func record(_ adam: AdamW) {
      history[count % PostponedUpdates.most] = adam.factors
      count += 1
    }

    /// Updates all rows at once.
    func update(by adam: AdamW, _ gradient: FixedArray<Float>) {
      adam.update(w: w.start, g: gradient.start, m: m.start, v: v.start, rounded: nil, count: w.count, threads: 1)
    }

    var postponed: PostponedUpdates {
      PostponedUpdates(
        shape, w: w.start, m: m.start, v: v.start, applied: applied.start, history: history.start, count: count)
    }

    /// The bits of weights and moments in some rows.
    func bits(_ rows: [Int]) -> [UInt32] {
      rows.flatMap { row in
        (row * shape.rowWidth..<(row + 1) * shape.rowWidth).flatMap { place in
          [w[place].bitPattern, m[place].bitPattern, v[place].bitPattern]
        }
      }
    }

    var allRows: [Int] { Array(0..<shape.rows) }
  }

  private static let shapes = [
    MemoryShape(
      keys: 20, keyWidth: 4, top: 3, candidates: 3, heads: 2, cores: 2, rank: 2, valueWidth: 38, preWidth: 5),
    MemoryShape(
      keys: 22, keyWidth: 4, top: 4, candidates: 3, heads: 1, cores: 0, rank: 1, valueWidth: 16, preWidth: 0),
  ]

  /// The update of a step; every number of it changes in the course of a run.
  private static func adam(_ step: Int) -> AdamW {
    AdamW(
      beta1: step < 90 ? 0.9 : 0.8, beta2: step < 110 ? 0.95 : 0.99, epsilon: step < 50 ? 1e-8 : 1e-6,
      weightDecay: step % 40 < 20 ? 0.1 : 0.4, rate: 0.02 / Double(step % 30 + 1), clip: step % 3 == 0 ? 0.37 : 1,
      step: step)
  }

  /// Weights to begin with, zeros of both signs among them.
  private static func weights(_ shape: MemoryShape, _ dice: inout Dice) -> [Float] {
    var weights = dice.floats(shape.rows * shape.rowWidth)
    for index in stride(from: 0, to: weights.count, by: 7) { weights[index] = index % 2 == 0 ? -0.0 : 0 }
    return weights
  }

  @Test(arguments: shapes.indices, [1, 2, 3, 7])
  func `lazy updates are those of dense AdamW, to the bit`(index: Int, threads: Int) {
    // All threads compute as those of a team do.
    Team.flushSubnormals()
    defer { Team.keepSubnormals() }
    let shape = Self.shapes[index]
    var dice = Dice(for: "lazy updates")
    let weights = Self.weights(shape, &dice)
    let (table, dense) = (LazyTable(shape, weights: weights), LazyTable(shape, weights: weights))
    let room = FixedArray<Float>(repeating: 0, count: threads * shape.rowWidth)
    // More than twice as many as a row may lack.
    for step in 0..<150 {
      let adam = Self.adam(step)
      let picked = PickedStep(shape, positions: 1, &dice)
      picked.read(table, threads: threads)
      let rows = (0..<picked.picks).map { Int(picked.rows[$0]) }
      #expect(table.bits(rows) == dense.bits(rows), "step \(step), \(Trial.note)")
      // In the end, all rows come up to date within few updates.
      let isNearEnd = step >= 140
      if step == 140 { #expect(table.postponed.mostMissing == PostponedUpdates.most - 1) }
      picked.update(
        table, within: isNearEnd ? PostponedUpdates.few : PostponedUpdates.most, by: adam, room: room, threads: threads)
      dense.update(by: adam, picked.dense)
      if step == 75 {
        #expect(table.bits(table.allRows) != dense.bits(dense.allRows), "some rows lack updates")
        table.postponed.bringUpToDate(threads: threads)
        #expect(table.bits(table.allRows) == dense.bits(dense.allRows), "\(Trial.note)")
        #expect(table.postponed.mostMissing == 0)
      }
    }
    #expect(table.postponed.mostMissing == PostponedUpdates.few - 1)
    table.postponed.bringUpToDate(threads: threads)
    #expect(table.bits(table.allRows) == dense.bits(dense.allRows), "\(Trial.note)")
  }

  @Test func `threads that read the same rows at the same time find all updates in them`() {
    Team.flushSubnormals()
    defer { Team.keepSubnormals() }
    let (shape, threads) = (Self.shapes[0], 6)
    var dice = Dice(for: "readers at the same time")
    let weights = Self.weights(shape, &dice)
    let zeros = FixedArray<Float>(repeating: 0, count: weights.count)
    for round in 0..<30 {
      let (table, dense) = (LazyTable(shape, weights: weights), LazyTable(shape, weights: weights))
      for (index, number) in dice.floats(weights.count).enumerated() {
        (table.m[index], table.v[index]) = (number, abs(number))
        (dense.m[index], dense.v[index]) = (number, abs(number))
      }
      for step in 0..<PostponedUpdates.most {
        let adam = Self.adam(step)
        table.record(adam)
        dense.update(by: adam, zeros)
      }
      // Every thread reads every row, in an order of its own, and some rows twice.
      let lists = (0..<threads).map { _ in
        let list = FixedArray<Int32>(repeating: 0, count: 2 * shape.rows)
        let rows = (table.allRows + table.allRows).shuffled(using: &dice)
        for (place, row) in rows.enumerated() { list[place] = Int32(row) }
        return list
      }
      let wrong = FixedArray<Int>(repeating: 0, count: threads)
      let postponed = table.postponed
      Team.run(threads) { worker in
        postponed.bringUpToDate(lists[worker].start, picks: lists[worker].count, threads: 1)
        for place in 0..<weights.count where table.w[place].bitPattern != dense.w[place].bitPattern {
          wrong[worker] += 1
        }
      }
      #expect((0..<threads).map { wrong[$0] }.reduce(0, +) == 0, "round \(round)")
      #expect(table.bits(table.allRows) == dense.bits(dense.allRows), "round \(round), \(Trial.note)")
    }
  }
}
