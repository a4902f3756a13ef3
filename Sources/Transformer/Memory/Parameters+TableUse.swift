// How rows of tables are used in training: counted after each update, looked at by evaluations.
import Kernels
import Run

extension Parameters {
  private func use(_ layer: SharedMemoryLayer, _ arena: Arena) -> TableUse {
    func counts(_ place: FloatPlace) -> UnsafeMutablePointer<UInt32> {
      UnsafeMutableRawPointer(arena[place]).assumingMemoryBound(to: UInt32.self)
    }
    return TableUse(picks: counts(layer.picks), last: counts(layer.last))
  }

  /// Counts the picks of the step that was sorted.
  func countPicks(_ shared: SharedMemory, _ arena: Arena, threads: Int) {
    let progress = arena.progress(shared)
    progress[2] += 1
    progress[3] += 1
    StepPart.memory.measured {
      for (layer, table) in zip(shared.layers, tables(shared, arena)) {
        table.count(into: use(layer, arena), step: UInt32(clamping: progress[2]), threads: threads)
      }
    }
  }

  /// How the rows of each table were used since this was last asked, in the order of blocks; picks count anew from here on. Empty
  /// without memory layers.
  package func takeTableCounts() -> [TableCounts] {
    var counts: [TableCounts] = []
    withMemory { memory, shared, arena in
      guard shared.positions > 0 else { return }
      let (progress, rows) = (arena.progress(shared), memory.shape.rows)
      counts = shared.layers.map { layer in
        let use = use(layer, arena)
        defer { use.picks.update(repeating: 0, count: rows) }
        return TableCounts(
          keys: memory.shape.keys, picks: Array(UnsafeBufferPointer(start: use.picks, count: rows)),
          last: Array(UnsafeBufferPointer(start: use.last, count: rows)), steps: progress[3], counted: progress[2])
      }
      progress[3] = 0
    }
    return counts
  }
}
