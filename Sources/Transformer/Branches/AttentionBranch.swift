// Attention as a branch of a block: queries, keys and values as one linear layer, normed and turned where the network does
// so, causal attention, and the linear layer out of it.
// Letters: M positions, d width, E operand precision.
import Kernels

struct AttentionPlaces: BranchPlaces {
  /// What forward leaves for backward.
  private(set) var qkv: OperandPlace  // E [M, queries + 2 keys], turned
  private(set) var raw: OperandPlace  // E [M, queries + keys] before qk-norm, where there is one
  private(set) var lse: FloatPlace  // [rows · heads · T]
  private(set) var attended: OperandPlace  // E [M, queries]
  // What a pass works with.
  let dQKV: OperandPlace  // E [M, queries + 2 keys]
  let dAttended: OperandPlace  // E [M, queries]
  let scratch: OperandPlace  // tiles of scores, a thread each
  let angles: FloatPlace  // the rotary table

  private typealias Kept = (qkv: OperandPlace, raw: OperandPlace, lse: FloatPlace, attended: OperandPlace)

  init(_ room: BranchRoom, in layout: inout ArenaLayout) {
    let c = room.configuration
    (qkv, raw, lse, attended) = Self.kept(room, in: &layout)
    let trained = room.isTrained ? room.positions : 0
    dQKV = layout.passing(trained * (c.queryWidth + 2 * c.keyWidth), room.precision)
    dAttended = layout.passing(trained * c.queryWidth, room.precision)
    let part = layout.part
    layout.part = .attention
    let bytes = Attention.scratchSize(c, precision: room.precision, threads: room.threads)
    scratch = layout.floats((bytes + 3) / 4).asOperand
    layout.part = .working
    angles = layout.floats(c.style.learnsPositions ? 0 : c.context * c.headWidth)
    layout.part = part
  }

  private static func kept(_ room: BranchRoom, in layout: inout ArenaLayout) -> Kept {
    let (c, M, E) = (room.configuration, room.positions, room.precision)
    return (
      qkv: layout.operands(M * (c.queryWidth + 2 * c.keyWidth), E),
      raw: layout.operands(c.hasHeadNorms ? M * (c.queryWidth + c.keyWidth) : 0, E), lse: layout.floats(M * c.heads),
      attended: layout.operands(M * c.queryWidth, E)
    )
  }

  func another(_ room: BranchRoom, in layout: inout ArenaLayout) -> AttentionPlaces {
    var other = self
    (other.qkv, other.raw, other.lse, other.attended) = Self.kept(room, in: &layout)
    return other
  }

  func widest(_ c: Configuration) -> Int { c.queryWidth + 2 * c.keyWidth }

  func fill(_ arena: Arena, _ c: Configuration) {
    guard !c.style.learnsPositions else { return }
    Rotary.fill(arena[angles], context: c.context, headWidth: c.headWidth, theta: c.ropeTheta)
  }

  func branch(_ site: BranchSite) throws(ProductError) -> any Branch { try AttentionBranch(site, at: self) }
}

struct AttentionBranch: Branch {
  let norm: Norm
  private let site: BranchSite
  private let c: Configuration
  private let places: AttentionPlaces
  private let precision: Precision
  private let threads: Int
  private let rows: Int
  private let isTurned: Bool
  private let attention: Attention
  private let into: Linear
  private let out: Linear
  /// Queries and keys, where they are normed: first column, number of columns, and where the weight lies.
  private let headNorms: [(first: Int, width: Int, weight: Int)]

  init(_ site: BranchSite, at places: AttentionPlaces) throws(ProductError) {
    let c = site.configuration
    let names = c.style.names
    self.site = site
    self.c = c
    self.places = places
    precision = site.precision
    threads = site.products.threads
    rows = site.rows.count
    isTurned = !c.style.learnsPositions
    attention = Attention(c, precision: precision, threads: threads)
    norm = site.norm(names.attentionNorm)
    into = try site.linear(names.attentionIn[0], out: c.queryWidth + 2 * c.keyWidth, in: c.width)
    out = try site.linear(names.attentionOut, out: c.width, in: c.queryWidth)
    func weight(_ name: String) -> Int { site.parameters.affine("\(site.layer)/\(name)").weight }
    headNorms =
      c.hasHeadNorms
      ? [(0, c.queryWidth, weight(names.queryNorm)), (c.queryWidth, c.keyWidth, weight(names.keyNorm))] : []
  }

  private func operand(_ base: UnsafeMutableRawPointer, _ columns: Int) -> Matrix {
    Matrix(base, rows: rows * c.context, columns: columns, precision: precision)
  }

  /// Dropout of the weights; a row of them has the number that its `lse` has.
  private func dropout(_ pass: Pass) -> Dropout? {
    site.dropout(place: 0, firstRow: site.rows.lowerBound * c.context * c.heads, pass.noise)
  }

  func keep(_ pass: Pass, x: UnsafeMutableRawPointer) {
    let arena = pass.arena
    into.forward(pass.parameters, x: x, y: arena[places.qkv])
    let qkv = operand(arena[places.qkv], c.queryWidth + 2 * c.keyWidth)
    let raw = operand(arena[places.raw], c.queryWidth + c.keyWidth)
    StepPart.positions.measured(bytes: qkv.rows * 2 * raw.columns * precision.bytes) {
      for (first, width, weight) in headNorms {
        HeadNorm.forward(
          qkv.columns(first, count: width), headWidth: c.headWidth, w: pass.parameters.weights + weight,
          epsilon: c.epsilon, kept: raw.columns(first, count: width), threads: threads)
      }
      if isTurned {
        Rotary.forward(
          qkv, heads: c.heads + c.keyValueHeads, headWidth: c.headWidth, table: arena[places.angles],
          context: c.context, starts: pass.starts, threads: threads)
      }
    }
    StepPart.attention.measured {
      attention.forward(
        qkv: arena[places.qkv], output: arena[places.attended], lse: arena[places.lse], rows: rows,
        starts: pass.starts, scratch: arena[places.scratch], dropout: dropout(pass))
    }
  }

