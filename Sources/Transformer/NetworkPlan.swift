// A network before it exists: its parameters, its memory and its arithmetic, from the shape alone. The network is allocated
// by the same plan, so that what is said beforehand is what is taken.
import Kernels

/// What memory is for.
package enum MemoryPart: String, CaseIterable, Sendable {
  /// fp32 weights, their gradients and AdamW's two moments.
  case weights, gradients, moments
  /// The weights in bf16, as operands of products.
  case operands
  /// What forward leaves for backward, by far the most where batches are large.
  case activations
  /// What a pass needs only while it runs.
  case working
  /// Scores of attention, a tile a thread.
  case attention
  /// Logits of a chunk of positions.
  case logits
  case targets
}

/// What a network will take.
package struct NetworkPlan: Sendable {
  package let configuration: Configuration
  /// Rows of a micro-batch.
  package let rows: Int
  package let precision: Precision
  package let threads: Int
  package let isTrained: Bool
  package let parameters: ParameterPlan
  let activations: ActivationPlan

  /// - Parameter chunk: positions whose logits exist at a time; nil chooses.
  /// - Throws: `TransformerError.shape` when the shape does not work out.
  package init(
    _ configuration: Configuration, rows: Int, precision: Precision, threads: Int, chunk: Int? = nil,
    isTrained: Bool = true
  ) throws {
    try configuration.check()
    guard rows >= 1, threads >= 1 else {
      throw TransformerError.shape("a batch needs at least one row and one thread, not \(rows) and \(threads)")
    }
    let parameters = ParameterPlan(configuration)
    func logitsSize(_ heads: Int) -> Int {
      PredictionHeads.Chunks(
        of: rows * configuration.context, chunk: chunk, heads: heads, vocabulary: configuration.vocabulary
      ).bytes
    }
    self.configuration = configuration
    self.rows = rows
    self.precision = precision
    self.threads = threads
    self.isTrained = isTrained
    self.parameters = parameters
    activations = ActivationPlan(
      configuration, rows: rows, precision: precision, isTrained: isTrained,
      attentionScratch: Attention.scratchSize(configuration, precision: precision, threads: threads),
      logitsSize: max(logitsSize(configuration.streams[0].count), logitsSize(1)), parameterCount: parameters.count,
      threads: threads)
  }

  /// Bytes by what they are for, in the order of `MemoryPart`; parts that are empty are left out.
  package var memory: [(part: MemoryPart, bytes: Int)] {
    let all = Parameters.memory(parameters, precision: precision, isTrained: isTrained)
      .merging(activations.memory, uniquingKeysWith: +)
    return MemoryPart.allCases.compactMap { part in all[part].map { (part, $0) } }.filter { $0.bytes > 0 }
  }

  /// Bytes in all.
  package var bytes: Int { memory.reduce(0) { $0 + $1.bytes } }
}
