// Copies the training state into a checkpoint, and restores it.
import Corpus
import Kernels
import Run
import Transformer

extension Trainer {
  /// Bytes of a checkpoint.
  package var checkpointBytes: Int { model.parameters.layout.count * 12 }

  /// A complete copy of the training state: everything that determines the following steps.
  package var checkpoint: Checkpoint { checkpoint(in: nil) }

  /// The training state without weights and moments.
  package var checkpointWithoutNumbers: Checkpoint {
    Checkpoint(
      state: state, recipe: recipe,
      tokenizer: TokenizerRecord(
        kind: corpus.tokenizer.kind.rawValue, model: corpus.tokenizer.model, vocabulary: corpus.tokenizer.vocabulary),
      tensors: model.parameters.layout.tensors.map {
        Checkpoint.Tensor(path: $0.path, shape: $0.shape, offset: $0.offset)
      },
      weights: [], firstMoments: [], secondMoments: [])
  }

  /// A complete copy of the training state: everything that determines the following steps.
  /// - Parameter spare: a checkpoint that is no longer needed; its memory is reused, since the kernel would have to
  ///   clear new memory page by page.
  package func checkpoint(in spare: consuming Checkpoint?) -> Checkpoint {
    var copy = spare ?? checkpointWithoutNumbers
    copy.state = state
    model.copy(model.parameters.weights, into: &copy.weights)
    model.copy(model.parameters.firstMoments, into: &copy.firstMoments)
    model.copySecondMoments(into: &copy.secondMoments)
    return copy
  }
}

extension Transformer {
  /// Copies the second moments to where the weights lie in their block. Those that Muon has no use for are zero.
  fileprivate func copySecondMoments(into block: inout [Float]) {
    let layout = parameters.layout
    guard layout.secondMoments < layout.count else { return copy(parameters.secondMoments, into: &block) }
    if block.count != layout.count { block = [Float](repeating: 0, count: layout.count) }
    let source = parameters.secondMoments
    block.withUnsafeMutableBufferPointer { buffer in
      let destination = buffer.baseAddress!
      Team.split(layout.tensors.count, threads: threads) { _, range in
        for tensor in layout.tensors[range] {
          guard let place = tensor.secondMoment else { continue }
          (destination + tensor.offset).update(from: source + place, count: tensor.count)
        }
      }
    }
  }

  /// Copies one block of parameters on all threads.
  fileprivate func copy(_ base: UnsafeMutablePointer<Float>, into block: inout [Float]) {
    let count = parameters.layout.count
    if block.count == count {
      block.withUnsafeMutableBufferPointer { buffer in
        let destination = buffer.baseAddress!
        Team.split(count, threads: threads, grain: 1024) { _, range in
          (destination + range.lowerBound).update(from: base + range.lowerBound, count: range.count)
        }
      }
    } else {
      block = Array(unsafeUninitializedCapacity: count) { buffer, filled in
        let destination = buffer.baseAddress!
        Team.split(count, threads: threads, grain: 1024) { _, range in
          (destination + range.lowerBound).initialize(from: base + range.lowerBound, count: range.count)
        }
        filled = count
      }
    }
  }
}

extension Transformer {
  /// Takes the weights from a checkpoint, and the moments if the network has them.
  /// - Throws: `UserError` when a tensor is missing or has another shape.
  package func restore(_ checkpoint: Checkpoint) throws(UserError) {
    let stored = Dictionary(checkpoint.tensors.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
    for tensor in parameters.layout.tensors {
      guard let source = stored[tensor.path], source.shape == tensor.shape else {
        throw UserError(
          .data,
          "the checkpoint of step \(checkpoint.state.step) has "
            + (stored[tensor.path].map { "\(tensor.path) in shape \($0.shape)" } ?? "no \(tensor.path)")
            + ", but this recipe needs \(tensor.shape): resume with the recipe that the run was made with")
      }
      func copy(_ block: [Float], _ destination: UnsafeMutablePointer<Float>) {
        block.withUnsafeBufferPointer {
          destination.update(from: $0.baseAddress! + source.offset, count: tensor.count)
        }
      }
      copy(checkpoint.weights, parameters.weights + tensor.offset)
      if parameters.isTrained {
        copy(checkpoint.firstMoments, parameters.firstMoments + tensor.offset)
        if let place = tensor.secondMoment { copy(checkpoint.secondMoments, parameters.secondMoments + place) }
      }
    }
    parameters.roundOperands(threads: threads)
  }
}
