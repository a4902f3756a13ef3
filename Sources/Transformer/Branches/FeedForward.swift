// The MLP of a block: two linear layers around SwiGLU or GELU.
//   u = x · W₁ᵀ,  s = activation(u),  δ = s · W₂ᵀ
// Letters: M positions, d width, E operand precision.
import Kernels

struct FeedForwardPlaces: BranchPlaces {
  private(set) var gu: OperandPlace  // E [M, gates]; after backward its own gradient
  let inner: OperandPlace  // E [M, inner]
  let dInner: OperandPlace  // E [M, inner]

  init(_ room: BranchRoom, in layout: inout ArenaLayout) {
    let inner = room.positions * room.configuration.inner
    gu = Self.gu(room, in: &layout)
    self.inner = layout.passing(inner, room.precision)
    dInner = layout.passing(room.isTrained ? inner : 0, room.precision)
  }

  private static func gu(_ room: BranchRoom, in layout: inout ArenaLayout) -> OperandPlace {
    layout.operands(room.positions * room.configuration.gateWidth, room.precision)
  }

  func another(_ room: BranchRoom, in layout: inout ArenaLayout) -> FeedForwardPlaces {
    var other = self
    other.gu = Self.gu(room, in: &layout)
    return other
  }

  func widest(_ c: Configuration) -> Int { c.gateWidth }
  func fill(_ arena: Arena, _ c: Configuration) {}

  func branch(_ site: BranchSite) throws(ProductError) -> any Branch { try FeedForward(site, at: self) }
}

struct FeedForward: Branch {
  let norm: Norm
  private let places: FeedForwardPlaces
  private let precision: Precision
  private let threads: Int
  private let positions: Int
  private let inner: Int
  private let gateWidth: Int
  private let isGated: Bool
  private let into: Linear
  private let out: Linear

  init(_ site: BranchSite, at places: FeedForwardPlaces) throws(ProductError) {
    let c = site.configuration
    let names = c.style.names
    self.places = places
    precision = site.precision
    threads = site.products.threads
    positions = site.rows.count * c.context
    inner = c.inner
    gateWidth = c.gateWidth
    isGated = c.style.isGated
    norm = site.norm(names.feedForwardNorm)
    into = try site.linear(names.feedForwardIn[0], out: c.gateWidth, in: c.width)
    out = try site.linear(names.feedForwardOut, out: c.width, in: c.inner)
  }

  private func operand(_ base: UnsafeMutableRawPointer, _ columns: Int) -> Matrix {
    Matrix(base, rows: positions, columns: columns, precision: precision)
  }

  private func activate(_ u: Matrix, _ s: Matrix, threads: Int) {
    StepPart.activations.measured(bytes: u.rows * (gateWidth + inner) * u.precision.bytes) {
      if isGated { SwiGLU.forward(u, s: s, threads: threads) } else { GELU.forward(u, s: s, threads: threads) }
    }
  }

  func keep(_ pass: Pass, x: UnsafeMutableRawPointer) { into.forward(pass.parameters, x: x, y: pass.arena[places.gu]) }

  func finish(_ pass: Pass, into delta: UnsafeMutableRawPointer) {
    let s = pass.arena[places.inner]
    activate(operand(pass.arena[places.gu], gateWidth), operand(s, inner), threads: threads)
    out.forward(pass.parameters, x: s, y: delta)
  }

  func backward(
    _ pass: Pass, dy: UnsafeMutableRawPointer, x: UnsafeMutableRawPointer, dx: UnsafeMutableRawPointer,
    accumulates: Bool
  ) {
    let (gu, s, ds) = (pass.arena[places.gu], pass.arena[places.inner], pass.arena[places.dInner])
    out.backwardInput(pass.parameters, dy: dy, dx: ds)
    out.backwardBias(pass.parameters, dy: dy, partial: pass.partial)
    StepPart.activations.measured(bytes: positions * 2 * (gateWidth + inner) * precision.bytes) {
      if isGated {
        SwiGLU.backward(operand(ds, inner), gu: operand(gu, gateWidth), s: operand(s, inner), threads: threads)
      } else {
        GELU.backward(operand(ds, inner), u: operand(gu, gateWidth), s: operand(s, inner), threads: threads)
      }
    }
    out.backwardWeight(pass.parameters, dy: dy, x: s, accumulates: accumulates)
    into.backward(pass.parameters, dy: gu, x: x, dx: dx, accumulates: accumulates)
    into.backwardBias(pass.parameters, dy: gu, partial: pass.partial)
  }

  // MARK: Reading

  var cacheSize: Int { 0 }

  private func places(of shape: ReadingShape) -> (u: Int, s: Int, bytes: Int) {
    var layout = ArenaLayout()
    let u = layout.place(shape.rows * gateWidth, width: shape.precision.bytes)
    let s = layout.place(shape.rows * inner, width: shape.precision.bytes)
    return (u, s, layout.bytes)
  }

  func roomSize(_ shape: ReadingShape) -> Int { places(of: shape).bytes }

  func read(
    _ reading: Reading, x: Matrix, into stream: Matrix, cache: UnsafeMutablePointer<Float>
  ) throws(ProductError) {
    let places = places(of: reading.shape)
    let u = reading.matrix(at: places.u, columns: gateWidth, x.precision)
    let s = reading.matrix(at: places.s, columns: inner, x.precision)
    try into.read(reading, x, into: u)
    activate(u, s, threads: reading.shape.rowThreads)
    try out.read(reading, s, into: stream, accumulates: true)
  }
}
