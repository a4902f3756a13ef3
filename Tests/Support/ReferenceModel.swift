// The whole network once more in Double, from its tensors by name: the twin that whole-model gradients are checked against.

/// A network's shape and tensors, as the reference reads them.
package struct ReferenceModel {
  package var heads: Int
  package var keyValueHeads: Int
  package var blocks: Int
  package var theta: Double
  package var width: Int
  package var inner: Int
  /// Width of a head where it is not width / heads.
  package var ownHeadWidth: Int?
  /// Whether it is built as GPT-2 is, and not as Llama.
  package var isGPT2 = false
  package var hasHeadNorms = false
  /// Beside the MLPs of the blocks with these numbers; nil: of all.
  package var memory: (layer: ReferenceMemory, blocks: [Int]?)?
  /// What an element is multiplied with where elements are dropped; nil drops none.
  package var mask: ((_ place: DropoutPlace, _ row: Int, _ column: Int) -> Double)?

  /// A matrix that elements are dropped from, of one row of tokens: its rows are positions.
  package enum DropoutPlace: Hashable {
    /// Of the tokens themselves, or those that the k-th sequential head takes in.
    case embeddings(depth: Int)
    /// Of a block: rows are positions, one head after the other.
    case weights(block: Int)
    case attention(block: Int)
    case mlp(block: Int)
  }

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

  /// The document of each position of the row that is read; nil where it is one.
  package var documents: [Int32]?

  /// How far a position is from its document's beginning in the row.
  private func place(_ t: Int) -> Int {
    guard let documents else { return t }
    var first = t
    while first > 0 && documents[first] == documents[first - 1] { first -= 1 }
    return t - first
  }

  private var headWidth: Int { ownHeadWidth ?? width / heads }
  private var trunk: String { isGPT2 ? "transformer/h" : "model/layers" }

  /// The residual stream of one row after some of the blocks: [T, d].
  private func stream(_ tokens: [Int32], blocks: Int) -> [Double] {
    (0..<blocks).reduce(dropped(embedded(tokens, hasPositions: true), .embeddings(depth: 0))) {
      block($0, "\(trunk)/\($1)", number: $1)
    }
  }

  private func embedded(_ tokens: [Int32], hasPositions: Bool = false) -> [Double] {
    let embedding = Reference.rows(tensors[isGPT2 ? "transformer/wte/weight" : "model/embed_tokens/weight"]!, width)
    let x = tokens.flatMap { embedding[max(0, Int($0))] }
    guard isGPT2 && hasPositions else { return x }
    let positions = Reference.rows(tensors["transformer/wpe/weight"]!, width)
    return zip(x, tokens.indices.flatMap { positions[place($0)] }).map(+)
  }

  private func dropped(_ x: [Double], _ place: DropoutPlace) -> [Double] {
    guard let mask else { return x }
    return x.enumerated().map { $1 * mask(place, $0 / width, $0 % width) }
  }

  private func norm(_ x: [Double], _ name: String) -> [Double] {
    let w = tensors["\(name)/weight"]!
    return isGPT2 ? Reference.layerNorm(x, w, tensors["\(name)/bias"]!) : Reference.rmsNorm(x, w)
  }

  private func linear(_ x: [Double], _ name: String, _ k: Int) -> [Double] {
    let y = Reference.product(x, tensors["\(name)/weight"]!, k)
    guard isGPT2 else { return y }
    let bias = tensors["\(name)/bias"]!
    return y.enumerated().map { $1 + bias[$0 % bias.count] }
  }

  private func block(_ x: [Double], _ layer: String, number: Int) -> [Double] {
    let a = norm(x, "\(layer)/\(isGPT2 ? "ln_1" : "input_layernorm")")
    var (q, k, v): ([Double], [Double], [Double])
    if isGPT2 {
      let keys = keyValueHeads * headWidth
      let joint = Reference.rows(linear(a, "\(layer)/attn/c_attn", width), width + 2 * keys)
      q = joint.flatMap { $0[..<width] }
      k = joint.flatMap { $0[width..<width + keys] }
      v = joint.flatMap { $0[(width + keys)...] }
    } else {
      (q, k, v) = (
        linear(a, "\(layer)/self_attn/q_proj", width), linear(a, "\(layer)/self_attn/k_proj", width),
        linear(a, "\(layer)/self_attn/v_proj", width)
      )
      if hasHeadNorms {
        q = Reference.rmsNorm(q, tensors["\(layer)/self_attn/q_norm/weight"]!)
        k = Reference.rmsNorm(k, tensors["\(layer)/self_attn/k_norm/weight"]!)
      }
      (q, k) = (turned(q, heads), turned(k, keyValueHeads))
    }
    let o = Reference.attention(
      q, k, v, heads: heads, groups: keyValueHeads, headWidth: headWidth, documents: documents
    ) { head, t, s in
      mask?(.weights(block: number), head * (x.count / width) + t, s) ?? 1
    }
    let attended = linear(o, "\(layer)/\(isGPT2 ? "attn/c_proj" : "self_attn/o_proj")", heads * headWidth)
    let x1 = zip(x, dropped(attended, .attention(block: number))).map(+)
    return zip(x1, dropped(remembered(mlp(x1, layer), x1, layer, number), .mlp(block: number))).map(+)
  }

  /// With what a memory layer adds to the MLP's output.
  private func remembered(_ output: [Double], _ x: [Double], _ layer: String, _ number: Int) -> [Double] {
    guard let memory, memory.blocks?.contains(number) ?? true else { return output }
    let normed = norm(x, "\(layer)/\(isGPT2 ? "ln_2" : "post_attention_layernorm")")
    return zip(output, memory.layer.output(normed, width: width) { tensors["\(layer)/memory/\($0)/weight"]! }).map(+)
  }

  private func mlp(_ x: [Double], _ layer: String) -> [Double] {
    if isGPT2 {
      let b = norm(x, "\(layer)/ln_2")
      return linear(Reference.gelu(linear(b, "\(layer)/mlp/c_fc", width)), "\(layer)/mlp/c_proj", inner)
    }
    let b = norm(x, "\(layer)/post_attention_layernorm")
    let gate = Reference.rows(linear(b, "\(layer)/mlp/gate_proj", width), inner)
    let up = Reference.rows(linear(b, "\(layer)/mlp/up_proj", width), inner)
    return linear(Reference.swiGLU(zip(gate, up).flatMap { $0 + $1 }, inner), "\(layer)/mlp/down_proj", inner)
  }

  /// How MTP heads are built.
  package enum HeadArrangement { case parallel, sequential }

  /// The normed hidden states of a row's first `context` tokens, [T, d] each: what unembeddings take. The first are the
  /// trunk's own, the k-th after them those of the k-th MTP head.
  /// - Parameter row: the tokens, with what follows them.
  package func hidden(_ row: [Int32], context: Int, depths: Int, multiToken: HeadArrangement?) -> [[Double]] {
    let tokens = Array(row[..<context])
    let shared = stream(tokens, blocks: multiToken == .parallel ? blocks - 1 : blocks)
    func trunk(_ number: Int) -> [Double] { block(shared, "\(self.trunk)/\(number)", number: number) }
    var streams = [multiToken == .parallel ? trunk(blocks - 1) : shared]
    for depth in 1..<max(1, depths) {
      let (layer, number) = ("mtp/heads/\(depth - 1)", blocks + depth - 1)
      switch multiToken {
      case .parallel: streams.append(block(shared, layer, number: number))
      case .sequential:
        let h = Reference.rows(norm(streams[depth - 1], "\(layer)/hnorm"), width)
        let next = dropped(embedded(Array(row[depth..<context + depth])), .embeddings(depth: depth))
        let e = Reference.rows(norm(next, "\(layer)/enorm"), width)
        streams.append(
          block(linear(zip(h, e).flatMap { $0 + $1 }, "\(layer)/eh_proj", 2 * width), layer, number: number))
      case nil: break
      }
    }
    return streams.map { norm($0, isGPT2 ? "transformer/ln_f" : "model/norm") }
  }

  /// The logits at every position: [T][V].
  /// - Parameter name: `lm_head` or `top_head`.
  package func logits(_ hidden: [Double], unembedding name: String) -> [[Double]] {
    let unembedding =
      tensors["\(name)/weight"] ?? tensors[isGPT2 ? "transformer/wte/weight" : "model/embed_tokens/weight"]!
    return Reference.rows(Reference.product(hidden, unembedding, width), unembedding.count / width)
  }

  private func turned(_ x: [Double], _ heads: Int) -> [Double] {
    Reference.rows(x, headWidth).enumerated().flatMap { index, vector in
      Reference.rotary(vector, position: place(index / heads), theta: theta)
    }
  }
}
