// What memory layers need of the parameters beyond the other layers: normed keys, the vectors that find candidates, and tables
// whose gradients are made a row at a time.
import Kernels
import Run

extension Parameters {
  /// Runs a body with all that layers share; does nothing in a network without memory layers.
  func withMemory(
    _ body: (_ memory: MemoryLayers, _ shared: SharedMemory, _ arena: Arena) -> Void
  ) {
    guard let memory = layout.memory, let shared = sharedMemory, let arena = view.memory else { return }
    body(memory, shared, arena)
  }

  func tables(_ shared: SharedMemory, _ arena: Arena) -> [TableGradient] {
    shared.layers.map {
      TableGradient(
        shared.shape, records: shared.records($0, in: arena), ends: arena.integers($0.ends),
        order: arena.integers($0.order))
    }
  }

  // MARK: Between steps

  /// Norms all keys, after weights have changed.
  func normKeys(threads: Int) {
    withMemory { memory, shared, arena in
      let (rows, width) = (memory.shape.scoreMatrices * memory.shape.keys, memory.shape.keyWidth)
      for (tensors, places) in zip(memory.layers, shared.layers) {
        let keys = Matrix(weights + tensors.keys, rows: rows, columns: width)
        StepPart.norms.measured(bytes: rows * width * (4 + precision.bytes)) {
          RMSNorm.forward(
            keys, adding: nil, w: weights + tensors.keyNorm, epsilon: MemoryLayers.epsilon, sum: keys,
            y: Matrix(arena[places.keys], rows: rows, columns: width, precision: precision),
            scale: arena[places.keyScale], threads: threads)
        }
      }
    }
  }

  /// Makes what depends on the weights agree with them after an update: the vectors that find candidates, and normed keys.
  package func finishUpdate(threads: Int) {
    chooseFilters(isFirst: false)
    normKeys(threads: threads)
  }

  /// Chooses the vectors that find candidates.
  /// - Parameter isFirst: whether there were none before.
  func chooseFilters(isFirst: Bool) {
    withMemory { memory, _, _ in
      let shape = memory.shape
      for tensors in memory.layers {
        for head in 0..<shape.heads {
          let filter = weights + tensors.filter + head * shape.sides
          guard let cores = tensors.cores else {
            filter.update(repeating: 1, count: shape.sides)
            continue
          }
          RankOneFilter.update(
            cores: weights + cores + head * shape.cores * shape.rank * shape.rank, count: shape.cores, rank: shape.rank,
            filter: filter, isFirst: isFirst)
        }
      }
    }
  }

  // MARK: In a step

  /// Begins the records of a step's picks, or goes on to those of the next micro-batch.
  /// - Parameter positions: of the micro-batch that was recorded, with those of other processes; nil before the first.
  func recordPicks(after positions: Int?) {
    withMemory { _, shared, arena in
      let progress = arena.progress(shared)
      if let positions { return progress[0] += positions }
      (progress[0], progress[1]) = (0, -1)
      for layer in shared.layers { arena.choice(of: layer).pointee.isFrozen = false }
    }
  }

  /// Makes the step that was recorded leave all tables as they are but those of MTP heads: their gradients count as 0.
  func keepFurtherTables() {
    withMemory { memory, shared, arena in
      for (tensors, layer) in zip(memory.layers, shared.layers) {
        arena.choice(of: layer).pointee.isFrozen = !tensors.isOfFurtherHead
      }
    }
  }

  /// Sorts the picks of the step by row, once: each table by one thread, or, where there are more threads than tables, by all.
  func sortPicks(_ shared: SharedMemory, _ arena: Arena, threads: Int) {
    let progress = arena.progress(shared)
    guard progress[1] != progress[0] else { return }
    let tables = tables(shared, arena)
    func sort(_ table: Int, threads: Int) {
      arena.choice(of: shared.layers[table]).pointee.picked = tables[table].sort(
        positions: progress[0], threads: threads)
    }
    StepPart.memory.measured {
      if tables.count < threads {
        for table in tables.indices { sort(table, threads: threads) }
      } else {
        Team.split(tables.count, threads: threads) { _, range in
          for table in range { sort(table, threads: 1) }
        }
      }
    }
    progress[1] = progress[0]
  }

  /// The sum of all squares of the gradients of tables that the step updates; 0 where there are none. The records of all
  /// positions must be there.
  package func tableSquares(threads: Int) -> Double {
    var sum = 0.0
    withMemory { _, shared, arena in
      sortPicks(shared, arena, threads: threads)
      let partial = UnsafeMutableRawPointer(arena[shared.partial]).assumingMemoryBound(to: Double.self)
      StepPart.memory.measured {
        for (table, layer) in zip(tables(shared, arena), shared.layers)
        where !arena.choice(of: layer).pointee.isFrozen {
          sum += table.squares(room: arena[shared.rowRoom], partial: partial, threads: threads)
        }
      }
    }
    return sum
  }

  /// The gradient of a table, as training never stores it.
  /// - Parameter index: of the memory layer, in the order of blocks.
  /// - Returns: [N, D_p + D_v].
  package func tableGradient(_ index: Int) -> [Float] {
    var gradient: [Float] = []
    withMemory { memory, shared, arena in
      sortPicks(shared, arena, threads: 1)
      let (table, width) = (tables(shared, arena)[index], memory.shape.rowWidth)
      gradient = [Float](repeating: 0, count: memory.shape.rows * width)
      gradient.withUnsafeMutableBufferPointer { g in
        for row in 0..<memory.shape.rows { table.sum(row: row, into: g.baseAddress! + row * width) }
      }
    }
    return gradient
  }
}
