// A checkpoint as Hugging Face's transformers reads it: `LlamaForCausalLM` with its tokenizer.
import Run

/// The files of a model folder.
package struct HuggingFace: Sendable {
  /// A file's name and content.
  package struct TextFile: Sendable {
    package let name: String
    package let bytes: [UInt8]
  }

  /// Tensors of `model.safetensors`.
  package let tensors: [Checkpoint.Tensor]
  /// All other files.
  package let files: [TextFile]

  /// - Parameters:
  ///   - epsilon: of every RMSNorm.
  ///   - addsSpaceBefore: whether the tokenizer puts a space before every text.
  ///   - withHeads: whether what Llama does not have, such as the TOP head, is kept as tensors of other names.
  /// - Throws: `UserError` when the network has no NTP head, without which there is no causal language model.
  package init(_ checkpoint: Checkpoint, inner: Int, epsilon: Float, addsSpaceBefore: Bool, withHeads: Bool) throws {
    let recipe = checkpoint.recipe
    guard recipe.objective.ntp > 0 else {
      throw UserError(
        .usage,
        "this network was trained without NTP (objective.ntp is 0): it has no head to predict the next token with; --to safetensors takes it as it is"
      )
    }
    tensors = checkpoint.tensors.filter { withHeads || $0.path.hasPrefix("model/") || $0.path.hasPrefix("lm_head/") }
    let config = Self.config(
      recipe, vocabulary: checkpoint.tokenizer.vocabulary, blocks: Self.blocks(of: checkpoint), inner: inner,
      epsilon: epsilon)
    let generation = JSON.object([
      JSON.Member("_from_model_config", .flag(true)), JSON.Member("do_sample", .flag(true)),
    ])
    files =
      Self.tokenizerFiles(checkpoint.tokenizer, context: recipe.model.context, addsSpaceBefore: addsSpaceBefore) + [
        TextFile(name: "generation_config.json", bytes: generation.file),
        TextFile(name: "config.json", bytes: config.file),
      ]
  }

  /// Blocks on the way to the NTP head: those that there are, whatever heads have blocks of their own.
  private static func blocks(of checkpoint: Checkpoint) -> Int {
    checkpoint.tensors.count { $0.path.hasPrefix("model/layers/") && $0.path.hasSuffix("/input_layernorm/weight") }
  }

  private static func config(
    _ recipe: Recipe, vocabulary: Int, blocks: Int, inner: Int, epsilon: Float
  ) -> JSON {
    let model = recipe.model
    return .object([
      JSON.Member("architectures", .array([.text("LlamaForCausalLM")])), JSON.Member("model_type", .text("llama")),
      JSON.Member("vocab_size", .integer(vocabulary)), JSON.Member("hidden_size", .integer(model.width)),
      JSON.Member("intermediate_size", .integer(inner)), JSON.Member("num_hidden_layers", .integer(blocks)),
      JSON.Member("num_attention_heads", .integer(model.heads)),
      JSON.Member("num_key_value_heads", .integer(model.keyValueHeads)),
      JSON.Member("head_dim", .integer(model.width / model.heads)), JSON.Member("hidden_act", .text("silu")),
      JSON.Member("max_position_embeddings", .integer(model.context)),
      JSON.Member("rms_norm_eps", .float(epsilon)), JSON.Member("rope_theta", .double(model.ropeTheta)),
      // Where transformers 5 looks for it.
      JSON.Member(
        "rope_parameters",
        .object([JSON.Member("rope_type", .text("default")), JSON.Member("rope_theta", .double(model.ropeTheta))])),
      JSON.Member("tie_word_embeddings", .flag(model.tied)), JSON.Member("attention_bias", .flag(false)),
      JSON.Member("mlp_bias", .flag(false)), JSON.Member("attention_dropout", .double(0)),
      JSON.Member("initializer_range", .double(model.deviation)), JSON.Member("use_cache", .flag(true)),
      // The network never saw such tokens; Llama's own numbers are taken where nothing is said.
      JSON.Member("bos_token_id", .null), JSON.Member("eos_token_id", .null), JSON.Member("pad_token_id", .null),
      JSON.Member("torch_dtype", .text("float32")), JSON.Member("dtype", .text("float32")),
    ])
  }
}

extension JSON {
  /// As the content of a file.
  var file: [UInt8] { Array((line + "\n").utf8) }
}
