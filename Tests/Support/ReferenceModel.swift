// The whole network once more in Double, from its tensors by name: the twin that whole-model gradients are checked against.

/// A network's shape and tensors, as the reference reads them.
package struct ReferenceModel {
  package var heads: Int
  package var keyValueHeads: Int
  package var blocks: Int
  package var theta: Double
  package var width: Int
  package var inner: Int
  /// By path; matrices row-major [out, in].
  package var tensors: [String: [Double]]

  package init(
    heads: Int, keyValueHeads: Int, blocks: Int, theta: Double, width: Int, inner: Int, tensors: [String: [Double]]
  ) {
    self.heads = heads
    self.keyValueHeads = keyValueHeads
    self.blocks = blocks
    self.theta = theta
    self.width = width
    self.inner = inner
    self.tensors = tensors
  }

  private var headWidth: Int { width / heads }

  /// The residual stream of one row after some of the blocks: [T, d].
  private func stream(_ tokens: [Int32], blocks: Int) -> [Double] {
    (0..<blocks).reduce(embedded(tokens)) { block($0, "model/layers/\($1)") }
  }

  private func embedded(_ tokens: [Int32]) -> [Double] {
    let embedding = Reference.rows(tensors["model/embed_tokens/weight"]!, width)
    return tokens.flatMap { embedding[max(0, Int($0))] }
  }

  private func block(_ x: [Double], _ layer: String) -> [Double] {
    func weight(_ name: String) -> [Double] { tensors["\(layer)/\(name)/weight"]! }
    let a = Reference.rmsNorm(x, weight("input_layernorm"))
    let q = turned(Reference.product(a, weight("self_attn/q_proj"), width), heads)
    let k = turned(Reference.product(a, weight("self_attn/k_proj"), width), keyValueHeads)
    let v = Reference.product(a, weight("self_attn/v_proj"), width)
    let o = Reference.attention(q, k, v, heads: heads, groups: keyValueHeads, headWidth: headWidth)
    let x1 = zip(x, Reference.product(o, weight("self_attn/o_proj"), heads * headWidth)).map(+)
    let b = Reference.rmsNorm(x1, weight("post_attention_layernorm"))
    let gate = Reference.rows(Reference.product(b, weight("mlp/gate_proj"), width), inner)
    let up = Reference.rows(Reference.product(b, weight("mlp/up_proj"), width), inner)
    let s = Reference.swiGLU(zip(gate, up).flatMap { $0 + $1 }, inner)
    return zip(x1, Reference.product(s, weight("mlp/down_proj"), inner)).map(+)
  }

  /// How MTP heads are built.
  package enum MultiToken { case parallel, sequential }

  /// The logits at every position of a row's first `context` tokens: [T][V].
  /// - Parameters:
  ///   - row: the tokens, with what follows them.
  ///   - unembedding: `lm_head` or `top_head`.
  ///   - depth: 0 for the trunk's own hidden states, k for the k-th MTP head.
  package func logits(
    _ row: [Int32], context: Int, unembedding name: String, depth: Int = 0, multiToken: MultiToken? = nil
  ) -> [[Double]] {
    let tokens = Array(row[..<context])
    var x: [Double]
    switch (depth, multiToken) {
    case (1..., .parallel): x = block(stream(tokens, blocks: blocks - 1), "mtp/heads/\(depth - 1)")
    case (1..., .sequential):
      x = stream(tokens, blocks: blocks)
      for k in 1...depth {
        let layer = "mtp/heads/\(k - 1)"
        let h = Reference.rows(Reference.rmsNorm(x, tensors["\(layer)/hnorm/weight"]!), width)
        let next = embedded(Array(row[k..<context + k]))
        let e = Reference.rows(Reference.rmsNorm(next, tensors["\(layer)/enorm/weight"]!), width)
        x = block(
          Reference.product(zip(h, e).flatMap { $0 + $1 }, tensors["\(layer)/eh_proj/weight"]!, 2 * width), layer)
      }
    default: x = stream(tokens, blocks: blocks)
    }
    let unembedding = tensors["\(name)/weight"] ?? tensors["model/embed_tokens/weight"]!
    let hidden = Reference.rmsNorm(x, tensors["model/norm/weight"]!)
    return Reference.rows(Reference.product(hidden, unembedding, width), unembedding.count / width)
  }

  private func turned(_ x: [Double], _ heads: Int) -> [Double] {
    Reference.rows(x, headWidth).enumerated().flatMap { index, vector in
      Reference.rotary(vector, position: index / heads, theta: theta)
    }
  }
}
