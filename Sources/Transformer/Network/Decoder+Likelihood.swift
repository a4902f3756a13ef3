// Log-likelihoods of given tokens, by which tasks are scored.
import Kernels

extension Decoder {
  /// Makes the first text equal to `wanted`; a common beginning is not read again.
  /// - Parameter wanted: at most T tokens.
  /// - Throws: `TransformerError` when memory is short or oneDNN refuses.
  package mutating func keep(_ wanted: ArraySlice<Int32>, by model: Transformer) throws {
    let common = zip(tokens, wanted).prefix { $0 == $1 }.count
    forget(last: count - common)
    try read(Array(wanted.dropFirst(common)), by: model)
  }

  /// Reads tokens, for which the context must have room, and computes the first head's log-likelihood of a target after each.
  /// - Parameter targets: one per token.
  /// - Returns: the log-likelihoods in nats, and true for each target that is the likeliest token (of equal ones the lowest).
  /// - Throws: `TransformerError` when memory is short or oneDNN refuses.
  package mutating func logLikelihoods(
    reading new: [Int32], of targets: [Int32], by model: Transformer
  ) throws -> [(value: Float, isLikeliest: Bool)] {
    precondition(new.count == targets.count, "each of \(new.count) tokens has a target")
    return zip(try logits(reading: new, by: model), targets).map { logits, target in
      logits.withUnsafeBufferPointer {
        SparseCrossEntropy.logLikelihood(of: Int(target), $0.baseAddress!, count: $0.count)
      }
    }
  }
}
