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

  /// The final hidden states of one row: [T, d].
  package func hidden(_ tokens: [Int32]) -> [Double] {
    let embedding = Reference.rows(tensors["model/embed_tokens/weight"]!, width)
    var x = tokens.flatMap { embedding[Int($0)] }
    for block in 0..<blocks {
      func weight(_ name: String) -> [Double] { tensors["model/layers/\(block)/\(name)/weight"]! }
      let a = Reference.rmsNorm(x, weight("input_layernorm"))
      let q = turned(Reference.product(a, weight("self_attn/q_proj"), width), heads)
      let k = turned(Reference.product(a, weight("self_attn/k_proj"), width), keyValueHeads)
      let v = Reference.product(a, weight("self_attn/v_proj"), width)
      let o = Reference.attention(q, k, v, heads: heads, groups: keyValueHeads, headWidth: headWidth)
      x = zip(x, Reference.product(o, weight("self_attn/o_proj"), heads * headWidth)).map(+)
      let b = Reference.rmsNorm(x, weight("post_attention_layernorm"))
      let gate = Reference.rows(Reference.product(b, weight("mlp/gate_proj"), width), inner)
      let up = Reference.rows(Reference.product(b, weight("mlp/up_proj"), width), inner)
      let s = Reference.swiGLU(zip(gate, up).flatMap { $0 + $1 }, inner)
      x = zip(x, Reference.product(s, weight("mlp/down_proj"), inner)).map(+)
    }
    return Reference.rmsNorm(x, tensors["model/norm/weight"]!)
  }

  /// The logits of one head at every position of a row: [T][V].
  package func logits(_ tokens: [Int32], head: String) -> [[Double]] {
    let unembedding = tensors["\(head)/weight"] ?? tensors["model/embed_tokens/weight"]!
    let vocabulary = unembedding.count / width
    return Reference.rows(Reference.product(hidden(tokens), unembedding, width), vocabulary)
  }

  private func turned(_ x: [Double], _ heads: Int) -> [Double] {
    Reference.rows(x, headWidth).enumerated().flatMap { index, vector in
      Reference.rotary(vector, position: index / heads, theta: theta)
    }
  }
}
