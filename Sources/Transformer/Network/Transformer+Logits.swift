// The logits of a head for single hidden states, for generation and guesses.
import Kernels

extension Transformer {
  /// The logits of a head on the trunk (not an MTP head beyond the first) for one hidden state.
  /// - Returns: [V].
  package func logits(head: Int, hidden: [Float]) -> [Float] {
    precondition(hidden.count == configuration.width, "a hidden state of the trunk is needed")
    return logits(head: head, hidden: hidden[...])
  }

  /// The logits of a head on the trunk for any number of hidden states, computed several at a time. Each has the bits of a pass
  /// alone.
  /// - Parameter hidden: [n, d].
  /// - Returns: [V] per hidden state.
  package func logits(head: Int, each hidden: [Float]) -> [[Float]] {
    let (V, piece) = (configuration.vocabulary, ReadingShape.mostAlone * configuration.width)
    var all: [[Float]] = []
    for first in Swift.stride(from: 0, to: hidden.count, by: piece) {
      let rows = logits(head: head, hidden: hidden[first..<min(first + piece, hidden.count)])
      if rows.count == V {
        all.append(rows)
      } else {
        for row in Swift.stride(from: 0, to: rows.count, by: V) { all.append(Array(rows[row..<row + V])) }
      }
    }
    return all
  }

  /// The logits of a head on the trunk for several hidden states. Each has the bits of a pass alone.
  /// - Parameter hidden: [n, d].
  /// - Returns: [n, V].
  package func logits(head: Int, hidden: ArraySlice<Float>) -> [Float] {
    let (V, d) = (configuration.vocabulary, configuration.width)
    let rows = hidden.count / d
    guard hidden.count == rows * d, let place = configuration.streams[0].firstIndex(of: head) else {
      preconditionFailure("hidden states of the trunk and one of its heads are needed")
    }
    let u = Matrix(
      parameters.view.operand(parameters.layout.unembedding + place * V * d), rows: V, columns: d, precision: precision)
    return [Float](unsafeUninitializedCapacity: rows * V) { logits, count in
      hidden.withUnsafeBufferPointer { hidden in
        guard rows > 0, let x = hidden.baseAddress, let z = logits.baseAddress else { return }
        MatrixVector.multiply(
          u, Matrix(UnsafeMutablePointer(mutating: x), rows: rows, columns: d), into: Matrix(z, rows: rows, columns: V),
          threads: threads)
      }
      count = rows * V
    }
  }
}
