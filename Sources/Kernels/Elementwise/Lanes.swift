// Sixteen Floats at a time: loading and storing in both precisions, folding, and our own exponential. Everything here is
// inlined into the kernels; every line was chosen for the instructions it becomes (see `make asm`). What is called inside
// loops is `@_transparent`: `@inline(__always)` gives up in large functions, and a call moves all lanes through memory.

import CLanes

/// Sixteen fp32 lanes: one AVX-512 register, or two of AVX2.
typealias Lanes = SIMD16<Float>

/// An element type of an operand: how sixteen of them become lanes and back.
protocol Element {
  /// Elements p[i] … p[i + 15].
  static func load(_ p: UnsafePointer<Self>, _ i: Int) -> Lanes
  static func store(_ x: Lanes, _ p: UnsafeMutablePointer<Self>, _ i: Int)
  /// The first `count` of them, 1 … 15; loading makes the rest zero.
  static func load(_ p: UnsafePointer<Self>, _ i: Int, first count: Int) -> Lanes
  static func store(_ x: Lanes, _ p: UnsafeMutablePointer<Self>, _ i: Int, first count: Int)
}

extension Float: Element {
  @inline(__always) static func load(_ p: UnsafePointer<Float>, _ i: Int) -> Lanes {
    UnsafeRawPointer(p + i).loadUnaligned(as: Lanes.self)
  }
  @inline(__always) static func store(_ x: Lanes, _ p: UnsafeMutablePointer<Float>, _ i: Int) {
    UnsafeMutableRawPointer(p + i).storeBytes(of: x, as: Lanes.self)
  }
  @_transparent static func load(_ p: UnsafePointer<Float>, _ i: Int, first count: Int) -> Lanes {
    var x = Lanes()
    lanes_load_part_f32(p + i, count, &x)
    return x
  }
  @_transparent static func store(_ x: Lanes, _ p: UnsafeMutablePointer<Float>, _ i: Int, first count: Int) {
    var x = x
    lanes_store_part_f32(&x, p + i, count)
  }
}

extension BFloat16: Element {
  @inline(__always) static func load(_ p: UnsafePointer<BFloat16>, _ i: Int) -> Lanes {
    var x = Lanes()
    lanes_load_bf16(p + i, &x)
    return x
  }
  /// Rounds to the nearest, ties to even. Infinity stays; the NaN that arithmetic makes stays a NaN.
  @inline(__always) static func store(_ x: Lanes, _ p: UnsafeMutablePointer<BFloat16>, _ i: Int) {
    var x = x
    lanes_store_bf16(&x, p + i)
  }
  @_transparent static func load(_ p: UnsafePointer<BFloat16>, _ i: Int, first count: Int) -> Lanes {
    var x = Lanes()
    lanes_load_part_bf16(p + i, count, &x)
    return x
  }
  @_transparent static func store(_ x: Lanes, _ p: UnsafeMutablePointer<BFloat16>, _ i: Int, first count: Int) {
    var x = x
    lanes_store_part_bf16(&x, p + i, count)
  }
}

/// Lanes i ..< i + lanes of p, the rest zero. With a constant 16 the test disappears.
@_transparent
func load<E: Element>(_ p: UnsafePointer<E>, _ i: Int, _ lanes: Int) -> Lanes {
  lanes == 16 ? E.load(p, i) : E.load(p, i, first: lanes)
}

@_transparent
func store<E: Element>(_ x: Lanes, _ p: UnsafeMutablePointer<E>, _ i: Int, _ lanes: Int) {
  if lanes == 16 { E.store(x, p, i) } else { E.store(x, p, i, first: lanes) }
}

/// `x` with `value` in the lanes from `lanes` on.
@_transparent
func filled(_ x: Lanes, from lanes: Int, with value: Float) -> Lanes {
  var x = x
  lanes_fill(&x, lanes, value)
  return x
}

/// Calls `body(i, lanes)` for every sixteen of `n` elements, and for what is left. For short bodies, which become a part of
/// both loops: the first one, without a test, is unrolled.
@_transparent
func eachLanes(_ n: Int, _ body: (_ i: Int, _ lanes: Int) -> Void) {
  var i = 0
  while i + 16 <= n {
    body(i, 16)
    i += 16
  }
  if i < n { body(i, n - i) }
}

