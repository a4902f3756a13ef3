// One weight matrix and its products, with a bias where the network has them.
//   y = x · Wᵀ (+ b);   dx = dy · W,   dW (+)= dyᵀ · x,   db += Σ_t dy
// Letters: x [M, in], W [out, in], y [M, out].
import Kernels

struct Linear {
  let affine: Affine
  /// dy [M, out], without its place.
  private let gradient: (rows: Int, out: Int, operand: ProductShape.Operand)
  private let threads: Int
  private let forwardProduct: Product
  /// dx, dW written over, dW added to; nil where nothing is trained.
  private let backwardProducts: (input: Product, weight: Product, weightAdding: Product)?

  /// - Parameters:
  ///   - y: precision of the output, and its stride where that is not `out`.
  ///   - dy: how the gradient at y lies in memory.
  ///   - addsToOutput, addsToInput: whether y, or the gradient at x, is added to what is there.
  init(
    at affine: Affine, rows: Int, out: Int, in width: Int, precision: Precision, y: ProductShape.Operand? = nil,
    dy: ProductShape.Operand? = nil, addsToOutput: Bool = false, addsToInput: Bool = false, isTrained: Bool,
    products: Products
  ) throws(ProductError) {
    typealias Operand = ProductShape.Operand
    self.affine = affine
    threads = products.threads
    let x = Operand(stride: width, precision: precision)
    let w = Operand(stride: width, precision: precision)
    let y = y ?? Operand(stride: out, precision: precision)
    forwardProduct = try products[
      ProductShape(
        m: rows, n: out, k: width, a: x, b: Operand(stride: width, precision: precision, isTransposed: true), c: y,
        accumulates: addsToOutput, hasBias: affine.bias != nil)]
    let dy = dy ?? Operand(stride: out, precision: precision)
    gradient = (rows, out, dy)
    guard isTrained else {
      backwardProducts = nil
      return
    }
    let dyTransposed = Operand(stride: dy.stride, precision: dy.precision, isTransposed: true)
    let dw = Operand(stride: width, precision: .fp32)
    backwardProducts = (
      input: try products[ProductShape(m: rows, n: width, k: out, a: dy, b: w, c: x, accumulates: addsToInput)],
      weight: try products[ProductShape(m: out, n: width, k: rows, a: dyTransposed, b: x, c: dw)],
      weightAdding: try products[
        ProductShape(m: out, n: width, k: rows, a: dyTransposed, b: x, c: dw, accumulates: true)]
    )
  }

  func forward(_ parameters: ParameterView, x: UnsafeMutableRawPointer, y: UnsafeMutableRawPointer) {
    forwardProduct(
      x, parameters.operand(affine.weight), into: y,
      bias: affine.bias.map { UnsafeMutableRawPointer(parameters.weights + $0) })
  }

  /// dx and dW.
  /// - Parameter accumulates: whether dW is added to what is there: every micro-batch but the first.
  func backward(
    _ parameters: ParameterView, dy: UnsafeMutableRawPointer, x: UnsafeMutableRawPointer,
    dx: UnsafeMutableRawPointer, accumulates: Bool
  ) {
    backwardInput(parameters, dy: dy, dx: dx)
    backwardWeight(parameters, dy: dy, x: x, accumulates: accumulates)
  }

  /// Only dx; used where x must be computed again before dW.
  func backwardInput(_ parameters: ParameterView, dy: UnsafeMutableRawPointer, dx: UnsafeMutableRawPointer) {
    gradients.input(dy, parameters.operand(affine.weight), into: dx)
  }

  func backwardWeight(
    _ parameters: ParameterView, dy: UnsafeMutableRawPointer, x: UnsafeMutableRawPointer, accumulates: Bool
  ) {
    let dw = UnsafeMutableRawPointer(parameters.gradient(affine.weight))
    if accumulates { gradients.weightAdding(dy, x, into: dw) } else { gradients.weight(dy, x, into: dw) }
  }

  /// db, added to what is there; nothing where there is no bias.
  /// - Parameter partial: [threads, out] floats of room.
  func backwardBias(
    _ parameters: ParameterView, dy: UnsafeMutableRawPointer, partial: UnsafeMutablePointer<Float>
  ) {
    guard let bias = affine.bias else { return }
    let dy = Matrix(
      dy, rows: gradient.rows, columns: gradient.out, stride: gradient.operand.stride,
      precision: gradient.operand.precision)
    StepPart.norms.measured(bytes: dy.rows * dy.columns * dy.precision.bytes) {
      Bias.backward(dy, db: parameters.gradient(bias), partial: partial, threads: threads)
    }
  }

  private var gradients: (input: Product, weight: Product, weightAdding: Product) {
    guard let backwardProducts else { preconditionFailure("this network was made for reading only") }
    return backwardProducts
  }
}
