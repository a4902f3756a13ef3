// What a memory layer's picks come to, and the gradients of its table, cores, scores and pre-values: against the formulas in Double.
// How a step is divided into micro-batches, and among threads, changes no bit of the table's gradient.
import Kernels
import Support
import Testing

@Suite struct MemoryValuesTests {
  /// The numbers of a step: positions with scores of all keys.
  private struct ScoredStep {
    let shape: MemoryShape
    let positions: Int
    let scores, cores, filter, table, z, dPooled: [Float]

    init(_ shape: MemoryShape, positions: Int, _ dice: inout Dice) {
      self.shape = shape
      self.positions = positions
      scores = dice.floats(shape.scoreMatrices * positions * shape.keys)
      cores = dice.floats(max(1, shape.coreElements))
      filter = dice.floats(shape.filterElements)
      table = dice.floats(shape.rows * shape.rowWidth)
      z = dice.floats(max(1, positions * shape.preWidth))
      dPooled = dice.floats(positions * shape.valueWidth)
    }

    /// The score of a key at a position.
    func score(_ t: Int, head: Int, side: Int, key: Int, rank: Int) -> Float {
      scores[(shape.matrix(head: head, side: side, rank: rank) * positions + t) * shape.keys + key]
    }

    /// The scores of some positions, as a micro-batch of these has them.
    func microBatch(_ range: Range<Int>) -> [Float] {
      (0..<shape.scoreMatrices).flatMap { matrix in
        let (first, last) = (matrix * positions + range.lowerBound, matrix * positions + range.upperBound)
        return scores[first * shape.keys..<last * shape.keys]
      }
    }
  }

  /// What the kernels make of a step.
  private struct Computed {
    /// [T, P]
    var rows: [Int] = []
    var pooled: [Float] = []
    var dz: [Float] = []
    /// A micro-batch after the other.
    var dScores: [[Float]] = []
    var dCores: [Float] = []
    /// [N, D_p + D_v]
    var gradient: [Float] = []
  }

  private static func content(_ array: FixedArray<Float>, _ count: Int) -> [Float] { (0..<count).map { array[$0] } }

