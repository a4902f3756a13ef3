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

    func update(_ table: LazyTable, by adam: AdamW, room: FixedArray<Float>, threads: Int) {
      table.record(adam)
      gradient.update(table.postponed, adam: adam, room: room.start, threads: threads)
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
    /// The copy that is being made of it.
    var rowCopy: RowCopy?

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
        shape, w: w.start, m: m.start, v: v.start, applied: applied.start, history: history.start, count: count,
        rowCopy: rowCopy)
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
      picked.update(table, by: adam, room: room, threads: threads)
      dense.update(by: adam, picked.dense)
      if step == 75 {
        #expect(table.bits(table.allRows) != dense.bits(dense.allRows), "some rows lack updates")
        table.postponed.bringUpToDate(threads: threads)
        #expect(table.bits(table.allRows) == dense.bits(dense.allRows), "\(Trial.note)")
        #expect(table.postponed.mostMissing == 0)
      }
    }
    #expect(table.postponed.mostMissing == PostponedUpdates.most - 1)
    table.postponed.bringUpToDate(threads: threads)
    #expect(table.bits(table.allRows) == dense.bits(dense.allRows), "\(Trial.note)")
  }

  /// A copy of a table that grows row by row.
  private final class GrownTable {
    let w, m, v: FixedArray<Float>
    private let taken: FixedArray<UInt8>
    let rowCopy: RowCopy
    /// The bits that the copy shall have in the end.
    let expected: [UInt32]
    /// The first row that it may lack.
    var next = 0

    /// - Parameter dense: the same table, with all updates.
    init(of table: LazyTable, as dense: LazyTable) {
      // What is not written differs from all numbers.
      w = FixedArray(repeating: .nan, count: table.w.count)
      m = FixedArray(repeating: .nan, count: table.w.count)
      v = FixedArray(repeating: .nan, count: table.w.count)
      taken = FixedArray(repeating: 0, count: table.shape.rows)
      rowCopy = RowCopy(
        updates: table.count, w: w.start, moments: (first: m.start, second: v.start), taken: taken.start)
      expected = dense.bits(dense.allRows)
    }

    var bits: [UInt32] { (0..<w.count).flatMap { [w[$0].bitPattern, m[$0].bitPattern, v[$0].bitPattern] } }
    var lacks: Int { (0..<taken.count).count { taken[$0] == 0 } }
  }

  @Test(arguments: shapes.indices, [1, 2, 3, 7])
  func `a copy that grows beside updates has all rows as they were when it was begun`(index: Int, threads: Int) {
    Team.flushSubnormals()
    defer { Team.keepSubnormals() }
    let shape = Self.shapes[index]
    var dice = Dice(for: "growing copies")
    let weights = Self.weights(shape, &dice)
    let (table, dense) = (LazyTable(shape, weights: weights), LazyTable(shape, weights: weights))
    let room = FixedArray<Float>(repeating: 0, count: threads * shape.rowWidth)
    var copy: GrownTable?
    var ends: [Int] = []
    for step in 0..<200 {
      if [0, 70, 140].contains(step) {
        copy = GrownTable(of: table, as: dense)
        table.rowCopy = copy?.rowCopy
      }
      let adam = Self.adam(step)
      if (150..<153).contains(step) {
        // Steps that leave the table as it is.
        table.postponed.bringUpToDate(threads: threads)
        table.record(adam)
        table.postponed.begin(threads: threads)
      } else {
        let picked = PickedStep(shape, positions: 1, &dice)
        picked.read(table, threads: threads)
        picked.update(table, by: adam, room: room, threads: threads)
        dense.update(by: adam, picked.dense)
      }
      if step == 75 { table.postponed.bringUpToDate(every: 3, threads: threads) }
      guard let grown = copy else { continue }
      if step == 71 { #expect(grown.lacks > 0 && grown.lacks < shape.rows - grown.next, "updates copy rows as well") }
      let rows = grown.next..<min(shape.rows, grown.next + 17)
      table.postponed.copy(rows, threads: threads)
      grown.next = rows.upperBound
      guard grown.next == shape.rows else { continue }
      #expect(grown.lacks == 0 && grown.bits == grown.expected, "step \(step), \(Trial.note)")
      (copy, table.rowCopy) = (nil, nil)
      ends.append(step)
    }
    #expect(ends.count == 3 && ends[0] > 20 && ends[2] > 153)
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
      var copy: GrownTable?
      for step in 0..<PostponedUpdates.most {
        if step == 40 { copy = GrownTable(of: table, as: dense) }
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
      table.rowCopy = copy?.rowCopy
      let postponed = table.postponed
      Team.run(threads) { worker in
        postponed.bringUpToDate(lists[worker].start, picks: lists[worker].count, threads: 1)
        for place in 0..<weights.count where table.w[place].bitPattern != dense.w[place].bitPattern {
          wrong[worker] += 1
        }
      }
      #expect((0..<threads).map { wrong[$0] }.reduce(0, +) == 0, "round \(round)")
      #expect(table.bits(table.allRows) == dense.bits(dense.allRows), "round \(round), \(Trial.note)")
      // A copy has taken each row on the way.
      #expect(copy?.lacks == 0 && copy?.bits == copy?.expected, "round \(round), \(Trial.note)")
    }
  }
}
