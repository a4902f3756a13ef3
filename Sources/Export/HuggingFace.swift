// Converts a checkpoint for Hugging Face's transformers: to `LlamaForCausalLM`, `Qwen3ForCausalLM` (Llama with normed queries and
// keys) or `GPT2LMHeadModel`, with its tokenizer.
import Run

/// The files of a model folder.
package struct HuggingFace: Sendable {
  /// A file's name and content.
  package struct DocumentFile: Sendable {
    package let name: String
    package let bytes: [UInt8]
  }

  /// The checkpoint with its tensors in the layout of transformers.
  package let source: Checkpoint
  /// The tensors of `source` for `model.safetensors`.
  package let tensors: [Checkpoint.Tensor]
  /// All other files.
  package let files: [DocumentFile]

  /// - Parameters:
  ///   - epsilon: ε of every norm.
  ///   - addsSpaceBefore: true if the tokenizer puts a space before every text.
  ///   - withHeads: true keeps tensors that transformers does not know, such as the TOP head.
  /// - Throws: `UserError` when the network has no NTP head, which a causal language model needs, or transformers has no class of
  ///   its shape.
  package init(_ checkpoint: Checkpoint, inner: Int, epsilon: Float, addsSpaceBefore: Bool, withHeads: Bool) throws {
    let recipe = checkpoint.recipe
    try Self.requireNextToken(recipe)
    let architecture = try Architecture(recipe.model)
    source = Self.turned(checkpoint, for: architecture)
    tensors = source.tensors.filter {
      withHeads || $0.path.hasPrefix(architecture.trunk) || $0.path.hasPrefix("\(HeadKind.nextToken.tensorName ?? "")/")
    }
    let config = Self.config(
      architecture, recipe, vocabulary: checkpoint.tokenizer.vocabulary,
      // The blocks before the NTP head; MTP heads may have further ones.
      blocks: Self.blocks(of: checkpoint, architecture), inner: inner, epsilon: epsilon)
    let generation = JSON.object([
      JSON.Member("_from_model_config", .flag(true)), JSON.Member("do_sample", .flag(true)),
    ])
    files =
      try Self.tokenizerFiles(checkpoint.tokenizer, context: recipe.model.context, addsSpaceBefore: addsSpaceBefore) + [
        DocumentFile(name: "generation_config.json", bytes: generation.file),
        DocumentFile(name: "config.json", bytes: config.file),
      ]
  }

  /// Refuses networks without an NTP head, which a causal language model needs.
  static func requireNextToken(_ recipe: Recipe) throws {
    guard recipe.objective.ntp > 0 else {
      throw UserError(
        .usage,
        "this network was trained without NTP (objective.ntp is 0) and cannot predict the next token: "
          + "use --to safetensors, which exports any network"
      )
    }
  }

  /// The blocks before the NTP head.
  static func blocks(of checkpoint: Checkpoint, _ architecture: Architecture) -> Int {
    checkpoint.tensors.count {
      $0.path.hasPrefix(architecture.blocks) && $0.path.hasSuffix(architecture.firstOfBlock)
    }
  }
}

extension JSON {
  /// The bytes of a file with this content.
  var file: [UInt8] { Array((line + "\n").utf8) }
}
