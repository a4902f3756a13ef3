// The updates of memory layers' tables: streamed, or lazy, where rows lack updates until somebody reads them. A layer brings
// the rows that it reads up to date (MemoryLayer.bringUpToDate); code that reads whole tables calls `bringTablesUpToDate`
// before.
import Kernels

extension Parameters {
  /// Updates all tables by the gradients of the step that was recorded, but those that the step leaves as they are.
  package func updateTables(_ adam: AdamW, threads: Int) {
    withMemory { memory, shared, arena in
      sortPicks(shared, arena, threads: threads)
      let progress = arena.progress(shared)
      for (tensors, layer) in zip(memory.layers, shared.layers) where arena.choice(of: layer).pointee.isFrozen {
        view.postponed(tensors, layer, of: shared)?.bringUpToDate(threads: threads)
      }
      arena.history(shared)[progress[4] % PostponedUpdates.most] = adam.factors
      progress[4] += 1
      let (room, width) = (arena[shared.rowRoom], memory.shape.rowWidth)
      for (index, table) in tables(shared, arena).enumerated() {
        let (tensors, layer) = (memory.layers[index], shared.layers[index])
        let postponed = view.postponed(tensors, layer, of: shared)
        if arena.choice(of: layer).pointee.isFrozen {
          // This update is none of the table's: no row lacks it.
          postponed?.begin(threads: threads)
        } else if let postponed {
          let rows = arena.choice(of: layer).pointee.picked + memory.shape.rows / PostponedUpdates.most
          StepPart.memory.measured(bytes: 24 * rows * width) {
            table.update(postponed, adam: adam, room: room, threads: threads)
          }
        } else {
          StepPart.memory.measured(bytes: 24 * memory.shape.rows * width) {
            table.update(
              w: weights + tensors.table, m: firstMoments + tensors.table, v: secondMoments + tensors.tableSecondMoment,
              adam: adam, room: room, threads: threads)
          }
        }
      }
      countPicks(shared, arena, threads: threads)
      for (tensors, layer) in zip(memory.layers, shared.layers) where !arena.choice(of: layer).pointee.isFrozen {
        let isFaster = arena.choice(of: layer).pointee.countStep(rows: memory.shape.rows)
        // To become streamed, a table that is being copied would have to be copied at once: the next decision comes soon.
        guard TableUpdates(rawValue: progress[5]) == .measured,
          isFaster || !arena.choice(of: layer).pointee.isBeingCopied
        else { continue }
        setLazy(isFaster, tensors, layer, of: shared, arena, threads: threads)
      }
    }
  }

  // MARK: Rows that lack updates

  /// Brings every row of every table up to date, or the first of every `step` rows. Call this before these rows or their
  /// moments are read.
  package func bringTablesUpToDate(every step: Int = 1, threads: Int) {
    eachPostponed { postponed in
      StepPart.memory.measured { postponed.bringUpToDate(every: step, threads: threads) }
    }
  }

  /// Drops the updates that rows lack. Call this after tables and their moments were set from outside.
  package func forgetPostponedUpdates(threads: Int) {
    eachPostponed { postponed in postponed.begin(threads: threads) }
  }

  /// Calls a body with each table whose updates are lazy.
  private func eachPostponed(_ body: (PostponedUpdates) -> Void) {
    withMemory { memory, shared, _ in
      for (tensors, layer) in zip(memory.layers, shared.layers) {
        if let postponed = view.postponed(tensors, layer, of: shared) { body(postponed) }
      }
    }
  }

  /// The largest number of updates that a row of any table lacks.
  package var mostPostponedUpdates: Int {
    var most = 0
    eachPostponed { most = max(most, $0.mostMissing) }
    return most
  }

  // MARK: The choice

  /// Makes a table's updates lazy from the next step on, or streamed.
  private func setLazy(
    _ isLazy: Bool, _ tensors: MemoryTensors, _ layer: SharedMemoryLayer, of shared: SharedMemory, _ arena: Arena,
    threads: Int
  ) {
    let choice = arena.choice(of: layer)
    guard choice.pointee.isLazy != isLazy else { return }
    copyRows(of: tensors, layer, shared, arena, threads: threads)
    // Each is nil, and does nothing, while updates are streamed.
    view.postponed(tensors, layer, of: shared)?.bringUpToDate(threads: threads)
    choice.pointee.isLazy = isLazy
    view.postponed(tensors, layer, of: shared)?.begin(threads: threads)
  }

  /// Prescribes how tables are updated from the next step on; `measured` at first. This is for tests and benchmarks: the bits
  /// of a run do not depend on it.
  package func setTableUpdates(_ updates: TableUpdates, threads: Int) {
    withMemory { memory, shared, arena in
      arena.progress(shared)[5] = updates.rawValue
      guard updates != .measured else { return }
      for (tensors, layer) in zip(memory.layers, shared.layers) {
        setLazy(updates == .lazy, tensors, layer, of: shared, arena, threads: threads)
      }
    }
  }

  /// Whether updates are lazy, of each table in the order of blocks; empty without memory layers.
  package var lazyTables: [Bool] {
    var areLazy: [Bool] = []
    withMemory { _, shared, arena in
      areLazy = shared.layers.map { arena.choice(of: $0).pointee.isLazy }
    }
    return areLazy
  }
}
