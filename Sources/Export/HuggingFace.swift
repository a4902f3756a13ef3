// A checkpoint as Hugging Face's transformers reads it: `LlamaForCausalLM`, `Qwen3ForCausalLM` (Llama with normed queries
// and keys) or `GPT2LMHeadModel`, with its tokenizer.
import Run

/// The files of a model folder.
package struct HuggingFace: Sendable {
  /// A file's name and content.
  package struct DocumentFile: Sendable {
    package let name: String
    package let bytes: [UInt8]
  }

  /// The checkpoint with its tensors as they lie in transformers.
  package let source: Checkpoint
  /// Tensors of `model.safetensors`, which are tensors of `source`.
  package let tensors: [Checkpoint.Tensor]
  /// All other files.
  package let files: [DocumentFile]

  /// - Parameters:
  ///   - epsilon: of every norm.
  ///   - addsSpaceBefore: whether the tokenizer puts a space before every text.
  ///   - withHeads: whether what transformers does not have, such as the TOP head, is kept as tensors of other names.
  /// - Throws: `UserError` when the network has no NTP head, without which there is no causal language model, or is of a
  ///   shape that transformers does not have.
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
      // Those that there are, whatever heads have blocks of their own.
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

  /// A causal language model predicts the next token.
  static func requireNextToken(_ recipe: Recipe) throws {
    guard recipe.objective.ntp > 0 else {
      throw UserError(
        .usage,
        "this network was trained without NTP (objective.ntp is 0) and cannot predict the next token: "
          + "use --to safetensors, which exports any network"
      )
    }
  }

  /// Blocks on the way to the NTP head.
  static func blocks(of checkpoint: Checkpoint, _ architecture: Architecture) -> Int {
    checkpoint.tensors.count {
      $0.path.hasPrefix(architecture.blocks) && $0.path.hasSuffix(architecture.firstOfBlock)
    }
  }
}

extension JSON {
  /// As the content of a file.
  var file: [UInt8] { Array((line + "\n").utf8) }
}
