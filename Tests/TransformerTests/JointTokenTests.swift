// JTP: what its heads know, and what they do not.
import Foundation
import Kernels
import Run
import Support
import Testing
import Transformer

@Suite struct JointTokenTests {
  private static let shape = NetworkCase(
    testDescription: "", objectives: NetworkCase.heads(1, top: false) + NetworkCase.joint(4), weights: [1, 1, 1, 1],
    rows: 1)

  /// The losses of all heads at one position, nats.
  private func losses(_ model: Transformer, _ rows: Rows, at position: Int) -> [Double] {
    let sums = rows.view { batch in
      model.forward(batch)
      return model.losses(batch)
    }
    #expect(sums.allSatisfy { $0.positions > position })
    return sums.indices.map { Double(model.positionLosses(head: $0)[position]) }
  }

  private func rows() -> Rows {
    var rows = Rows(Self.shape, seed: 4)
    // Tokens follow the last position too.
    for i in rows.tokens.indices { rows.tokens[i] = Int32((i * 7 + i / 3) % Self.shape.vocabulary) }
    return rows
  }

  @Test(arguments: [Precision.fp32, .bf16])
  func `before the first step every head predicts what NTP's head predicts`(precision: Precision) throws {
    try requireHere(precision)
    let model = try Transformer(NetworkPlan(Self.shape.configuration, rows: 1, precision: precision, threads: 2))
    model.parameters.initialize(seed: 1, deviation: 0.3, threads: 2)
    let rows = rows()
    rows.view { batch in
      model.forward(batch)
      _ = model.losses(batch)
      for position in 0..<Self.shape.context {
        let logits = model.logits(head: 0, hidden: model.hidden(row: 0, position: position)).map(Double.init)
        let sum = log(logits.reduce(0) { $0 + exp($1) })
        for head in 0..<4 {
          let expected = sum - logits[Int(rows.tokens[position + head + 1])]
          #expect(abs(Double(model.positionLosses(head: head)[position]) - expected) < 1e-4, "head \(head)")
        }
      }
    }
  }

  @Test func `a prediction knows the tokens before its own and none after`() throws {
    let model = try Transformer(NetworkPlan(Self.shape.configuration, rows: 1, precision: .fp32, threads: 2))
    model.shake(3)
    // Where the target alone varies, its probabilities over all tokens sum to 1 just if the prediction does not vary with it.
    for head in 1...3 {
      for position in [0, 3, 6] {
        var (own, next): ([Double], [Double]) = ([], [])
        for token in 0..<Self.shape.vocabulary {
          var rows = rows()
          rows.tokens[position + head + 1] = Int32(token)
          let all = losses(model, rows, at: position)
          own.append(exp(-all[head]))
          if head < 3 { next.append(all[head + 1]) }
          #expect(all[..<head] == losses(model, self.rows(), at: position)[..<head], "heads before \(head)")
        }
        #expect(abs(own.reduce(0, +) - 1) < 1e-5, "head \(head) at \(position): \(own)")
        if head < 3 { #expect(Set(next).count == Self.shape.vocabulary, "head \(head + 1) at \(position)") }
      }
    }
  }

  @Test func `heads without NTP, or with a gap between them, are refused`() {
    for objectives in [
      NetworkCase.joint(3), Array(NetworkCase.heads(1, top: false) + NetworkCase.joint(4).dropFirst()),
    ] {
      var c = Self.shape
      c.objectives = objectives
      #expect(throws: TransformerError.self) {
        _ = try Transformer(NetworkPlan(c.configuration, rows: 1, precision: .fp32, threads: 1))
      }
    }
  }

  @Test func `gradients are the same to the bit on any team that shares rows alike, and shards add up`() throws {
    var c = Self.shape
    c.rows = 3
    c.objectives = NetworkCase.heads(1, top: false) + NetworkCase.joint(4, learnsEmbeddings: true)
    let rows = Rows(c, seed: 7)
    let first = try c.gradients(on: rows, threads: 2)
    #expect(try c.gradients(on: rows, threads: 2) == first)
    for threads in [1, 3] {
      let other = try c.gradients(on: rows, threads: threads)
      for (path, gradient) in first { #expect(largestError(other[path]!, gradient.doubles) < 1e-5, "\(path)") }
    }
  }
}
