// Writes a checkpoint for llama.cpp: GGUF version 3 (docs/gguf.md in github.com/ggml-org/ggml), architecture llama, qwen3 (with
// normed queries and keys) or gpt2.
import Run

/// A model in one file: a header, keys with values, a list of tensors, then their numbers.
package struct GGUF: Sendable {
  /// The number format of matrices; norms, biases and learned positions are always f32, as in llama.cpp's own converter.
  package enum ElementType: String, CaseIterable, Sendable { case f32, f16, bf16 }

  /// A tensor to be written.
  struct GGUFTensor: Sendable {
    let name: String
    let source: Checkpoint.Tensor
    let storage: ElementType
    /// The number of heads whose rows are permuted for rotary positions; 0 if rows keep their places.
    let heads: Int
    /// Offset in bytes from the start of the tensors' data.
    var offset = 0

    var size: Int { source.count * storage.bytes }
  }

  let entries: [(key: String, value: GGUFValue)]
  let tensors: [GGUFTensor]
  private let weights: [Float]

  /// The alignment of tensors, in bytes.
  private static let alignment = 32

  /// - Parameters:
  ///   - name: the run's name.
  ///   - inner: inner width of the MLP.
  /// - Throws: `UserError` when the network has no NTP head, llama.cpp lacks its tokenizer or the shared keys of a GPT-2, or a
  ///   weight is too large for f16.
  package init(_ checkpoint: Checkpoint, name: String, inner: Int, storage: ElementType) throws {
    try HuggingFace.requireNextToken(checkpoint.recipe)
    let model = checkpoint.recipe.model
    let architecture = try HuggingFace.Architecture(model)
    let isTurned = architecture == .llama
    weights = checkpoint.weights
    var end = 0
    var tensors: [GGUFTensor] = []
    for source in checkpoint.tensors {
      guard let name = Self.name(of: source.path) else { continue }
      let heads =
        !isTurned
        ? 0 : name.hasSuffix("attn_q.weight") ? model.heads : name.hasSuffix("attn_k.weight") ? model.keyValueHeads : 0
      let isMatrix = source.shape.count > 1 && name != "position_embd.weight"
      tensors.append(
        GGUFTensor(name: name, source: source, storage: isMatrix ? storage : .f32, heads: heads, offset: end))
      end = Self.aligned(end + source.count * tensors[tensors.count - 1].storage.bytes)
    }
    self.tensors = tensors
    if storage == .f16 { try Self.requireHalves(tensors, checkpoint.weights) }
    let shape: [(key: String, value: GGUFValue)] = [
      ("vocab_size", .whole(UInt32(checkpoint.tokenizer.vocabulary))),
      ("context_length", .whole(UInt32(model.context))), ("embedding_length", .whole(UInt32(model.width))),
      ("block_count", .whole(UInt32(HuggingFace.blocks(of: checkpoint, architecture)))),
      ("feed_forward_length", .whole(UInt32(inner))), ("attention.head_count", .whole(UInt32(model.heads))),
    ]
    let kind = Self.kind(architecture)
    entries =
      [
        ("general.architecture", .text(kind)), ("general.name", .text(name)),
        ("general.file_type", .whole(storage.fileType)), ("general.alignment", .whole(UInt32(Self.alignment))),
      ] + (shape + Self.details(model, architecture)).map { ("\(kind).\($0.key)", $0.value) }
      + (try Self.vocabulary(checkpoint.tokenizer))
  }

  /// llama.cpp's name for the architecture.
  private static func kind(_ architecture: HuggingFace.Architecture) -> String {
    switch architecture {
    case .llama: "llama"
    case .qwen3: "qwen3"
    case .gpt2: "gpt2"
    }
  }

  /// The keys that depend on the kind of network.
  private static func details(
    _ model: Recipe.ModelSettings, _ architecture: HuggingFace.Architecture
  ) -> [(key: String, value: GGUFValue)] {
    let epsilon = GGUFValue.number(Float(model.normEpsilon))
    guard architecture != .gpt2 else { return [("attention.layer_norm_epsilon", epsilon)] }
    let headWidth = GGUFValue.whole(UInt32(model.widthOfHead))
    return [
      ("attention.head_count_kv", .whole(UInt32(model.keyValueHeads))), ("attention.key_length", headWidth),
      ("attention.value_length", headWidth), ("attention.layer_norm_rms_epsilon", epsilon),
      ("rope.dimension_count", headWidth), ("rope.freq_base", .number(Float(model.ropeTheta))),
    ]
  }

  /// llama.cpp's name for a tensor; nil if llama.cpp has no such tensor, such as the TOP head.
  private static func name(of path: String) -> String? {
    let words = path.split(separator: "/")
    guard let last = words.last else { return nil }
    if let part = names[words.dropLast().joined(separator: "/")] { return "\(part).\(last)" }
    guard words.count > 4, ["model/layers", "transformer/h"].contains(words[..<2].joined(separator: "/")),
      let part = blockNames[words[3...].dropLast().joined(separator: "/")]
    else { return nil }
    return "blk.\(words[2]).\(part).\(last)"
  }

  private static let names = [
    "model/embed_tokens": "token_embd", "model/norm": "output_norm", "lm_head": "output",
    "transformer/wte": "token_embd", "transformer/wpe": "position_embd", "transformer/ln_f": "output_norm",
  ]

  private static let blockNames = [
    "input_layernorm": "attn_norm", "self_attn/q_proj": "attn_q", "self_attn/k_proj": "attn_k",
    "self_attn/q_norm": "attn_q_norm", "self_attn/k_norm": "attn_k_norm", "self_attn/v_proj": "attn_v",
    "self_attn/o_proj": "attn_output", "post_attention_layernorm": "ffn_norm", "mlp/gate_proj": "ffn_gate",
    "mlp/up_proj": "ffn_up", "mlp/down_proj": "ffn_down",
    "ln_1": "attn_norm", "attn/c_attn": "attn_qkv", "attn/c_proj": "attn_output", "ln_2": "ffn_norm",
    "mlp/c_fc": "ffn_up", "mlp/c_proj": "ffn_down",
  ]

  private static func aligned(_ offset: Int) -> Int { (offset + alignment - 1) / alignment * alignment }

  /// Refuses weights beyond the range of f16, which would become infinite.
  private static func requireHalves(_ tensors: [GGUFTensor], _ weights: [Float]) throws {
    for tensor in tensors where tensor.storage == .f16 {
      let source = tensor.source
      guard let large = weights[source.offset..<source.offset + source.count].first(where: { !Float16($0).isFinite })
      else { continue }
      throw UserError(
        .data, "\(source.path) has a weight of \(large), beyond the range of f16: use --type bf16 or --type f32")
    }
  }

  /// The written tensors, with their names in the checkpoint.
  package var sources: [Checkpoint.Tensor] { tensors.map(\.source) }

  // MARK: Writing

  /// Writes the file.
  /// - Parameter take: receives the file piece by piece, in order.
  package func write(_ take: (UnsafeRawBufferPointer) throws -> Void) rethrows {
    var head = Bytes()
    head.put(Array("GGUF".utf8))
    head.put(UInt32(3))
    head.put(UInt64(tensors.count))
    head.put(UInt64(entries.count))
    for (key, value) in entries {
      head.put(key)
      head.put(value)
    }
    for tensor in tensors {
      head.put(tensor.name)
      head.put(UInt32(tensor.source.shape.count))
      // The fastest dimension first.
      for extent in tensor.source.shape.reversed() { head.put(UInt64(extent)) }
      head.put(tensor.storage.tensorType)
      head.put(UInt64(tensor.offset))
    }
    head.pad(to: Self.alignment)
    try head.bytes.withUnsafeBytes(take)
    try weights.withUnsafeBufferPointer { weights in
      for tensor in tensors {
        try write(tensor, weights, take)
        let gap = [UInt8](repeating: 0, count: Self.aligned(tensor.size) - tensor.size)
        if !gap.isEmpty { try gap.withUnsafeBytes(take) }
      }
    }
  }

  /// Writes a tensor, some rows at a time.
  private func write(
    _ tensor: GGUFTensor, _ weights: UnsafeBufferPointer<Float>, _ take: (UnsafeRawBufferPointer) throws -> Void
  ) rethrows {
    let source = tensor.source
    let width = source.shape[source.shape.count - 1]
    let rows = source.count / width
    let step = max(1, (1 << 18) / width)
    for start in stride(from: 0, to: rows, by: step) {
      var piece = Bytes()
      for row in start..<min(start + step, rows) {
        let first = source.offset + tensor.source(ofRow: row, of: rows) * width
        piece.put(weights[first..<first + width], as: tensor.storage)
      }
      try piece.bytes.withUnsafeBytes(take)
    }
  }
}

extension GGUF.GGUFTensor {
  /// The row of the checkpoint that becomes row `row` of the file. Rotary positions pair lane i with lane i + h/2 in the
  /// checkpoint, as in transformers, and lane 2i with lane 2i + 1 in llama.cpp's llama, so that rows of queries and keys are
  /// permuted within each head.
  func source(ofRow row: Int, of rows: Int) -> Int {
    guard heads > 0 else { return row }
    let width = rows / heads
    let (head, lane) = row.quotientAndRemainder(dividingBy: width)
    return head * width + lane / 2 + lane % 2 * (width / 2)
  }
}

extension GGUF.ElementType {
  var bytes: Int { self == .f32 ? 4 : 2 }

  /// `ggml_type`.
  var tensorType: UInt32 {
    switch self {
    case .f32: 0
    case .f16: 1
    case .bf16: 30
    }
  }

  /// `llama_ftype`: the format of most tensors.
  var fileType: UInt32 {
    switch self {
    case .f32: 0
    case .f16: 1
    case .bf16: 32
    }
  }
}
