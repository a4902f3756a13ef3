// How tables of memory layers are updated: all rows in every step, or rows without picks later, before they are read. Weights
// and moments come to the same bits: the choice is a matter of speed, and no part of a run.
import Kernels

/// How tables are updated.
package enum TableUpdates: Int, Sendable {
  /// Lazily, if a table's share of rows that have picks is small.
  case measured
  /// All rows in every step.
  case streamed
  /// Rows without picks before they are read.
  case lazy
}

/// How one table is updated at present, and the numbers that decide it; all zeros at first.
struct UpdateChoice {
  var isLazy = false
  /// Whether the step that was recorded leaves the table as it is.
  var isFrozen = false
  /// Whether a copy is under way that lacks rows of the table, and the first row that it may lack (Parameters+TableCopies).
  var isBeingCopied = false
  var nextRow = 0
  /// The number of rows that have picks in the step that was sorted last.
  var picked = 0
  /// The sum of these numbers, and the number of steps, since the last decision.
  var sum = 0
  var steps = 0

  /// Steps from one decision to the next.
  static let window = 16
  /// Below the first share of rows that have picks, updates become lazy; above the second, they are streamed again. On two cores
  /// with AVX2, lazy updates were 2.9 times as fast at 2.5 %, 1.4 times at 10 %, as fast at 18 %, and slower above: the arithmetic
  /// is the same, and they save only memory traffic (`foretop bench --only table-updates`).
  static let shares = (lazy: 0.1, streamed: 0.15)

  /// Counts a step, and decides after the last one of a window.
  /// - Parameter rows: N, of the table.
  /// - Returns: true if lazy updates are faster.
  mutating func countStep(rows: Int) -> Bool {
    (sum, steps) = (sum + picked, steps + 1)
    guard steps == Self.window else { return isLazy }
    let share = Double(sum) / Double(Self.window * rows)
    (sum, steps) = (0, 0)
    return share < Self.shares.lazy || isLazy && share <= Self.shares.streamed
  }
}

extension Arena {
  func choice(of layer: SharedMemoryLayer) -> UnsafeMutablePointer<UpdateChoice> {
    UnsafeMutableRawPointer(self[layer.choice]).assumingMemoryBound(to: UpdateChoice.self)
  }

  func history(_ memory: SharedMemory) -> UnsafeMutablePointer<AdamWFactors> {
    UnsafeMutableRawPointer(self[memory.history]).assumingMemoryBound(to: AdamWFactors.self)
  }
}

extension ParameterView {
  /// A table with the updates that its rows lack; nil where updates are streamed, so that all rows have all of them.
  func postponed(_ tensors: MemoryTensors, _ layer: SharedMemoryLayer, of shared: SharedMemory) -> PostponedUpdates? {
    guard let memory, let moments, shared.positions > 0, memory.choice(of: layer).pointee.isLazy else { return nil }
    return PostponedUpdates(
      shared.shape, w: weights + tensors.table, m: moments.first + tensors.table,
      v: moments.second + tensors.tableSecondMoment, applied: memory.integers(layer.applied),
      history: memory.history(shared), count: memory.progress(shared)[4],
      rowCopy: memory.rowCopy(tensors, layer, of: shared))
  }
}

extension MemoryLayer {
  /// Brings the picked rows up to date, which are read next.
  /// - Parameters:
  ///   - lists: with the picks of `MemoryPicks.find`.
  ///   - positions: the number of positions with picks.
  func bringUpToDate(_ lists: PickLists, positions: Int, _ parameters: ParameterView, threads: Int) {
    guard let postponed = parameters.postponed(tensors, shared.layer, of: shared.all) else { return }
    StepPart.memory.measured {
      postponed.bringUpToDate(lists.rows, picks: positions * shape.picks, threads: threads)
    }
  }
}
