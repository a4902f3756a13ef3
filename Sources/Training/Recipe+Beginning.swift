// The beginning of a run with imported weights: a checkpoint of step 0, to be filled with the weights.
import Foundation
import Kernels
import Run
import Transformer

extension Recipe {
  /// The checkpoint of a new run of this recipe at step 0: initial weights from the recipe's seed, and zero moments.
  /// - Throws: `UserError` when the recipe does not make a network, or memory is short.
  package func firstCheckpoint(tokenizer: TokenizerRecord, threads: Int) throws -> Checkpoint {
    do {
      let layout = try parameterLayout(vocabulary: tokenizer.vocabulary)
      let parameters = try Parameters(layout, precision: .fp32, isTrained: false)
      parameters.initialize(seed: seed, deviation: model.deviation, residualScale: residualScale, threads: threads)
      let zeros = [Float](repeating: 0, count: layout.count)
      return Checkpoint(
        state: TrainerState(seed: seed, threads: threads), recipe: self, tokenizer: tokenizer,
        tensors: layout.tensors.map { Checkpoint.Tensor(path: $0.path, shape: $0.shape, offset: $0.offset) },
        weights: Array(UnsafeBufferPointer(start: parameters.weights, count: layout.count)), firstMoments: zeros,
        secondMoments: zeros,
        drawing: data.drawn.isOn ? Array(UnsafeBufferPointer(start: parameters.weights, count: layout.count)) : [])
    } catch let error as TransformerError {
      throw UserError(error)
    }
  }

  /// The tensors of this recipe's network.
  /// - Throws: `UserError` when the recipe does not make a network.
  package func tensors(vocabulary: Int) throws -> [Checkpoint.Tensor] {
    do {
      return try parameterLayout(vocabulary: vocabulary).tensors.map {
        Checkpoint.Tensor(path: $0.path, shape: $0.shape, offset: $0.offset)
      }
    } catch let error as TransformerError {
      throw UserError(error)
    }
  }

  private func parameterLayout(vocabulary: Int) throws -> ParameterLayout {
    let configuration = configuration(vocabulary: vocabulary)
    try configuration.check()
    return ParameterLayout(configuration.shape)
  }
}

extension Checkpoint {
  /// The first event of a run that starts from these weights, before it has a text.
  /// - Parameters:
  ///   - name: of the run.
  ///   - source: the origin of the weights, in words.
  /// - Throws: `UserError` if this CPU does not have the recipe's precision.
  package func beginning(name: String, source: String) throws -> Beginning {
    Beginning(
      name: name, recipe: recipe, step: state.step, tokens: state.tokens, time: Date().timeIntervalSince1970,
      parameters: tensors.reduce(0) { $0 + $1.count }, threads: state.threads,
      precision: try recipe.operandPrecision().name, corpus: source, vocabulary: tokenizer.vocabulary,
      trainingTokens: 0, heldOutTokens: 0, unigramEntropy: 0)
  }
}
