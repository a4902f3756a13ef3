// What JTP's heads read, once more in Double.
import Foundation

extension ReferenceModel {
  /// The states that one of JTP's slots is predicted from, at every position: [T, d].
  /// - Parameters:
  ///   - hidden: [T, d], the trunk's.
  ///   - row: the tokens, with what follows them; a missing one is read as token 0.
  ///   - slots: D.
  ///   - slot: 1 … D.
  ///   - table: whose embeddings are read.
  package func fetched(
    _ hidden: [Double], _ row: [Int32], slots: Int, slot: Int, gamma: Double, table: ReferenceModel
  ) -> [Double] {
    let embedding = Reference.rows(
      table.tensors[isGPT2 ? "transformer/wte/weight" : "model/embed_tokens/weight"]!, width)
    func projected(_ x: [Double], _ name: String) -> [Double] {
      Reference.product(x, tensors["jtp/\(name)/weight"]!, width)
    }
    return Reference.rows(hidden, width).enumerated().flatMap { t, h in
      let v = (0...slot).map { j in zip(h, embedding[max(0, Int(row[t + j]))]).map { gamma * $0 + $1 } }
      let query = projected(v[slot], "q_proj")
      let scores = v.map { v in
        zip(query, projected(v, "k_proj")).reduce(0) { $0 + $1.0 * $1.1 } / Double(width).squareRoot()
      }
      let most = scores.max()!
      let exponentials = scores.map { exp($0 - most) }
      let total = exponentials.reduce(0, +)
      var sum = [Double](repeating: 0, count: width)
      for (j, v) in v.enumerated() {
        for (i, x) in projected(v, "v_proj").enumerated() { sum[i] += exponentials[j] / total * x }
      }
      return zip(h, projected(sum, "o_proj")).map(+)
    }
  }
}
