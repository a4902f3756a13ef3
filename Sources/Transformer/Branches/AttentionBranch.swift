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

  private typealias SavedPlaces = (qkv: OperandPlace, raw: OperandPlace, lse: FloatPlace, attended: OperandPlace)

  init(_ room: BranchRoom, in layout: inout ArenaLayout) {
    let c = room.configuration
    (qkv, raw, lse, attended) = Self.kept(room, in: &layout)
    let trained = room.isTrained ? room.positions : 0
    dQKV = layout.passing(trained * (c.queryWidth + 2 * c.keyWidth), room.precision)
    dAttended = layout.passing(trained * c.queryWidth, room.precision)
    let part = layout.part
    layout.part = .attention
    let bytes = Attention.scratchSize(
      c, precision: room.precision, threads: room.threads, rows: room.isTrained ? room.rows : nil)
    scratch = layout.floats((bytes + 3) / 4).asOperand
    layout.part = .working
    angles = layout.floats(c.style.learnsPositions ? 0 : c.context * c.headWidth)
    layout.part = part
  }

  private static func kept(_ room: BranchRoom, in layout: inout ArenaLayout) -> SavedPlaces {
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
    attention = Attention(c, precision: precision, threads: threads, rows: site.isTrained ? rows : nil)
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
    site.dropout(place: 0, firstRow: (c.firstRow + site.rows.lowerBound) * c.context * c.heads, pass.noise)
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
      shape.isAlone
        ? 4 * shape.threads * c.context : Attention.scratchSize(c, precision: .fp32, threads: shape.threads), width: 1)
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
    if isTurned { turn(reading, qkv) }
    let keys = cache
    let values = cache + c.context * c.keyWidth
    for (t, place) in reading.places.enumerated() {
      let offset = place.text * reading.cacheStride + place.position * c.keyWidth
      (keys + offset).update(from: floats(qkv, t, c.queryWidth), count: c.keyWidth)
      (values + offset).update(from: floats(qkv, t, c.queryWidth + c.keyWidth), count: c.keyWidth)
    }
    let scratch = reading.room + places.scratch
    if reading.shape.isAlone {
      attendAlone(
        reading, qkv, keys: keys, values: values, attended, scratch: scratch.assumingMemoryBound(to: Float.self))
    } else {
      let end = reading.position + reading.count
      let text = reading.places[0].text * reading.cacheStride
      Attention(c, precision: .fp32, threads: reading.shape.threads).read(
        qkv.rows(0, count: reading.count), at: reading.position,
        keys: Matrix(keys + text, rows: end, columns: c.keyWidth),
        values: Matrix(values + text, rows: end, columns: c.keyWidth), output: attended, scratch: scratch)
      reading.clearUnused(attended)
    }
    try out.read(reading, attended, into: stream, accumulates: true)
  }

  private func floats(_ x: Matrix, _ row: Int, _ column: Int) -> UnsafeMutablePointer<Float> {
    x.at(row, column).assumingMemoryBound(to: Float.self)
  }

  /// Turns queries and keys by their positions.
  private func turn(_ reading: Reading, _ qkv: Matrix) {
    func turn(_ rows: Matrix, at position: Int, threads: Int) {
      Rotary.forward(
        rows, heads: c.heads + c.keyValueHeads, headWidth: c.headWidth, table: reading.arena[places.angles],
        context: c.context, position: position, threads: threads)
    }
    guard reading.shape.isAlone else { return turn(qkv, at: reading.position, threads: reading.shape.rowThreads) }
    for (t, place) in reading.places.enumerated() { turn(qkv.rows(t, count: 1), at: place.position, threads: 1) }
  }

  /// Multiply-adds of attention that are worth waking the team for.
  private static let worthSharing = 1 << 15

  /// Attention of rows that may be of several texts, a head of a row at a time.
  /// - Parameter scratch: room for [threads, T] floats.
  private func attendAlone(
    _ reading: Reading, _ qkv: Matrix, keys: UnsafePointer<Float>, values: UnsafePointer<Float>, _ attended: Matrix,
    scratch: UnsafeMutablePointer<Float>
  ) {
    let work = reading.places.reduce(0) { $0 + ($1.position + 1) * c.queryWidth }
    let threads = work < Self.worthSharing ? 1 : reading.shape.threads
    Team.split(reading.count * c.heads, threads: threads) { worker, pairs in
      for pair in pairs {
        let (t, head) = (pair / c.heads, pair % c.heads)
        let place = reading.places[t]
        let first = place.text * reading.cacheStride + head / (c.heads / c.keyValueHeads) * c.headWidth
        CachedAttention.forward(
          q: floats(qkv, t, head * c.headWidth), keys: keys + first, values: values + first, stride: c.keyWidth,
          count: place.position + 1, headWidth: c.headWidth, output: floats(attended, t, head * c.headWidth),
          scores: scratch + worker * c.context)
      }
    }
  }
}
