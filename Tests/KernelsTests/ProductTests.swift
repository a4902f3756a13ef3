// Products of oneDNN against plain loops.
import Foundation
import Kernels
import Support
import Testing

@Suite struct ProductTests {
  @Test(arguments: [Precision.fp32, .bf16], [(3, 5, 7), (16, 32, 64), (33, 17, 65)])
  func `oneDNN multiplies as written, adding where asked`(precision: Precision, shape: (Int, Int, Int)) throws {
    if precision == .bf16 && !Machine.hasBF16 { try Test.cancel("this processor has no bf16") }
    let (m, n, k) = shape
    var dice = Dice(9)
    // Small whole numbers are exact in both precisions.
    var a = (0..<m * k).map { _ in Float(Int.random(in: -4...4, using: &dice)) }
    var b = (0..<n * k).map { _ in Float(Int.random(in: -4...4, using: &dice)) }
    var c = [Float](repeating: 1, count: m * n)
    let expected = Reference.product(a.doubles, b.doubles, k)
    let products = try Products(threads: 2)
    typealias Operand = ProductShape.Operand
    var bias = (0..<n).map { Float($0 % 3 - 1) }
    for (accumulates, hasBias) in [(false, false), (true, false), (false, true)] {
      let product = try products[
        ProductShape(
          m: m, n: n, k: k, a: Operand(stride: k, precision: precision),
          b: Operand(stride: k, precision: precision, isTransposed: true), c: Operand(stride: n, precision: .fp32),
          accumulates: accumulates, hasBias: hasBias)]
      for i in c.indices { c[i] = 1 }
      var (ra, rb) = ([UInt16](repeating: 0, count: a.count), [UInt16](repeating: 0, count: b.count))
      if precision == .bf16 {
        VectorMath.round(a, into: &ra, count: a.count, threads: 1)
        VectorMath.round(b, into: &rb, count: b.count, threads: 1)
        product(&ra, &rb, into: &c, bias: &bias)
      } else {
        product(&a, &b, into: &c, bias: &bias)
      }
      let added = expected.indices.map { accumulates ? 1 : hasBias ? Double(bias[$0 % n]) : 0 }
      #expect(c.doubles == zip(expected, added).map(+))
    }
  }
}
