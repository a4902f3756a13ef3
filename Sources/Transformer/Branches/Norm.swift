// The norm before each branch and before the heads, RMSNorm, or LayerNorm where the network has biases.
import Kernels

struct Norm {
  let affine: Affine
  private let epsilon: Float
  private var threads: Int

  init(_ configuration: Configuration, at affine: Affine, threads: Int) {
    self.affine = affine
    epsilon = configuration.epsilon
    self.threads = threads
  }

  /// Floats that a row's statistics take.
  static func statistics(_ c: Configuration) -> Int { c.style.hasBiases ? 2 : 1 }

  /// The same norm, by another number of threads.
  func with(threads: Int) -> Norm {
    var other = self
    other.threads = threads
    return other
  }

  /// y = norm(x + δ); see the kernels for the shapes.
  /// - Parameter statistics: [rows] of scales, then [rows] of means where there are biases; for backward.
  func forward(
    _ parameters: ParameterView, _ x: Matrix, adding delta: Matrix?, sum: Matrix, y: Matrix,
    statistics: UnsafeMutablePointer<Float>
  ) {
    let w = parameters.weights + affine.weight
    let element = 8 + (delta?.precision.bytes ?? 0) + y.precision.bytes
    StepPart.norms.measured(bytes: x.rows * x.columns * element) {
      if let bias = affine.bias {
        LayerNorm.forward(
          x, adding: delta, w: w, b: parameters.weights + bias, epsilon: epsilon, sum: sum, y: y, scale: statistics,
          mean: statistics + x.rows, threads: threads)
      } else {
        RMSNorm.forward(
          x, adding: delta, w: w, epsilon: epsilon, sum: sum, y: y, scale: statistics, threads: threads)
      }
    }
  }

  /// The gradient at x, written or added, and those of the parameters, added.
  /// - Parameter partial: [threads, 2 · width] floats of room.
  func backward(
    _ parameters: ParameterView, _ dy: Matrix, x: Matrix, statistics: UnsafePointer<Float>, dx: Matrix,
    addsTo: Bool, operand: Matrix?, partial: UnsafeMutablePointer<Float>
  ) {
    let (w, dw) = (parameters.weights + affine.weight, parameters.gradient(affine.weight))
    let element = dy.precision.bytes + 8 + (addsTo ? 4 : 0) + (operand == nil ? 0 : 2)
    StepPart.norms.measured(bytes: x.rows * x.columns * element) {
      if let bias = affine.bias {
        LayerNorm.backward(
          dy, x: x, w: w, scale: statistics, mean: statistics + x.rows, dx: dx, addsTo: addsTo, operand: operand,
          dw: dw, db: parameters.gradient(bias), partial: partial, threads: threads)
      } else {
        RMSNorm.backward(
          dy, x: x, w: w, scale: statistics, dx: dx, addsTo: addsTo, operand: operand, dw: dw, partial: partial,
          threads: threads)
      }
    }
  }
}
