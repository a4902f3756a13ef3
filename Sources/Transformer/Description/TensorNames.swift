// What tensors are called: Hugging Face's names of each kind of network, with `/` for `.`. Run files keep them for good.

struct TensorNames {
  let embedding: String
  /// Only where positions are learned.
  let positions: String
  let layers: String
  let finalNorm: String
  let block: Block

  /// Below a layer; several names are tensors below each other in one matrix.
  struct Block {
    let inputNorm: String
    let attentionIn: [String]
    let attentionOut: String
    let mlpNorm: String
    let mlpIn: [String]
    let mlpOut: String
  }

  init(_ kind: Configuration.Kind) {
    switch kind {
    case .llama:
      embedding = "model/embed_tokens"
      positions = ""
      layers = "model/layers"
      finalNorm = "model/norm"
      block = Block(
        inputNorm: "input_layernorm", attentionIn: ["self_attn/q_proj", "self_attn/k_proj", "self_attn/v_proj"],
        attentionOut: "self_attn/o_proj", mlpNorm: "post_attention_layernorm",
        mlpIn: ["mlp/gate_proj", "mlp/up_proj"], mlpOut: "mlp/down_proj")
    case .gpt2:
      embedding = "transformer/wte"
      positions = "transformer/wpe"
      layers = "transformer/h"
      finalNorm = "transformer/ln_f"
      block = Block(
        inputNorm: "ln_1", attentionIn: ["attn/c_attn"], attentionOut: "attn/c_proj", mlpNorm: "ln_2",
        mlpIn: ["mlp/c_fc"], mlpOut: "mlp/c_proj")
    }
  }
}