  /// - Parameter parts: the number of micro-batches.
  private static func computed(_ step: ScoredStep, parts: Int, threads: Int) -> Computed {
    let (shape, T) = (step.shape, step.positions)
    // Kernels know places alone, which are there as long as these.
    var held: [AnyObject] = []
    defer { withExtendedLifetime(held) {} }
    func zeros(_ count: Int) -> FixedArray<Float> {
      let array = FixedArray<Float>(repeating: 0, count: max(1, count))
      held.append(array)
      return array
    }
    func integers(_ count: Int) -> FixedArray<Int32> {
      let array = FixedArray<Int32>(repeating: 0, count: count)
      held.append(array)
      return array
    }
    func filled(_ numbers: [Float]) -> FixedArray<Float> {
      let array = zeros(numbers.count)
      for (index, number) in numbers.enumerated() { array[index] = number }
      return array
    }
    let (cores, filter, table) = (filled(step.cores), filled(step.filter), filled(step.table))
    let room = zeros(threads * max(MemoryPicks.room(shape), MemoryValues.room(shape)))
    let recordedRows = integers(T * shape.picks)
    let (recordedWeights, recordedFactors) = (zeros(T * shape.picks * shape.weights), zeros(T * shape.picks))
    let (recordedDPooled, recordedZ) = (zeros(T * shape.valueWidth), zeros(T * shape.preWidth))
    let records = PickRecords(
      rows: recordedRows.start, weights: recordedWeights.start, factors: recordedFactors.start,
      dPooled: recordedDPooled.start, z: recordedZ.start)
    let dCores = zeros(shape.coreElements)
    var result = Computed()
    for part in 0..<parts {
      let range = part * T / parts..<(part + 1) * T / parts
      let M = range.count
      let scores = filled(step.microBatch(range))
      let z = filled(Array(step.z[range.lowerBound * shape.preWidth..<range.upperBound * shape.preWidth]))
      let given = filled(Array(step.dPooled[range.lowerBound * shape.valueWidth..<range.upperBound * shape.valueWidth]))
      let rows = integers(M * shape.picks)
      let (weights, sides) = (zeros(M * shape.picks * shape.weights), zeros(M * shape.picks * shape.sides))
      let factors = zeros(M * shape.picks)
      let lists = PickLists(
        rows: rows.start, weights: weights.start, sides: sides.start, factors: factors.start)
      let pooled = zeros(M * shape.valueWidth)
      let (dScores, dz) = (zeros(shape.scoreMatrices * M * shape.keys), zeros(M * shape.preWidth))
      MemoryPicks.find(
        shape, scores: scores.start, count: M, stride: M, cores: cores.start, filter: filter.start, into: lists,
        room: room.start, threads: threads)
      MemoryValues.forward(
        shape, table: table.start, lists: lists, z: z.start,
        pooled: Matrix(pooled.start, rows: M, columns: shape.valueWidth), room: room.start, threads: threads)
      MemoryValues.backward(
        shape, table: table.start, lists: lists, z: z.start,
        dPooled: Matrix(given.start, rows: M, columns: shape.valueWidth), cores: cores.start,
        dScores: UnsafeMutableRawPointer(dScores.start),
        dz: shape.preWidth == 0 ? nil : Matrix(dz.start, rows: M, columns: shape.preWidth), dCores: dCores.start,
        records: records.from(range.lowerBound, shape), room: room.start, threads: threads)
      result.rows += (0..<M * shape.picks).map { Int(rows[$0]) }
      result.pooled += content(pooled, M * shape.valueWidth)
      result.dz += content(dz, M * shape.preWidth)
      result.dScores.append(content(dScores, shape.scoreMatrices * M * shape.keys))
    }
    result.dCores = content(dCores, shape.coreElements)
    let (ends, order) = (integers(shape.rows), integers(T * shape.picks))
    let gradient = TableGradient(shape, records: records, ends: ends.start, order: order.start)
    #expect(gradient.sort(positions: T, threads: threads) == Set(result.rows).count)
    let sums = zeros(shape.rows * shape.rowWidth)
    for row in 0..<shape.rows { gradient.sum(row: row, into: sums.start + row * shape.rowWidth) }
    result.gradient = content(sums, shape.rows * shape.rowWidth)
    return result
  }

  /// The same in Double, a number at a time, for the rows that were picked.
  private struct Twin {
    var pooled, dz, dScores, dCores, gradient: [Double]

    init(_ step: ScoredStep, rows: [Int]) {
      let (shape, T) = (step.shape, step.positions)
      let (n, r, h, Dp, Dv, D) = (shape.keys, shape.rank, shape.cores, shape.preWidth, shape.valueWidth, shape.rowWidth)
      pooled = [Double](repeating: 0, count: T * Dv)
      dz = [Double](repeating: 0, count: T * Dp)
      dScores = [Double](repeating: 0, count: step.scores.count)
      dCores = [Double](repeating: 0, count: shape.coreElements)
      gradient = [Double](repeating: 0, count: step.table.count)
      for (pick, row) in rows.enumerated() {
        let (t, head) = (pick / shape.picks, pick % shape.picks / shape.top)
        let keys = [row / n, row % n]
        func score(_ side: Int, _ s: Int) -> Double {
          Double(step.score(t, head: head, side: side, key: keys[side], rank: s))
        }
        func core(_ i: Int, _ a: Int, _ b: Int) -> Double { Double(step.cores[((head * h + i) * r + a) * r + b]) }
        func dScore(_ side: Int, _ s: Int, add value: Double) {
          dScores[(shape.matrix(head: head, side: side, rank: s) * T + t) * n + keys[side]] += value
        }
        let numbers = step.table[row * D..<(row + 1) * D].map(Double.init)
        let (own, z) = (numbers[..<Dp], step.z[t * Dp..<(t + 1) * Dp].map(Double.init))
        let factor: Double = Dp == 0 ? 1 : zip(own, z).reduce(0) { $0 + $1.0 * $1.1 }
        var dFactor = 0.0
        for i in 0..<max(1, h) {
          var weight = 0.0
          if h == 0 { weight = score(0, 0) + score(1, 0) }
          for a in 0..<(h == 0 ? 0 : r) { for b in 0..<r { weight += score(0, a) * core(i, a, b) * score(1, b) } }
          var product = 0.0
          for e in i * shape.partWidth..<(i + 1) * shape.partWidth {
            let dp = Double(step.dPooled[t * Dv + e])
            pooled[t * Dv + e] += weight * factor * numbers[Dp + e]
            gradient[row * D + Dp + e] += weight * factor * dp
            product += dp * numbers[Dp + e]
          }
          dFactor += weight * product
          let g = factor * product
          if h == 0 {
            dScore(0, 0, add: g)
            dScore(1, 0, add: g)
          }
          for a in 0..<(h == 0 ? 0 : r) {
            for b in 0..<r {
              dCores[((head * h + i) * r + a) * r + b] += g * score(0, a) * score(1, b)
              dScore(0, a, add: g * core(i, a, b) * score(1, b))
              dScore(1, b, add: g * core(i, a, b) * score(0, a))
            }
          }
        }
        for e in 0..<Dp {
          gradient[row * D + e] += dFactor * z[e]
          dz[t * Dp + e] += dFactor * numbers[e]
        }
      }
    }
  }

