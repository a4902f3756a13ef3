// The kinds of networks, a row each: what they are built of, and what their tensors are called. Everything that differs
// between kinds is read from here.

/// How a network is built.
package enum NetworkKind: String, Codable, Sendable, CaseIterable {
  /// RMSNorm, rotary positions, SwiGLU, no biases (Touvron et al. 2023).
  case llama
  /// LayerNorm, learned absolute positions, GELU, biases on all linear layers but unembeddings (Radford et al. 2019).
  case gpt2

  package var style: NetworkStyle {
    switch self {
    case .llama: .llama
    case .gpt2: .gpt2
    }
  }
}

/// What a kind of network is built of.
package struct NetworkStyle: Sendable {
  /// Whether linear layers, unembeddings aside, have biases, and norms too: LayerNorm then, else RMSNorm.
  package let hasBiases: Bool
  /// Whether positions are a learned table; else queries and keys are turned (rotary positions).
  package let learnsPositions: Bool
  /// Whether the MLP multiplies a gate and a value (SwiGLU); else it has one input (GELU).
  package let isGated: Bool
  /// ε of every norm, where a recipe leaves it at 0.
  package let usualEpsilon: Double
  package let names: TensorNames

  static let llama = NetworkStyle(
    hasBiases: false, learnsPositions: false, isGated: true, usualEpsilon: 1e-6,
    names: TensorNames(
      embedding: "model/embed_tokens", positions: "", layers: "model/layers", finalNorm: "model/norm",
      attentionNorm: "input_layernorm", attentionIn: ["self_attn/q_proj", "self_attn/k_proj", "self_attn/v_proj"],
      queryNorm: "self_attn/q_norm", keyNorm: "self_attn/k_norm", attentionOut: "self_attn/o_proj",
      feedForwardNorm: "post_attention_layernorm", feedForwardIn: ["mlp/gate_proj", "mlp/up_proj"],
      feedForwardOut: "mlp/down_proj"))

  static let gpt2 = NetworkStyle(
    hasBiases: true, learnsPositions: true, isGated: false, usualEpsilon: 1e-5,
    names: TensorNames(
      embedding: "transformer/wte", positions: "transformer/wpe", layers: "transformer/h",
      finalNorm: "transformer/ln_f", attentionNorm: "ln_1", attentionIn: ["attn/c_attn"], queryNorm: "attn/q_norm",
      keyNorm: "attn/k_norm", attentionOut: "attn/c_proj", feedForwardNorm: "ln_2", feedForwardIn: ["mlp/c_fc"],
      feedForwardOut: "mlp/c_proj"))
}

/// What tensors are called: Hugging Face's names, with `/` for `.`. Run files keep them for good. Several names are tensors
/// below each other in one matrix.
package struct TensorNames: Sendable {
  package let embedding: String
  /// Only where positions are learned.
  package let positions: String
  package let layers: String
  package let finalNorm: String
  // Below a layer.
  package let attentionNorm: String
  package let attentionIn: [String]
  package let queryNorm: String
  package let keyNorm: String
  package let attentionOut: String
  package let feedForwardNorm: String
  package let feedForwardIn: [String]
  package let feedForwardOut: String
}
