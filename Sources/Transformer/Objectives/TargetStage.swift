// What targets depend on besides the tokens: how far the run is, and the numbers that commands change. Evaluations go without:
// they measure the same at every step.
import Kernels

/// A stage of training, made anew for every step.
package struct TargetStage: Sendable {
  /// The share of the run's steps that are taken, 0 … 1.
  package var progress: Double
  /// Factor on the weights of the tokens after the next one.
  package var further: Float
  /// Weight at the first step of the longest token that the next one begins with.
  package var prefix: Float
  /// Of each token the longest other one that its text begins with; −1 where there is none. Empty where `prefix` stays 0.
  package var prefixes: [Int32]
  /// Whether the weights of NTP's targets are divided by their sum.
  package var isMean: Bool
  /// How weights depend on the prediction.
  package var shape: WeightShape
  /// w: the part of the next token's weight that is the teacher's prediction.
  package var teacher: Float

  package init(
    progress: Double, further: Float = 1, prefix: Float = 0, prefixes: [Int32] = [], isMean: Bool = false,
    shape: WeightShape = WeightShape(), teacher: Float = 0
  ) {
    self.teacher = teacher
    self.further = further
    self.progress = progress
    self.prefix = prefix
    self.prefixes = prefixes
    self.isMean = isMean
    self.shape = shape
  }

  /// The weight of prefix tokens now: to 0 in a straight line, over two thirds of the run (modded-nanogpt's pull request 337).
  var prefixWeight: Float { prefixes.isEmpty ? 0 : prefix * Float(max(0, 1 - progress * 1.5)) }

  /// The weight now of the token at a distance d = 1 … n. There are n parts of the run: in the first, the n-th token's weight
  /// falls from 2^−(n−1) to 0 in a straight line; in the next, that of the one before; in the last, the next token is alone
  /// (modded-nanogpt's pull request 178, where n = 3). All of them but the next token's are multiplied with `further`.
  func weight(ofDistance d: Int, of n: Int) -> Float {
    guard d > 1 else { return 1 }
    // The part of the run in which this token's weight falls.
    let start = Double(n - d)
    let left = min(1, max(0, start + 1 - progress * Double(n)))
    return Float(left * 1.0 / Double(1 << (d - 1))) * further
  }

  /// True if NTP is trained on plain cross-entropy now.
  /// - Parameter ahead: n.
  package func isPlain(ahead: Int) -> Bool {
    shape.isFlat && prefixWeight == 0 && teacher == 0 && (ahead == 1 || weight(ofDistance: 2, of: ahead) == 0)
  }
}
