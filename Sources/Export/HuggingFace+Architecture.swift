// The class of a network in transformers, the names of its tensors there, and its config.json.
import Run

extension HuggingFace {
  /// A class of transformers.
  enum Architecture {
    case llama
    /// Llama with norms of queries and keys.
    case qwen3
    case gpt2

    /// - Throws: `UserError` for a network that no class of transformers computes.
    init(_ model: Recipe.ModelSettings) throws {
      guard model.memory.keys == 0 else {
        throw UserError(
          .usage,
          "this network has memory layers (model.memory.keys \(model.memory.keys)), which neither transformers nor llama.cpp "
            + "computes: use --to safetensors, which exports any network")
      }
      switch model.kind {
      case .llama: self = model.qkNorm ? .qwen3 : .llama
      case .gpt2:
        guard model.keyValueHeads == model.heads else {
          throw UserError(
            .usage,
            "GPT2LMHeadModel has keys and values for each head, but this network has \(model.keyValueHeads) "
              + "(model.keyValueHeads) for \(model.heads) heads: use --to safetensors, which exports any network"
          )
        }
        self = .gpt2
      }
    }

    /// The prefix of the trunk's tensors.
    var trunk: String { self == .gpt2 ? "transformer/" : "model/" }

    /// The end of the name of every block's first tensor.
    var firstOfBlock: String { self == .gpt2 ? "/ln_1/weight" : "/input_layernorm/weight" }
    var blocks: String { self == .gpt2 ? "transformer/h/" : "model/layers/" }

    /// True if transformers stores a matrix as [in, out] (its Conv1D), as it does all linear layers of GPT-2.
    func isTurned(_ tensor: Checkpoint.Tensor) -> Bool {
      self == .gpt2 && tensor.path.hasPrefix(blocks) && tensor.shape.count == 2
    }
  }

  /// A checkpoint with its tensors in the layout of transformers.
  static func turned(_ checkpoint: Checkpoint, for architecture: Architecture) -> Checkpoint {
    var turned = checkpoint
    for (index, tensor) in checkpoint.tensors.enumerated() where architecture.isTurned(tensor) {
      let (rows, columns) = (tensor.shape[0], tensor.shape[1])
      turned.weights.withUnsafeMutableBufferPointer { weights in
        transpose(
          UnsafeMutableBufferPointer(rebasing: weights[tensor.offset..<tensor.offset + tensor.count]), rows: rows,
          columns: columns)
      }
      turned.tensors[index].shape = [columns, rows]
    }
    return turned
  }

  /// Transposes a matrix [rows, columns] in place.
  static func transpose(_ numbers: UnsafeMutableBufferPointer<Float>, rows: Int, columns: Int) {
    let before = Array(numbers)
    for row in 0..<rows {
      for column in 0..<columns { numbers[column * rows + row] = before[row * columns + column] }
    }
  }

  static func config(
    _ architecture: Architecture, _ recipe: Recipe, vocabulary: Int, blocks: Int, inner: Int, epsilon: Float
  ) -> JSON {
    let model = recipe.model
    let own =
      architecture == .gpt2
      ? gpt2(model, blocks: blocks, inner: inner, epsilon: epsilon)
      : llama(architecture, model, blocks: blocks, inner: inner, epsilon: epsilon)
    return .object(
      own + [
        JSON.Member("vocab_size", .integer(vocabulary)), JSON.Member("tie_word_embeddings", .flag(model.tied)),
        JSON.Member("initializer_range", .double(model.deviation)), JSON.Member("use_cache", .flag(true)),
        // The network has no such tokens; without a value, the class would use its defaults.
        JSON.Member("bos_token_id", .null), JSON.Member("eos_token_id", .null), JSON.Member("pad_token_id", .null),
        JSON.Member("torch_dtype", .text("float32")), JSON.Member("dtype", .text("float32")),
      ])
  }

  private static func llama(
    _ architecture: Architecture, _ model: Recipe.ModelSettings, blocks: Int, inner: Int, epsilon: Float
  ) -> [JSON.Member] {
    let isLlama = architecture == .llama
    return [
      JSON.Member("architectures", .array([.text(isLlama ? "LlamaForCausalLM" : "Qwen3ForCausalLM")])),
      JSON.Member("model_type", .text(isLlama ? "llama" : "qwen3")),
      JSON.Member("hidden_size", .integer(model.width)),
      JSON.Member("intermediate_size", .integer(inner)), JSON.Member("num_hidden_layers", .integer(blocks)),
      JSON.Member("num_attention_heads", .integer(model.heads)),
      JSON.Member("num_key_value_heads", .integer(model.keyValueHeads)),
      JSON.Member("head_dim", .integer(model.widthOfHead)), JSON.Member("hidden_act", .text("silu")),
      JSON.Member("max_position_embeddings", .integer(model.context)),
      JSON.Member("rms_norm_eps", .float(epsilon)), JSON.Member("rope_theta", .double(model.ropeTheta)),
      // The place where transformers 5 reads it.
      JSON.Member(
        "rope_parameters",
        .object([JSON.Member("rope_type", .text("default")), JSON.Member("rope_theta", .double(model.ropeTheta))])),
      JSON.Member("attention_bias", .flag(false)), JSON.Member("attention_dropout", .double(model.dropout)),
    ] + (isLlama ? [JSON.Member("mlp_bias", .flag(false))] : [JSON.Member("use_sliding_window", .flag(false))])
  }

  private static func gpt2(
    _ model: Recipe.ModelSettings, blocks: Int, inner: Int, epsilon: Float
  ) -> [JSON.Member] {
    [
      JSON.Member("architectures", .array([.text("GPT2LMHeadModel")])), JSON.Member("model_type", .text("gpt2")),
      JSON.Member("n_embd", .integer(model.width)), JSON.Member("n_layer", .integer(blocks)),
      JSON.Member("n_head", .integer(model.heads)), JSON.Member("n_inner", .integer(inner)),
      JSON.Member("n_positions", .integer(model.context)), JSON.Member("n_ctx", .integer(model.context)),
      // GELU approximated by tanh.
      JSON.Member("activation_function", .text("gelu_new")), JSON.Member("layer_norm_epsilon", .float(epsilon)),
      JSON.Member("embd_pdrop", .double(model.dropout)), JSON.Member("attn_pdrop", .double(model.dropout)),
      JSON.Member("resid_pdrop", .double(model.dropout)), JSON.Member("scale_attn_weights", .flag(true)),
    ]
  }
}