/// Every sixteen of `n` elements, and what is left: `for (i, lanes) in sixteens(n)`. For long bodies, which would stay
/// functions of their own, with all they change in memory, if `eachLanes` called them.
@_transparent
func sixteens(_ n: Int) -> Sixteens { Sixteens(n: n) }

struct Sixteens: Sequence, IteratorProtocol {
  let n: Int
  var i = 0

  @_transparent
  mutating func next() -> (i: Int, lanes: Int)? {
    guard i < n else { return nil }
    let first = i
    i += 16
    return (first, n - first < 16 ? n - first : 16)
  }
}

extension SIMD16<Float> {
  /// The sum of all lanes, folded by halves: always the same order.
  var folded: Float {
    @inline(__always) get {
      let a = lowHalf + highHalf
      let b = a.lowHalf + a.highHalf
      let c = b.lowHalf + b.highHalf
      return c.x + c.y
    }
  }

  /// The largest lane; meaningless where one is NaN.
  var largest: Float {
    @inline(__always) get {
      let a = lowHalf.replacing(with: highHalf, where: highHalf .> lowHalf)
      let b = a.lowHalf.replacing(with: a.highHalf, where: a.highHalf .> a.lowHalf)
      let c = b.lowHalf.replacing(with: b.highHalf, where: b.highHalf .> b.lowHalf)
      return c.x > c.y ? c.x : c.y
    }
  }
}

/// The square root of every lane.
@_transparent
func root(_ x: Lanes) -> Lanes {
  var x = x
  lanes_sqrt(&x)
  return x
}

/// e^x to 2 units in the last place for x in −87 … 88, flat outside: Cephes' polynomial after x = n·ln 2 + r.
/// Rounding n by adding 1.5·2^23 leaves it in the low bits, from where it goes into the exponent.
@_transparent
func exponential(_ x: Lanes) -> Lanes {
  let low = x.replacing(with: -87, where: x .< -87)
  let x = low.replacing(with: 88, where: low .> 88)
  let shifted = Lanes(repeating: 12_582_912).addingProduct(x, 1.442_695_04)
  let n = shifted - 12_582_912
  var r = x.addingProduct(n, -0.693_359_375)
  r = r.addingProduct(n, 2.121_944_40e-4)
  var p = Lanes(repeating: 1.398_199_950_7e-3).addingProduct(r, 1.987_569_150_0e-4)
  p = Lanes(repeating: 8.333_451_907_3e-3).addingProduct(p, r)
  p = Lanes(repeating: 4.166_579_589_4e-2).addingProduct(p, r)
  p = Lanes(repeating: 1.666_666_545_9e-1).addingProduct(p, r)
  p = Lanes(repeating: 5.000_000_120_1e-1).addingProduct(p, r)
  p = (r + 1).addingProduct(p, r * r)
  let exponent = unsafeBitCast(shifted, to: SIMD16<UInt32>.self) &<< 23
  return unsafeBitCast(unsafeBitCast(p, to: SIMD16<UInt32>.self) &+ exponent, to: Lanes.self)
}

/// σ(x) = 1 / (1 + e^{−x}).
@_transparent
func logistic(_ x: Lanes) -> Lanes { 1 / (exponential(0 - x) + 1) }

/// y = x · c for n elements. y may lie at x, or before it: writing never overtakes reading.
@inline(__always)
func scale<E: Element>(_ x: UnsafePointer<Float>, _ n: Int, by c: Float, into y: UnsafeMutablePointer<E>) {
  for (i, lanes) in sixteens(n) { store(load(x, i, lanes) * c, y, i, lanes) }
}

/// The largest of n values; −∞ of none.
@inline(__always)
func largest(_ z: UnsafePointer<Float>, _ n: Int) -> Float {
  var top = Lanes(repeating: -.infinity)
  for (i, lanes) in sixteens(n) {
    var v = load(z, i, lanes)
    if lanes < 16 { v = filled(v, from: lanes, with: -.infinity) }
    top = top.replacing(with: v, where: v .> top)
  }
  return top.largest
}
