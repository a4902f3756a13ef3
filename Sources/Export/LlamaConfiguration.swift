// config.json of a Hugging Face Llama checkpoint (or Qwen3, which is Llama with normed queries and keys): the network's shape, and what foretop does not have. Bytes in, values out.
import Run

/// What a `LlamaForCausalLM` is.
package struct LlamaConfiguration: Sendable, Equatable {
  package let vocabulary: Int
  /// Positions that the checkpoint was trained for.
  package let context: Int
  package let blocks: Int
  package let isTied: Bool
  /// The keys of a recipe that are fixed by it, with their values as texts; blocks and context left out.
  private let keys: [Setting]

  private struct Setting: Sendable, Equatable {
    let key: String
    let value: String
  }

  /// - Throws: `UserError` that names everything in it which foretop does not have.
  package init(_ bytes: [UInt8], source: String) throws {
    let json: JSON
    do {
      json = try JSON.read(bytes)
    } catch {
      throw UserError(.data, "\(source) is no JSON: \(error)")
    }
    guard json.members != nil else { throw UserError(.data, "\(source) is no JSON object") }
    let kind = json["model_type"]?.string ?? json["architectures"]?.elements?.first?.string ?? "nothing that has a name"
    guard ["llama", "LlamaForCausalLM", "qwen3", "Qwen3ForCausalLM"].contains(kind) else {
      throw UserError(.data, "\(source) describes \(kind): foretop imports llama and qwen3 (model_type)")
    }
    let isQwen = kind.lowercased().hasPrefix("qwen3")
    var problems: [String] = []
    func whole(_ key: String, without fallback: Int? = nil) -> Int {
      if let number = json[key]?.whole, number > 0 { return number }
      if json[key] == nil, let fallback { return fallback }
      problems.append(
        json[key].map { "\(key) is \($0.line), and must be a whole number above 0" } ?? "\(key) is missing")
      return 1
    }
    func number(_ object: JSON, _ key: String, without fallback: Double) -> Double {
      guard let value = object[key] else { return fallback }
      if let number = value.number { return number }
      problems.append("\(key) is \(value.line), and must be a number")
      return fallback
    }
    func refuse(_ isRefused: Bool, _ sentence: @autoclosure () -> String) {
      if isRefused { problems.append(sentence()) }
    }

    vocabulary = whole("vocab_size")
    let width = whole("hidden_size")
    let inner = whole("intermediate_size")
    blocks = whole("num_hidden_layers")
    let heads = whole("num_attention_heads")
    let keyValueHeads = whole("num_key_value_heads", without: heads)
    // What transformers takes where nothing is said.
    context = whole("max_position_embeddings", without: 2048)
    isTied = json["tie_word_embeddings"]?.isTrue ?? false
    let headWidth = whole("head_dim", without: max(1, width / heads))
    refuse(
      headWidth != width / heads,
      "head_dim is \(headWidth), and foretop's heads share hidden_size \(width): \(heads) of \(width / heads)")
    let activation = json["hidden_act"]?.string ?? "silu"
    refuse(activation != "silu" && activation != "swish", "hidden_act is \(activation), and foretop has silu")
    for key in ["attention_bias", "mlp_bias", "use_sliding_window"] {
      refuse(json[key]?.isTrue ?? false, "\(key) is true, and foretop's blocks have no such thing")
    }
    refuse(json["quantization_config"] != nil, "its weights are quantized, and foretop reads F32, F16 and BF16")
    let positions = json["rope_parameters"] ?? json["rope_scaling"] ?? .object([])
    let turning = positions["rope_type"]?.string ?? positions["type"]?.string ?? "default"
    refuse(turning != "default", "its rotary positions are scaled (rope_type \(turning)), and foretop's are not")
    let share = number(positions, "partial_rotary_factor", without: number(json, "partial_rotary_factor", without: 1))
    refuse(share != 1, "partial_rotary_factor is \(share), and foretop turns all of a head")
    let theta = number(positions, "rope_theta", without: number(json, "rope_theta", without: 10_000))
    keys = [
      Setting(key: "model.width", value: String(width)), Setting(key: "model.inner", value: String(inner)),
      Setting(key: "model.heads", value: String(heads)),
      Setting(key: "model.keyValueHeads", value: String(keyValueHeads)),
      Setting(key: "model.kind", value: "llama"), Setting(key: "model.qkNorm", value: String(isQwen)),
      Setting(key: "model.tied", value: String(isTied)), Setting(key: "model.ropeTheta", value: String(theta)),
      Setting(key: "model.epsilon", value: String(number(json, "rms_norm_eps", without: 1e-6))),
    ]
    guard problems.isEmpty else {
      throw UserError(
        .data, "\(source) describes a network that foretop does not have: \(problems.joined(separator: "; "))")
    }
  }

  /// Puts the network's shape into a recipe. Its blocks are those on the way to the NTP head: parallel MTP heads, which the
  /// recipe may have, come beside the last of them.
  /// - Throws: `UserError` for a number that no recipe takes.
  package func shape(_ recipe: inout Recipe, source: String) throws {
    for setting in keys { try recipe.set(setting.key, to: setting.value, source: source) }
    let mtp = recipe.objective.mtp
    guard mtp.heads > 1, mtp.kind == .parallel else {
      try recipe.set("model.blocks", to: String(blocks), source: source)
      return
    }
    guard blocks > 1 else {
      throw UserError(
        .usage,
        "\(source) has 1 block, and parallel MTP heads need one below them: use --set objective.mtp.kind=sequential")
    }
    try recipe.set("objective.mtp.trunk", to: String(blocks - 1), source: source)
    try recipe.set("model.blocks", to: String(blocks - 1 + mtp.heads), source: source)
  }

  /// The keys of a recipe that follow from the checkpoint, with what they are.
  /// - Returns: the first key in which a recipe differs from `shape`d; nil where it does not.
  package func contradiction(in recipe: Recipe, source: String) throws -> String? {
    var shaped = recipe
    try shape(&shaped, source: source)
    return Recipe.fields.first { $0.read(recipe) != $0.read(shaped) }?.key
  }
}
