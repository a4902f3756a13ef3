// A memory layer beside an MLP, on the same normed stream x: queries · keys → scores → picks → values → the stream.
//   q = norm(x · W_qᵀ),  scores = q · norm(K)ᵀ,  z = x · W_pᵀ,  δ += pooled · W_vᵀ       (Kernels/Memory/MemoryShape)
// Letters: M positions, d width, E operand precision; others as there.
import Kernels

/// Where a layer's buffers lie.
struct MemoryPlaces: Sendable {
  // What backward needs.
  let q: FloatPlace  // [M, 2r · D_k]
  let qScale: FloatPlace  // [M, 2r]
  let normed: OperandPlace  // E [M, 2r · D_k]
  let rows: FloatPlace  // integers [M, P]
  let weights: FloatPlace  // [M, P, h]
  let sides: FloatPlace  // [M, P, 2r]
  let factors: FloatPlace  // [M, P]
  let z: FloatPlace  // [M, D_p]
  let pooled: OperandPlace  // E [M, D_v]
  let passing: MemoryPassingPlaces

  /// Those of the first layer, or with `passing` those of another.
  init(
    _ shape: MemoryShape, _ room: BranchRoom, passing: MemoryPassingPlaces? = nil, in layout: inout ArenaLayout
  ) {
    let (M, E, P) = (room.positions, room.precision, shape.picks)
    let queries = M * shape.sides * shape.keyWidth
    q = layout.floats(queries)
    qScale = layout.floats(M * shape.sides)
    normed = layout.operands(queries, E)
    rows = layout.floats(M * P)
    weights = layout.floats(M * P * shape.weights)
    sides = layout.floats(M * P * shape.sides)
    factors = layout.floats(shape.preWidth > 0 ? M * P : 0)
    z = layout.floats(M * shape.preWidth)
    pooled = layout.operands(M * shape.valueWidth, E)
    self.passing = passing ?? MemoryPassingPlaces(shape, room, in: &layout)
  }
}

/// What a layer needs only while a pass goes through it, at the same place for all of them.
struct MemoryPassingPlaces: Sendable {
  let scores: OperandPlace  // fp32 [H · 2r, M, n]; in backward E, their gradient
  let dPooled: OperandPlace  // E [M, D_v]
  let dz: OperandPlace  // E [M, D_p]
  let dNormed: OperandPlace  // E [M, 2r · D_k]
  let dq: OperandPlace  // fp32 [M, 2r · D_k]
  let dqOperand: OperandPlace  // E, the same; dq itself in fp32
  let dKeys: OperandPlace  // fp32 [H · 2r · n, D_k]: at normed keys
  let room: OperandPlace  // fp32, of each thread

  init(_ shape: MemoryShape, _ room: BranchRoom, in layout: inout ArenaLayout) {
    let (M, E) = (room.positions, room.precision)
    let trained = room.isTrained ? M : 0
    let queries = trained * shape.sides * shape.keyWidth
    scores = layout.passing(shape.scoreMatrices * M * shape.keys, .fp32)
    dPooled = layout.passing(trained * shape.valueWidth, E)
    dz = layout.passing(trained * shape.preWidth, E)
    dNormed = layout.passing(queries, E)
    dq = layout.passing(queries, .fp32)
    dqOperand = E == .fp32 ? dq : layout.passing(queries, E)
    dKeys = layout.passing(room.isTrained ? shape.scoreMatrices * shape.keys * shape.keyWidth : 0, .fp32)
    self.room = layout.passing(room.threads * Self.room(shape), .fp32)
  }

  /// Floats of room for each thread.
  static func room(_ shape: MemoryShape) -> Int { max(MemoryPicks.room(shape), MemoryValues.room(shape)) }
}

struct MemoryLayer {
  let shape: MemoryShape
  let tensors: MemoryTensors
  /// Its place among all memory layers.
  let index: Int
  let shared: (all: SharedMemory, layer: SharedMemoryLayer)
  let query: Linear
  /// Nil where values are plain.
  let pre: Linear?
  let out: Linear
  private let queryNorm: Int
  let places: MemoryPlaces
  let precision: Precision
  /// d: of the stream.
  let width: Int
  let threads: Int
  /// Of the shard, and its first one in the micro-batch of all processes.
  let positions: Int
  private let firstPosition: Int
  private let products: MemoryProducts

