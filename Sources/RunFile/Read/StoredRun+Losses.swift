// The losses of two runs side by side, read in blocks, so that long runs need not fit into memory.
import Run

extension StoredRun {
  /// Calls `take` with the losses of every step that two runs have in common, in order. Damaged steps are left out.
  /// - Parameter take: receives the step, its losses in this run, and those in the other run, without λ.
  package func forEachCommonStep(
    with other: StoredRun, _ take: (_ step: Int, _ a: [HeadLoss], _ b: [HeadLoss]) throws -> Void
  ) throws {
    var (a, b) = (LossCursor(try open()), LossCursor(try other.open()))
    var (left, right) = (try a.next(), try b.next())
    while let one = left, let two = right {
      if one.step == two.step { try take(one.step, a.losses(one), b.losses(two)) }
      if one.step <= two.step { left = try a.next() }
      if two.step <= one.step { right = try b.next() }
    }
  }

  /// The losses of some steps; empty for one that the run does not have.
  package func losses(at steps: [Int]) throws -> [[HeadLoss]] {
    let store = try open()
    return try steps.map { step -> [HeadLoss] in
      var cursor = LossCursor(store, from: try store.metrics.firstRow(from: Double(step)), blockRows: 1)
      guard let found = try cursor.next(), found.step == step else { return [] }
      return cursor.losses(found)
    }
  }
}

/// Iterates over the steps of a file.
private struct LossCursor {
  /// An undamaged row of the current block.
  struct StepRow {
    var step, row: Int
  }

  private let metrics: Table
  /// The columns of each head.
  private let columns: [(head: Head, loss: Int, kl: Int?)]
  private let blockRows: Int
  private var upcoming: Int
  private var block: Table.RowBlock?

  init(_ store: Store, from start: Int = 0, blockRows: Int = 16_384) {
    metrics = store.metrics
    upcoming = start
    self.blockRows = blockRows
    let paths = Dictionary(uniqueKeysWithValues: metrics.columns.enumerated().map { ($1.path, $0) })
    columns = store.heads.compactMap { head in
      paths["loss/" + head.name].map { (head, $0, paths["kl/" + head.name]) }
    }
  }

  /// The next undamaged step; nil after the last.
  mutating func next() throws -> StepRow? {
    while upcoming < metrics.count {
      if block.map({ upcoming >= $0.start + $0.count }) ?? true {
        block = try metrics.block(from: upcoming, count: min(blockRows, metrics.count - upcoming))
      }
      guard let block else { return nil }
      let row = upcoming - block.start
      upcoming += 1
      if block.isWhole[row] { return StepRow(step: Int(block.columns[0][row]), row: row) }
    }
    return nil
  }

  func losses(_ place: StepRow) -> [HeadLoss] {
    guard let block else { return [] }
    return columns.map { head, loss, kl in
      let divergence = kl.map { Float(block.columns[$0][place.row]) }
      return HeadLoss(
        head: head, loss: Float(block.columns[loss][place.row]), kl: divergence.flatMap { $0.isNaN ? nil : $0 },
        positions: 0)
    }
  }
}
