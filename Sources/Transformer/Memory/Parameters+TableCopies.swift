// Copies of memory layers' tables for a checkpoint, made while training goes on, where updates are lazy: to copy such tables
// at once would take longer than a step. `beginCopyingTables` notes the number of updates that all rows of the copy shall
// have. From then on, `copyTableRows` copies some rows at a time, and a row whose turn has not come yet is copied before it
// changes (PostponedUpdates).
import Kernels

/// The blocks of a checkpoint that tables are copied into, laid out as the parameters are: a table's second moments lie where
/// its weights lie. A view: valid as long as the memory is.
package struct CopiedBlocks {
  package let weights: UnsafeMutablePointer<Float>
  /// Nil where the checkpoint leaves out the moments of tables.
  package let moments: (first: UnsafeMutablePointer<Float>, second: UnsafeMutablePointer<Float>)?

  package init(
    weights: UnsafeMutablePointer<Float>,
    moments: (first: UnsafeMutablePointer<Float>, second: UnsafeMutablePointer<Float>)?
  ) {
    self.weights = weights
    self.moments = moments
  }
}

/// Where the rows of a copy under way go; all zeros without one.
struct CopyUnderWay {
  var weights: UnsafeMutablePointer<Float>?
  var first: UnsafeMutablePointer<Float>?
  var second: UnsafeMutablePointer<Float>?
  /// The number of updates that tables had when the copy was begun.
  var updates = 0
}

extension Arena {
  func copy(_ memory: SharedMemory) -> UnsafeMutablePointer<CopyUnderWay> {
    UnsafeMutableRawPointer(self[memory.copy]).assumingMemoryBound(to: CopyUnderWay.self)
  }

  fileprivate func taken(_ layer: SharedMemoryLayer) -> UnsafeMutablePointer<UInt8> {
    UnsafeMutableRawPointer(self[layer.taken]).assumingMemoryBound(to: UInt8.self)
  }

  /// The copy of a table that is under way; nil if no copy lacks rows of the table.
  func rowCopy(_ tensors: MemoryTensors, _ layer: SharedMemoryLayer, of shared: SharedMemory) -> RowCopy? {
    let copy = copy(shared).pointee
    guard choice(of: layer).pointee.isBeingCopied, let weights = copy.weights else { return nil }
    var moments: (first: UnsafeMutablePointer<Float>, second: UnsafeMutablePointer<Float>)?
    if let first = copy.first, let second = copy.second {
      moments = (first: first + tensors.table, second: second + tensors.table)
    }
    return RowCopy(updates: copy.updates, w: weights + tensors.table, moments: moments, taken: taken(layer))
  }
}

extension Parameters {
  /// The elements of the tables whose updates are lazy, in ascending order.
  package var lazyTableRanges: [Range<Int>] {
    var ranges: [Range<Int>] = []
    withMemory { memory, shared, arena in
      let count = shared.shape.rows * shared.shape.rowWidth
      for (tensors, layer) in zip(memory.layers, shared.layers) where arena.choice(of: layer).pointee.isLazy {
        ranges.append(tensors.table..<tensors.table + count)
      }
    }
    return ranges.sorted { $0.lowerBound < $1.lowerBound }
  }

  /// Begins a copy of the tables whose updates are lazy, with their moments, as they are now. The copy is complete when
  /// `copyTableRows` has returned false; until then, no other copy may begin.
  /// - Parameter blocks: valid until the copy is complete. The `lazyTableRanges` of this moment are written, in any order.
  package func beginCopyingTables(into blocks: CopiedBlocks) {
    withMemory { _, shared, arena in
      let layers = shared.layers.filter { arena.choice(of: $0).pointee.isLazy }
      guard !layers.isEmpty else { return }
      let copy = arena.copy(shared)
      precondition(copy.pointee.weights == nil, "one copy of the tables is made at a time")
      copy.pointee = CopyUnderWay(
        weights: blocks.weights, first: blocks.moments?.first, second: blocks.moments?.second,
        updates: arena.progress(shared)[4])
      for layer in layers {
        arena.taken(layer).update(repeating: 0, count: shared.shape.rows)
        let choice = arena.choice(of: layer)
        (choice.pointee.isBeingCopied, choice.pointee.nextRow) = (true, 0)
      }
    }
  }

  /// Copies further rows of one table.
  /// - Parameter most: the largest number of rows; nil for as many as can be copied in a few milliseconds.
  /// - Returns: true if the copy still lacks rows; false also where no copy is under way.
  package func copyTableRows(most: Int? = nil, threads: Int) -> Bool {
    var lacksRows = false
    withMemory { memory, shared, arena in
      func isBeingCopied(_ layer: SharedMemoryLayer) -> Bool { arena.choice(of: layer).pointee.isBeingCopied }
      guard let index = shared.layers.firstIndex(where: isBeingCopied) else { return }
      let most = most ?? max(1, Self.bytesOfPiece / (12 * shared.shape.rowWidth))
      copyRows(most: most, of: memory.layers[index], shared.layers[index], shared, arena, threads: threads)
      lacksRows = shared.layers.contains(where: isBeingCopied)
    }
    return lacksRows
  }

  /// Bytes of weights and moments that are copied at a time.
  private static let bytesOfPiece = 4 << 20

  /// Copies further rows of a table that is being copied; does nothing for others. With the last row of all tables, the copy is
  /// complete.
  /// - Parameter most: the largest number of rows; nil for all that are left.
  func copyRows(
    most: Int? = nil, of tensors: MemoryTensors, _ layer: SharedMemoryLayer, _ shared: SharedMemory, _ arena: Arena,
    threads: Int
  ) {
    let choice = arena.choice(of: layer)
    guard choice.pointee.isBeingCopied, let postponed = view.postponed(tensors, layer, of: shared) else { return }
    let (first, rows) = (choice.pointee.nextRow, shared.shape.rows)
    let last = most.map { min(rows, first + $0) } ?? rows
    StepPart.memory.measured(bytes: 24 * (last - first) * shared.shape.rowWidth) {
      postponed.copy(first..<last, threads: threads)
    }
    choice.pointee.nextRow = last
    guard last == rows else { return }
    choice.pointee.isBeingCopied = false
    if !shared.layers.contains(where: { arena.choice(of: $0).pointee.isBeingCopied }) {
      arena.copy(shared).pointee = CopyUnderWay()
    }
  }
}