  private static let shapes = [
    MemoryShape(
      keys: 6, keyWidth: 4, top: 5, candidates: 4, heads: 2, cores: 2, rank: 2, valueWidth: 38, preWidth: 5),
    MemoryShape(
      keys: 9, keyWidth: 4, top: 3, candidates: 3, heads: 1, cores: 1, rank: 3, valueWidth: 16, preWidth: 16),
    MemoryShape(
      keys: 5, keyWidth: 4, top: 4, candidates: 3, heads: 3, cores: 0, rank: 1, valueWidth: 20, preWidth: 0),
  ]

  @Test(arguments: shapes.indices)
  func `sums of values and all gradients are those of the formulas`(index: Int) {
    var dice = Dice(for: "formulas of memory layers")
    let step = ScoredStep(Self.shapes[index], positions: 23, &dice)
    let found = Self.computed(step, parts: 1, threads: 2)
    let twin = Twin(step, rows: found.rows)
    #expect(largestError(found.pooled, twin.pooled) < 1e-5, "\(Trial.note)")
    #expect(largestError(found.dz, twin.dz) < 1e-5, "\(Trial.note)")
    #expect(largestError(found.dScores[0], twin.dScores) < 1e-5, "\(Trial.note)")
    #expect(largestError(found.dCores, twin.dCores) < 1e-5, "\(Trial.note)")
    #expect(largestError(found.gradient, twin.gradient) < 1e-5, "\(Trial.note)")
    #expect(twin.gradient.contains { $0 != 0 })
    // Rows that several tokens read, and where there are several heads, rows that a token reads twice.
    let picks = step.shape.picks
    let tokens = stride(from: 0, to: found.rows.count, by: picks).map { Set(found.rows[$0..<$0 + picks]) }
    #expect(tokens.reduce(0) { $0 + $1.count } > Set(found.rows).count)
    #expect(step.shape.heads == 1 || tokens.contains { $0.count < picks })
  }

  /// Of the specification's eleven tests the eighth.
  @Test(arguments: shapes.indices)
  func `threads and micro-batches change no bit of the table's gradient`(index: Int) {
    var dice = Dice(for: "micro-batches")
    let step = ScoredStep(Self.shapes[index], positions: 24, &dice)
    let whole = Self.computed(step, parts: 1, threads: 1)
    #expect(largestError(whole.gradient, Twin(step, rows: whole.rows).gradient) < 1e-5, "\(Trial.note)")
    for parts in [1, 2, 3, 5, 24] {
      for threads in [1, 2, 3, 7] {
        let other = Self.computed(step, parts: parts, threads: threads)
        #expect(other.rows == whole.rows && other.pooled == whole.pooled)
        #expect(
          other.gradient.map(\.bitPattern) == whole.gradient.map(\.bitPattern),
          "\(parts) micro-batches, \(threads) threads, \(Trial.note)")
      }
    }
  }
}
