// Where memory layers have their tensors, and the memory that all shards of a network share for them.
import Kernels
import Run

/// Where the tensors of one memory layer lie, in elements from the start of the parameters.
struct MemoryTensors: Sendable {
  /// What their names begin with.
  let layer: String
  /// Whether the layer is in an MTP head's block.
  let isOfFurtherHead: Bool
  let keys, keyNorm, filter, table: Int
  /// Nil for product keys.
  let cores: Int?
  /// The table's second moments in their block.
  let tableSecondMoment: Int
}

/// The memory layers of a network.
struct MemoryLayers: Sendable {
  let size: NetworkSize
  let shape: MemoryShape
  let layers: [MemoryTensors]

  /// - Returns: nil where a network has no memory layers.
  init?(_ network: NetworkShape, _ tensors: [PlacedTensor]) {
    guard let memory = network.size.memory else { return nil }
    let places = Dictionary(tensors.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
    func place(_ layer: String, _ name: String) -> PlacedTensor {
      guard let tensor = places["\(layer)/\(name)/weight"] else {
        preconditionFailure("a memory layer has \(layer)/\(name)")
      }
      return tensor
    }
    size = network.size
    shape = MemoryShape(memory)
    layers = network.memoryLayers.map { layer in
      let table = place(layer, "table")
      return MemoryTensors(
        layer: layer, isOfFurtherHead: place(layer, "keys").isOfFurtherHead, keys: place(layer, "keys").offset,
        keyNorm: place(layer, "key_norm").offset, filter: place(layer, "filter").offset, table: table.offset,
        cores: memory.cores > 0 ? place(layer, "cores").offset : nil, tableSecondMoment: table.secondMoment ?? 0)
    }
  }

  /// ε of the norms of queries and keys.
  static let epsilon: Float = 1e-5
}

extension MemoryShape {
  init(_ size: MemorySize) {
    self.init(
      keys: size.keys, keyWidth: size.keyWidth, top: size.top, candidates: size.candidates, heads: size.heads,
      cores: size.cores, rank: size.rank, valueWidth: size.valueWidth, preWidth: size.preWidth)
  }
}

/// Where one layer has what all shards share.
struct SharedMemoryLayer: Sendable {
  let keys: OperandPlace  // E [H · 2r, n, D_k]: normed
  let keyScale: FloatPlace  // their norm's statistics
  let rows: FloatPlace  // integers [T, P]
  let weights: FloatPlace  // [T, P, h]
  let factors: FloatPlace  // [T, P]
  let dPooled: FloatPlace  // [T, D_v]
  let z: FloatPlace  // [T, D_p]
  let ends: FloatPlace  // integers [N]
  let order: FloatPlace  // integers [T, P]
  let picks: FloatPlace  // integers [N]: picks of each row, for who looks at the run
  let last: FloatPlace  // integers [N]: the counted step that last picked a row
  let applied: FloatPlace  // integers [N]: how many updates a row has, where updates are lazy
  let taken: FloatPlace  // bytes [N]: 1 for rows that a copy under way has
  let choice: FloatPlace  // an UpdateChoice
}

/// The memory of all layers that shards share: normed keys, and the picks of a step that the tables' gradients follow from.
struct SharedMemory: Sendable {
  let shape: MemoryShape
  let layers: [SharedMemoryLayer]
  /// Six integers: positions whose picks are recorded; how many of them were sorted; steps whose picks were counted, in all and
  /// since the counts were last cleared; updates of tables; a TableUpdates.
  let progress: FloatPlace
  let history: FloatPlace  // AdamWFactors [PostponedUpdates.most]: the newest updates
  let copy: FloatPlace  // a CopyUnderWay
  let rowRoom: FloatPlace  // [threads, D_p + D_v]
  let partial: FloatPlace  // doubles: parts of a norm
  /// T: positions of a step.
  let positions: Int
  let arena: ArenaLayout

  /// - Parameter positions: of a step, all its micro-batches together; 0 where nothing is trained.
  init(_ memory: MemoryLayers, precision: Precision, positions: Int, threads: Int) {
    let shape = memory.shape
    let (T, P) = (positions, shape.picks)
    var layout = ArenaLayout()
    layout.part = .picks
    progress = layout.floats(12)
    history = layout.floats(
      T > 0 ? PostponedUpdates.most * MemoryLayout<AdamWFactors>.stride / MemoryLayout<Float>.stride : 0)
    copy = layout.floats(T > 0 ? MemoryLayout<CopyUnderWay>.stride / MemoryLayout<Float>.stride : 0)
    rowRoom = layout.floats(T > 0 ? threads * shape.rowWidth : 0)
    partial = layout.floats(T > 0 ? 2 * TableGradient.pieces(shape) : 0)
    layers = memory.layers.map { _ in
      layout.part = .operands
      let keys = layout.operands(shape.scoreMatrices * shape.keys * shape.keyWidth, precision)
      let keyScale = layout.floats(shape.scoreMatrices * shape.keys)
      layout.part = .picks
      return SharedMemoryLayer(
        keys: keys, keyScale: keyScale, rows: layout.floats(T * P), weights: layout.floats(T * P * shape.weights),
        factors: layout.floats(shape.preWidth > 0 ? T * P : 0), dPooled: layout.floats(T * shape.valueWidth),
        z: layout.floats(T * shape.preWidth), ends: layout.floats(T > 0 ? shape.rows : 0),
        order: layout.floats(T * P), picks: layout.floats(T > 0 ? shape.rows : 0),
        last: layout.floats(T > 0 ? shape.rows : 0), applied: layout.floats(T > 0 ? shape.rows : 0),
        taken: layout.floats(T > 0 ? (shape.rows + 3) / 4 : 0),
        choice: layout.floats(MemoryLayout<UpdateChoice>.stride / MemoryLayout<Float>.stride))
    }
    self.shape = shape
    self.positions = positions
    arena = layout
  }

  /// The records of a layer's picks, from the first position of the step on.
  func records(_ layer: SharedMemoryLayer, in arena: Arena) -> PickRecords {
    PickRecords(
      rows: arena.integers(layer.rows), weights: arena[layer.weights], factors: arena[layer.factors],
      dPooled: arena[layer.dPooled], z: arena[layer.z])
  }
}

extension Arena {
  func integers(_ place: FloatPlace) -> UnsafeMutablePointer<Int32> {
    UnsafeMutableRawPointer(self[place]).assumingMemoryBound(to: Int32.self)
  }

  /// How many positions of the step are recorded, how many of them are sorted, how many steps were counted, in all and since
  /// counts were cleared, how many updates tables got, and how tables are to be updated.
  func progress(_ memory: SharedMemory) -> UnsafeMutablePointer<Int> {
    UnsafeMutableRawPointer(self[memory.progress]).assumingMemoryBound(to: Int.self)
  }
}
