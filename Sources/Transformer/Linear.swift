// One weight matrix and its products.
//   y = x · Wᵀ;   dx = dy · W,   dW (+)= dyᵀ · x
// Letters: x [M, in], W [out, in], y [M, out].
import Kernels

struct Linear {
  /// Elements from the start of the parameters.
  let offset: Int
  private let forwardProduct: Product
  /// dx, dW written over, dW added to; nil where nothing is trained.
  private let backwardProducts: (input: Product, weight: Product, weightAdding: Product)?

  /// - Parameters:
  ///   - y: precision of the output, and its stride where that is not `out`.
  ///   - dy: how the gradient at y lies in memory.
  init(
    offset: Int, rows: Int, out: Int, in width: Int, precision: Precision, y: ProductShape.Operand? = nil,
    dy: ProductShape.Operand? = nil, isTrained: Bool, products: Products
  ) throws(ProductError) {
    typealias Operand = ProductShape.Operand
    self.offset = offset
    let x = Operand(stride: width, precision: precision)
    let w = Operand(stride: width, precision: precision)
    let y = y ?? Operand(stride: out, precision: precision)
    forwardProduct = try products[
      ProductShape(
        m: rows, n: out, k: width, a: x, b: Operand(stride: width, precision: precision, isTransposed: true), c: y)]
    guard isTrained else {
      backwardProducts = nil
      return
    }
    let dy = dy ?? Operand(stride: out, precision: precision)
    let dyTransposed = Operand(stride: dy.stride, precision: dy.precision, isTransposed: true)
    let dw = Operand(stride: width, precision: .fp32)
    backwardProducts = (
      input: try products[ProductShape(m: rows, n: width, k: out, a: dy, b: w, c: x)],
      weight: try products[ProductShape(m: out, n: width, k: rows, a: dyTransposed, b: x, c: dw)],
      weightAdding: try products[
        ProductShape(m: out, n: width, k: rows, a: dyTransposed, b: x, c: dw, accumulates: true)]
    )
  }

  func forward(_ parameters: borrowing Parameters, x: UnsafeMutableRawPointer, y: UnsafeMutableRawPointer) {
    forwardProduct(x, parameters.operand(offset), into: y)
  }

  /// dx and dW.
  /// - Parameter adds: whether dW is added to what is there: every micro-batch but the first.
  func backward(
    _ parameters: borrowing Parameters, dy: UnsafeMutableRawPointer, x: UnsafeMutableRawPointer,
    dx: UnsafeMutableRawPointer, adds: Bool
  ) {
    backwardInput(parameters, dy: dy, dx: dx)
    backwardWeight(parameters, dy: dy, x: x, adds: adds)
  }

  /// dx alone: where x is only made again from what dx tells.
  func backwardInput(_ parameters: borrowing Parameters, dy: UnsafeMutableRawPointer, dx: UnsafeMutableRawPointer) {
    gradients.input(dy, parameters.operand(offset), into: dx)
  }

  func backwardWeight(
    _ parameters: borrowing Parameters, dy: UnsafeMutableRawPointer, x: UnsafeMutableRawPointer, adds: Bool
  ) {
    let dw = UnsafeMutableRawPointer(parameters.gradients + offset)
    if adds { gradients.weightAdding(dy, x, into: dw) } else { gradients.weight(dy, x, into: dw) }
  }

  private var gradients: (input: Product, weight: Product, weightAdding: Product) {
    guard let backwardProducts else { preconditionFailure("this network was made for reading only") }
    return backwardProducts
  }
}