  /// - Returns: nil where the block has no memory layer.
  init?(_ site: BranchSite, at places: MemoryPlaces) throws(ProductError) {
    guard let memory = site.parameters.memory, let shared = site.memory,
      let index = memory.layers.firstIndex(where: { $0.layer == "\(site.layer)/memory" })
    else { return nil }
    let (c, shape) = (site.configuration, memory.shape)
    self.shape = shape
    self.places = places
    self.index = index
    width = c.width
    tensors = memory.layers[index]
    self.shared = (shared, shared.layers[index])
    precision = site.precision
    threads = site.products.threads
    positions = site.rows.count * c.context
    firstPosition = (c.firstRow + site.rows.lowerBound) * c.context
    queryNorm = site.parameters.affine("\(site.layer)/memory/query_norm").weight
    let floats = ProductShape.Operand(stride: shape.sides * shape.keyWidth, precision: .fp32)
    query = try site.linear(
      "memory/query", out: shape.sides * shape.keyWidth, in: c.width, y: floats, addsToInput: true)
    pre =
      shape.preWidth == 0
      ? nil
      : try site.linear(
        "memory/pre_proj", out: shape.preWidth, in: c.width,
        y: ProductShape.Operand(stride: shape.preWidth, precision: .fp32), addsToInput: true)
    out = try site.linear("memory/out_proj", out: c.width, in: shape.valueWidth, addsToOutput: true)
    products = try MemoryProducts(
      shape, positions: positions, precision: precision, isTrained: site.isTrained, site.products)
  }

  /// The normed keys of all layers, and what is recorded.
  private func shared(_ parameters: ParameterView) -> Arena {
    guard let memory = parameters.memory else {
      preconditionFailure("a network with memory layers has memory for them")
    }
    return memory
  }

  func cores(_ parameters: ParameterView) -> UnsafeMutablePointer<Float> {
    parameters.weights + (tensors.cores ?? tensors.filter)
  }

  func keys(_ parameters: ParameterView) -> UnsafeMutableRawPointer { shared(parameters)[shared.layer.keys] }

  private func queries(_ base: UnsafeMutableRawPointer, _ precision: Precision) -> Matrix {
    Matrix(base, rows: positions * shape.sides, columns: shape.keyWidth, precision: precision)
  }

  func lists(_ arena: Arena) -> PickLists {
    PickLists(
      rows: arena.integers(places.rows), weights: arena[places.weights], sides: arena[places.sides],
      factors: arena[places.factors])
  }

  func room(_ arena: Arena) -> UnsafeMutablePointer<Float> {
    arena[places.passing.room].assumingMemoryBound(to: Float.self)
  }

  /// Norms queries.
  /// - Parameters:
  ///   - q: [rows · 2r, D_k] fp32.
  ///   - y: the same in any precision, written.
  ///   - scale: [rows · 2r], written.
  func normQueries(
    _ parameters: ParameterView, _ q: Matrix, into y: Matrix, scale: UnsafeMutablePointer<Float>, threads: Int
  ) {
    StepPart.norms.measured(bytes: q.rows * q.columns * (4 + y.precision.bytes)) {
      RMSNorm.forward(
        q, adding: nil, w: parameters.weights + queryNorm, epsilon: MemoryLayers.epsilon, sum: q, y: y, scale: scale,
        threads: threads)
    }
  }

  // MARK: There

  /// All of forward but the way into the stream.
  /// - Parameter x: E [M, d].
  func keep(_ pass: Pass, x: UnsafeMutableRawPointer) {
    let (arena, parameters) = (pass.arena, pass.parameters)
    let q = UnsafeMutableRawPointer(arena[places.q])
    query.forward(parameters, x: x, y: q)
    normQueries(
      parameters, queries(q, .fp32), into: queries(arena[places.normed], precision), scale: arena[places.qScale],
      threads: threads)
    let scores = arena[places.passing.scores]
    products.score(queries: arena[places.normed], keys: keys(parameters), into: scores)
    let lists = lists(arena)
    StepPart.memory.measured {
      MemoryPicks.find(
        shape, scores: scores.assumingMemoryBound(to: Float.self), count: positions, stride: positions,
        cores: cores(parameters), filter: parameters.weights + tensors.filter, into: lists, room: room(arena),
        threads: threads)
    }
    if let measurement = pass.measurement { measureEdges(pass, measurement) }
    bringUpToDate(lists, positions: positions, parameters, threads: threads)
    let z = arena[places.z]
    pre?.forward(parameters, x: x, y: UnsafeMutableRawPointer(z))
    StepPart.memory.measured(
      bytes: MemoryValues.forwardBytes(shape, positions: positions, operandBytes: precision.bytes)
    ) {
      MemoryValues.forward(
        shape, table: parameters.weights + tensors.table, lists: lists, z: z,
        pooled: Matrix(
          arena[places.pooled], rows: positions, columns: shape.valueWidth, precision: precision),
        room: room(arena), threads: threads)
    }
  }

