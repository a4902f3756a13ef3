// A memory layer's table: rows that are read at random, and what training makes of it, each beside the bytes that it must move.
import Foundation
import Kernels
import Run
import Transformer

/// A table with the picks of a step, made up.
private final class MadeUpTable {
  /// That of `memory-medium`, larger than any cache.
  let shape = MemoryShape(
    keys: 400, keyWidth: 128, top: 32, candidates: 32, heads: 1, cores: 2, rank: 2, valueWidth: 192, preWidth: 64)
  let positions: Int
  private let threads: Int
  /// Weights and both moments.
  private let numbers: [TableBlock]
  private let picked: [TableBlock]
  private let room: TableBlock
  /// Which updates the rows have, and the factors of the newest: where updates are lazy.
  private let applied: TableBlock
  private let history: TableBlock
  private var updates = 0

  private final class TableBlock {
    private let storage: Storage
    init(floats: Int) throws { storage = try Storage(bytes: 4 * floats) }
    var floats: UnsafeMutablePointer<Float> { storage.floats }
    var integers: UnsafeMutablePointer<Int32> { storage.base.assumingMemoryBound(to: Int32.self) }
  }

  /// - Parameter positions: T, tokens of a step.
  init(positions: Int = 8192, threads: Int) throws {
    self.positions = positions
    let (T, P) = (positions, shape.picks)
    let count = shape.rows * shape.rowWidth
    let sizes = [
      T * P, T * P * shape.weights, T * P * shape.sides, T * P, T * shape.preWidth, T * shape.valueWidth,
      T * P, T * P * shape.weights, T * P, T * shape.valueWidth, T * shape.preWidth, shape.rows, T * P,
      T * shape.preWidth, shape.scoreMatrices * T * shape.keys, T * shape.valueWidth, shape.coreElements,
      shape.coreElements, 2 * TableGradient.pieces(shape),
    ]
    numbers = try (0..<3).map { _ in try TableBlock(floats: count) }
    picked = try sizes.map { try TableBlock(floats: $0) }
    room = try TableBlock(floats: threads * max(MemoryValues.room(shape), shape.rowWidth))
    applied = try TableBlock(floats: shape.rows)
    history = try TableBlock(floats: PostponedUpdates.most * MemoryLayout<AdamWFactors>.stride / 4)
    self.threads = threads
    let random = RandomStream(seed: 1, purpose: "table")
    VectorMath.fillNormal(numbers[0].floats, count: count, deviation: 0.1, random: random, threads: threads)
    for (index, block) in picked.enumerated() where [1, 2, 4, 15, 16].contains(index) {
      VectorMath.fillNormal(
        block.floats, count: sizes[index], deviation: 0.1, random: random.branch(UInt64(index)), threads: threads)
    }
    draw(step: 0)
    backward()
  }

  /// Draws the picks of another step.
  func draw(step: Int) {
    let rows = RandomStream(seed: 1, purpose: "picks").branch(UInt64(step))
    for pick in 0..<positions * shape.picks {
      let row = Int32(rows.bits(UInt64(pick)) % UInt64(shape.rows))
      picked[0].integers[pick] = row
      picked[6].integers[pick] = row
    }
  }

  private var lists: PickLists {
    PickLists(
      rows: picked[0].integers, weights: picked[1].floats, sides: picked[2].floats, factors: picked[3].floats)
  }

  private var records: PickRecords {
    PickRecords(
      rows: picked[6].integers, weights: picked[7].floats, factors: picked[8].floats, dPooled: picked[9].floats,
      z: picked[10].floats)
  }

  private var gradient: TableGradient {
    TableGradient(shape, records: records, ends: picked[11].integers, order: picked[12].integers)
  }

