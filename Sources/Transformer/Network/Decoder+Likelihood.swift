// How likely given tokens are, one after the other: what tasks are scored by.
import Kernels

extension Decoder {
  /// Makes the tokens that are kept these ones; those that are at the beginning already are not read again.
  /// - Parameter wanted: at most T tokens.
  /// - Throws: `TransformerError` when memory is short or oneDNN refuses.
  package mutating func keep(_ wanted: ArraySlice<Int32>, by model: borrowing Transformer) throws {
    let common = zip(tokens, wanted).prefix { $0 == $1 }.count
    forget(last: count - common)
    try read(Array(wanted.dropFirst(common)), by: model)
  }

  /// Reads tokens that the context still holds, and says of another token after each how likely it was by the first head.
  /// - Parameter targets: one a token.
  /// - Returns: log-likelihoods, nats, and whether no other token was likelier (of equal ones the lowest token counts).
  /// - Throws: `TransformerError` when memory is short or oneDNN refuses.
  package mutating func logLikelihoods(
    reading new: [Int32], of targets: [Int32], by model: borrowing Transformer
  ) throws -> [(value: Float, isLikeliest: Bool)] {
    precondition(new.count == targets.count, "each of \(new.count) tokens has a target")
    return zip(try logits(reading: new, by: model), targets).map { logits, target in
      logits.withUnsafeBufferPointer {
        SparseCrossEntropy.logLikelihood(of: Int(target), $0.baseAddress!, count: $0.count)
      }
    }
  }
}