  /// - Parameter delta: E [M, d], added to.
  func add(_ pass: Pass, to delta: UnsafeMutableRawPointer) {
    out.forward(pass.parameters, x: pass.arena[places.pooled], y: delta)
  }

  // MARK: And back

  /// - Parameters:
  ///   - dy: E [M, d], the gradient at `delta`.
  ///   - x: that of `keep`.
  ///   - dx: E [M, d], added to.
  ///   - accumulates: whether gradients of matrices are added to what is there.
  func backward(
    _ pass: Pass, dy: UnsafeMutableRawPointer, x: UnsafeMutableRawPointer, dx: UnsafeMutableRawPointer,
    accumulates: Bool
  ) {
    let (arena, parameters) = (pass.arena, pass.parameters)
    let passing = places.passing
    let dPooled = arena[passing.dPooled]
    out.backwardInput(parameters, dy: dy, dx: dPooled)
    out.backwardWeight(parameters, dy: dy, x: arena[places.pooled], accumulates: accumulates)
    let dCores = tensors.cores.map { parameters.gradient($0) }
    if let dCores, !accumulates { dCores.update(repeating: 0, count: shape.coreElements) }
    let dScores = arena[passing.scores]
    let dz = arena[passing.dz]
    let all = shared(parameters)
    let first = all.progress(shared.all)[0] + firstPosition
    precondition(first + positions <= shared.all.positions, "a step has no more micro-batches than were planned")
    StepPart.memory.measured(
      bytes: MemoryValues.backwardBytes(shape, positions: positions, operandBytes: precision.bytes)
    ) {
      MemoryValues.backward(
        shape, table: parameters.weights + tensors.table, lists: lists(arena), z: arena[places.z],
        dPooled: Matrix(dPooled, rows: positions, columns: shape.valueWidth, precision: precision),
        cores: cores(parameters), dScores: dScores,
        dz: pre == nil ? nil : Matrix(dz, rows: positions, columns: shape.preWidth, precision: precision),
        dCores: dCores ?? room(arena), records: shared.all.records(shared.layer, in: all).from(first, shape),
        room: room(arena), threads: threads)
    }
    let dNormed = arena[passing.dNormed]
    let dKeys = arena[passing.dKeys]
    products.backward(
      dScores: dScores, queries: arena[places.normed], keys: keys(parameters), dQueries: dNormed, dKeys: dKeys)
    normsBackward(pass, dNormed: dNormed, dKeys: dKeys, accumulates: accumulates)
    query.backward(parameters, dy: arena[passing.dqOperand], x: x, dx: dx, accumulates: accumulates)
    pre?.backward(parameters, dy: dz, x: x, dx: dx, accumulates: accumulates)
  }

  /// From the gradients at normed queries and keys to those at queries and keys, and at the norms' weights.
  private func normsBackward(
    _ pass: Pass, dNormed: UnsafeMutableRawPointer, dKeys: UnsafeMutableRawPointer, accumulates: Bool
  ) {
    let (arena, parameters, passing) = (pass.arena, pass.parameters, places.passing)
    StepPart.norms.measured(bytes: positions * shape.sides * shape.keyWidth * (8 + 2 * precision.bytes)) {
      RMSNorm.backward(
        queries(dNormed, precision), x: queries(arena[places.q], .fp32), w: parameters.weights + queryNorm,
        scale: arena[places.qScale], dx: queries(arena[passing.dq], .fp32), addsTo: false,
        operand: precision == .fp32 ? nil : queries(arena[passing.dqOperand], precision),
        dw: parameters.gradient(queryNorm), partial: pass.partial, threads: threads)
      func keys(_ base: UnsafeMutableRawPointer) -> Matrix {
        Matrix(base, rows: shape.scoreMatrices * shape.keys, columns: shape.keyWidth, precision: .fp32)
      }
      RMSNorm.backward(
        keys(dKeys), x: keys(parameters.weights + tensors.keys), w: parameters.weights + tensors.keyNorm,
        scale: shared(parameters)[shared.layer.keyScale], dx: keys(parameters.gradient(tensors.keys)),
        addsTo: accumulates, operand: nil, dw: parameters.gradient(tensors.keyNorm), partial: pass.partial,
        threads: threads)
    }
  }
}
