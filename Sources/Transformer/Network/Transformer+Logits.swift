// The logits of a head for hidden states that are read one by one: what generation and guesses need.
import Kernels

extension Transformer {
  /// The logits of one head on the trunk, which MTP heads beyond the first are not, for one hidden state.
  /// - Returns: [V].
  package func logits(head: Int, hidden: [Float]) -> [Float] {
    precondition(hidden.count == configuration.width, "a hidden state of the trunk is needed")
    return logits(head: head, hidden: hidden[...])
  }

  /// The logits of one head on the trunk for any number of hidden states, as many at a time as go through together. Each has the
  /// bits that it has alone.
  /// - Parameter hidden: [n, d].
  /// - Returns: [V] a hidden state.
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

  /// The logits of one head on the trunk for several hidden states. Each has the bits that it has alone.
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