  /// Bytes of the rows that are read, and of all that a pass must move.
  var rowBytes: Double { Double(positions * shape.picks * shape.rowWidth * 4) }
  var forwardBytes: Double { Double(MemoryValues.forwardBytes(shape, positions: positions, operandBytes: 4)) }
  var backwardBytes: Double { Double(MemoryValues.backwardBytes(shape, positions: positions, operandBytes: 4)) }
  /// Bytes of weights and moments, read and written.
  var updateBytes: Double { 24 * Double(shape.rows * shape.rowWidth) }

  private var sum: Float = 0

  /// Reads the picked rows and does nothing with them.
  func readRows() {
    sum += Peak.sum(
      numbers[0].floats, rows: picked[0].integers, count: positions * shape.picks, width: shape.rowWidth,
      threads: threads)
  }

  func forward() {
    MemoryValues.forward(
      shape, table: numbers[0].floats, lists: lists, z: picked[4].floats,
      pooled: Matrix(picked[5].floats, rows: positions, columns: shape.valueWidth), room: room.floats, threads: threads)
  }

  func backward() {
    MemoryValues.backward(
      shape, table: numbers[0].floats, lists: lists, z: picked[4].floats,
      dPooled: Matrix(picked[15].floats, rows: positions, columns: shape.valueWidth), cores: picked[16].floats,
      dScores: UnsafeMutableRawPointer(picked[14].floats),
      dz: Matrix(picked[13].floats, rows: positions, columns: shape.preWidth), dCores: picked[17].floats,
      records: records, room: room.floats, threads: threads)
  }

  func sort() { gradient.sort(positions: positions, threads: threads) }

  func norm() {
    let partial = UnsafeMutableRawPointer(picked[18].floats).assumingMemoryBound(to: Double.self)
    _ = gradient.squares(room: room.floats, partial: partial, threads: threads)
  }

  private let adam = AdamW(
    beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, rate: 1e-4, clip: 1, step: 0)

  func update() {
    gradient.update(
      w: numbers[0].floats, m: numbers[1].floats, v: numbers[2].floats, adam: adam, room: room.floats, threads: threads)
  }

  private var postponed: PostponedUpdates {
    PostponedUpdates(
      shape, w: numbers[0].floats, m: numbers[1].floats, v: numbers[2].floats, applied: applied.integers,
      history: factors, count: updates)
  }

  private var factors: UnsafeMutablePointer<AdamWFactors> {
    UnsafeMutableRawPointer(history.floats).assumingMemoryBound(to: AdamWFactors.self)
  }

  /// What a forward pass does before it reads rows, where updates are lazy.
  func bringPicksUpToDate() {
    postponed.bringUpToDate(picked[0].integers, picks: positions * shape.picks, threads: threads)
  }

  /// The update of a step, of the rows that it picked; the others' is postponed.
  func updateLazily() {
    factors[updates % PostponedUpdates.most] = adam.factors
    updates += 1
    gradient.update(postponed, adam: adam, room: room.floats, threads: threads)
  }

  /// Rows that somebody picked, as a share of all.
  var touched: Double {
    Double((0..<shape.rows).count { gradient.count(of: $0) > 0 }) / Double(shape.rows)
  }
}

extension Bench {
  /// What the update of a memory layer's table costs, streamed and lazy, for steps of few and of many tokens.
  package func tableUpdates() throws -> ReportTable {
    var table = ReportTable(
      name: "table-updates",
      about: [
        "updates of one memory layer's table for steps of few and of many tokens, medians of \(rounds) steps: streamed, all rows in "
          + "every step; lazy, rows without picks before they are read",
        "training takes the lazy one where steps pick few rows (docs/memory.md)",
      ],
      columns: [
        .column("tokens", "tokens"), .column("picked", "rows picked %", 1), .column("streamed", "streamed ms", 1),
        .column("lazy", "lazy ms", 1), .column("forward", "of that in forward", 1), .column("ratio", "ratio", 2),
      ])
    for positions in [128, 512, 1024, 1792, 2560, 4096] {
      progress("table-updates: steps of \(positions) tokens")
      let work = try MadeUpTable(positions: positions, threads: threads)
      var (streamed, lazy, forward) = (Samples(), Samples(), Samples())
      var picked = 0.0
      // At first all rows are up to date: after this many steps, rows lack as many updates as they do in the long run.
      let before = PostponedUpdates.most
      for step in 0..<before + rounds {
        work.draw(step: step)
        let first = seconds(work.bringPicksUpToDate)
        work.sort()
        let rest = seconds(work.updateLazily)
        guard step >= before else { continue }
        forward.add(first)
        lazy.add(first + rest)
        picked = work.touched
        streamed.add(seconds(work.update))
      }
      table.add(
        .number(Double(positions)), .number(picked * 100), .number(streamed.median * 1000),
        .number(lazy.median * 1000), .number(forward.median * 1000), .number(streamed.median / lazy.median))
    }
    return table
  }

