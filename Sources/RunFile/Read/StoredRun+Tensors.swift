// Weights of stored checkpoints, for looking at them: without the moments, and one tensor at a time where that is enough.
import Foundation
import Run

/// Weights of a checkpoint, or some of them.
package struct StoredWeights: Sendable {
  /// The step of the checkpoint.
  package let step: Int
  package let tensors: [Checkpoint.Tensor]
  /// All of their numbers, fp32; a tensor's begin at its offset.
  package let numbers: [Float]
}

extension StoredRun {
  /// Reads the weights of a checkpoint.
  /// - Parameters:
  ///   - step: the checkpoint's.
  ///   - path: one tensor's; nil reads all.
  /// - Throws: `UserError` where there is no such checkpoint, or it is damaged.
  package func weights(ofStep step: Int, tensor path: String? = nil) throws -> StoredWeights {
    guard try checkpoints().contains(where: { $0.step == step }) else {
      throw UserError(.noInput, "run “\(name)” has no checkpoint of step \(step) any more")
    }
    return try CheckpointFile.readWeights(CheckpointFolder(folder).path(of: step)) { path == nil || $0 == path }
  }
}