  func finish(_ pass: Pass, into delta: UnsafeMutableRawPointer) {
    out.forward(pass.parameters, x: pass.arena[places.attended], y: delta)
  }

  func backward(
    _ pass: Pass, dy: UnsafeMutableRawPointer, x: UnsafeMutableRawPointer, dx: UnsafeMutableRawPointer,
    accumulates: Bool
  ) {
    let (arena, parameters) = (pass.arena, pass.parameters)
    out.backward(parameters, dy: dy, x: arena[places.attended], dx: arena[places.dAttended], accumulates: accumulates)
    out.backwardBias(parameters, dy: dy, partial: pass.partial)
    StepPart.attention.measured {
      attention.backward(
        dOutput: arena[places.dAttended], qkv: arena[places.qkv], output: arena[places.attended],
        lse: arena[places.lse], dQKV: arena[places.dQKV],
        angles: isTurned ? UnsafePointer(arena[places.angles]) : nil, rows: rows, starts: pass.starts,
        scratch: arena[places.scratch], dropout: dropout(pass))
    }
    let dQKV = operand(arena[places.dQKV], c.queryWidth + 2 * c.keyWidth)
    let raw = operand(arena[places.raw], c.queryWidth + c.keyWidth)
    for (first, width, weight) in headNorms {
      StepPart.positions.measured(bytes: raw.rows * 3 * width * precision.bytes) {
        HeadNorm.backward(
          dQKV.columns(first, count: width), x: raw.columns(first, count: width), headWidth: c.headWidth,
          w: parameters.weights + weight, epsilon: c.epsilon, dw: parameters.gradient(weight), partial: pass.partial,
          threads: threads)
      }
    }
    into.backward(parameters, dy: arena[places.dQKV], x: x, dx: dx, accumulates: accumulates)
    into.backwardBias(parameters, dy: arena[places.dQKV], partial: pass.partial)
  }

  // MARK: Reading

  /// Keys [T, keys], then values [T, keys].
  var cacheSize: Int { 2 * c.context * c.keyWidth }

  private func places(of shape: ReadingShape) -> (qkv: Int, attended: Int, scratch: Int, bytes: Int) {
    var layout = ArenaLayout()
    let qkv = layout.place(shape.rows * (c.queryWidth + 2 * c.keyWidth), width: 4)
    let attended = layout.place(shape.rows * c.queryWidth, width: 4)
    let scratch = layout.place(
      shape.rows == 1 ? 4 * c.heads * c.context : Attention.scratchSize(c, precision: .fp32, threads: shape.threads),
      width: 1)
    return (qkv, attended, scratch, layout.bytes)
  }

  func roomSize(_ shape: ReadingShape) -> Int { places(of: shape).bytes }

  func read(
    _ reading: Reading, x: Matrix, into stream: Matrix, cache: UnsafeMutablePointer<Float>
  ) throws(ProductError) {
    let places = places(of: reading.shape)
    let threads = reading.shape.rowThreads
    let qkv = reading.matrix(at: places.qkv, columns: c.queryWidth + 2 * c.keyWidth, .fp32)
    let attended = reading.matrix(at: places.attended, columns: c.queryWidth, x.precision)
    try into.read(reading, x, into: qkv)
    for (first, width, weight) in headNorms {
      HeadNorm.forward(
        qkv.columns(first, count: width), headWidth: c.headWidth, w: reading.parameters.weights + weight,
        epsilon: c.epsilon, kept: nil, threads: threads)
    }
    if isTurned {
      Rotary.forward(
        qkv, heads: c.heads + c.keyValueHeads, headWidth: c.headWidth, table: reading.arena[self.places.angles],
        context: c.context, position: reading.position, threads: threads)
    }
    let (keys, values) = (cache, cache + c.context * c.keyWidth)
    for t in 0..<reading.count {
      let position = (reading.position + t) * c.keyWidth
      func columns(_ first: Int) -> UnsafePointer<Float> {
        UnsafePointer(qkv.at(t, first).assumingMemoryBound(to: Float.self))
      }
      (keys + position).update(from: columns(c.queryWidth), count: c.keyWidth)
      (values + position).update(from: columns(c.queryWidth + c.keyWidth), count: c.keyWidth)
    }
    let scratch = reading.room + places.scratch
    let end = reading.position + reading.count
    if reading.shape.rows == 1 {
      CachedAttention.forward(
        q: qkv.base.assumingMemoryBound(to: Float.self), keys: keys, values: values, count: end, heads: c.heads,
        groups: c.keyValueHeads, headWidth: c.headWidth, output: attended.base.assumingMemoryBound(to: Float.self),
        scores: scratch.assumingMemoryBound(to: Float.self), capacity: c.context)
    } else {
      Attention(c, precision: .fp32, threads: reading.shape.threads).read(
        qkv.rows(0, count: reading.count), at: reading.position, keys: Matrix(keys, rows: end, columns: c.keyWidth),
        values: Matrix(values, rows: end, columns: c.keyWidth), output: attended, scratch: scratch)
      reading.clearUnused(attended)
    }
    try out.read(reading, attended, into: stream, accumulates: true)
  }
}