  /// What a memory layer's table costs a step.
  package func memoryLayer() throws -> ReportTable {
    let work = try MadeUpTable(threads: threads)
    let parts: [(name: String, bytes: Double, isGather: Bool, body: () -> Void)] = [
      ("forward: rows read at random", work.forwardBytes, true, work.forward),
      ("backward: the same rows, and gradients", work.backwardBytes, true, work.backward),
      ("picks sorted by row", 0, false, work.sort), ("norm: rows' gradients", 0, false, work.norm),
      ("update: weights and moments", work.updateBytes, false, work.update),
    ]
    var times = [Samples](repeating: Samples(), count: parts.count)
    var (copies, gathers) = (Samples(), Samples())
    let bytes = 64 << 20
    let (from, to) = (try TableCopy(bytes), try TableCopy(bytes))
    for round in 0...rounds {
      progress("memory-layer: round \(round) of \(rounds)")
      let copy = seconds { Peak.copy(from.base, to: to.base, bytes: bytes, threads: threads) }
      let gather = seconds(work.readRows)
      if round > 0 {
        copies.add(Double(2 * bytes) / copy)
        gathers.add(work.rowBytes / gather)
      }
      for (index, part) in parts.enumerated() {
        let time = seconds(part.body)
        if round > 0 { times[index].add(time) }
      }
    }
    let shape = work.shape
    func share(_ bytes: Double) -> Int { Int((100 * work.rowBytes / bytes).rounded()) }
    var table = ReportTable(
      name: "memory-layer",
      about: [
        "one memory layer of \(shape.rows) rows of \(shape.rowWidth) numbers, and a step of \(work.positions) tokens that picks "
          + "\(shape.picks) rows each, \(Int((100 * work.touched).rounded())) % of all; medians of \(rounds) rounds",
        "limit: GB/s in the same rounds, of the same rows read and not used for what reads rows, "
          + "\(Figure.fixed(gathers.median / 1e9, 1)), and of a copy for the update, "
          + "\(Figure.fixed(copies.median / 1e9, 1))",
        "bytes: each that a pass must move, once; the rows are \(share(work.forwardBytes)) % of forward's and "
          + "\(share(work.backwardBytes)) % of backward's",
      ],
      columns: [
        .column("part", "part"), .column("milliseconds", "ms", 2), .column("gigabytesPerSecond", "GB/s", 1),
        .column("limit", "limit GB/s", 1), .column("share", "share %", 1),
      ])
    for (part, time) in zip(parts, times) {
      let (speed, limit) = (part.bytes / time.median, part.isGather ? gathers.median : copies.median)
      let hasBytes = part.bytes > 0
      table.add(
        .text(part.name), .number(time.median * 1000), hasBytes ? .number(speed / 1e9) : .none,
        hasBytes ? .number(limit / 1e9) : .none, hasBytes ? .number(speed / limit * 100) : .none)
    }
    return table
  }
}

/// Memory that is copied from or to.
private final class TableCopy {
  private let storage: Storage
  var base: UnsafeMutableRawPointer { storage.base }
  init(_ bytes: Int) throws { storage = try Storage(bytes: bytes) }
}
