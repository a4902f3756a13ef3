// A training state as a value, and back.
import Corpus
import Kernels
import Run
import Transformer

extension Trainer {
  /// A complete copy of everything that decides the future.
  package var checkpoint: Checkpoint {
    let parameters = model.parameters.plan
    func copy(_ base: UnsafeMutablePointer<Float>) -> [Float] {
      Array(unsafeUninitializedCapacity: parameters.count) { buffer, count in
        let destination = buffer.baseAddress!
        Team.split(parameters.count, threads: model.threads) { _, range in
          (destination + range.lowerBound).initialize(from: base + range.lowerBound, count: range.count)
        }
        count = parameters.count
      }
    }
    return Checkpoint(
      state: state, recipe: recipe,
      tokenizer: TokenizerRecord(
        kind: corpus.tokenizer.kind.rawValue, model: corpus.tokenizer.model, vocabulary: corpus.tokenizer.vocabulary),
      tensors: parameters.tensors.map { Checkpoint.Tensor(path: $0.path, shape: $0.shape, offset: $0.offset) },
      weights: copy(model.parameters.weights), firstMoments: copy(model.parameters.firstMoments),
      secondMoments: copy(model.parameters.secondMoments))
  }
}

extension Transformer {
  /// Takes weights, and moments where the network has them, from a checkpoint.
  /// - Throws: `UserError` when a tensor is missing or has another shape.
  package func restore(_ checkpoint: Checkpoint) throws(UserError) {
    let stored = Dictionary(checkpoint.tensors.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
    for tensor in parameters.plan.tensors {
      guard let source = stored[tensor.path], source.shape == tensor.shape else {
        throw UserError(
          .data,
          "the checkpoint of step \(checkpoint.state.step) has "
            + (stored[tensor.path].map { "\(tensor.path) in shape \($0.shape)" } ?? "no \(tensor.path)")
            + ", and this recipe needs \(tensor.shape): resume with the recipe that the run was made with")
      }
      func copy(_ block: [Float], _ destination: UnsafeMutablePointer<Float>) {
        block.withUnsafeBufferPointer {
          (destination + tensor.offset).update(from: $0.baseAddress! + source.offset, count: tensor.count)
        }
      }
      copy(checkpoint.weights, parameters.weights)
      if parameters.isTrained {
        copy(checkpoint.firstMoments, parameters.firstMoments)
        copy(checkpoint.secondMoments, parameters.secondMoments)
      }
    }
    parameters.roundOperands(threads: threads)
  }
}
