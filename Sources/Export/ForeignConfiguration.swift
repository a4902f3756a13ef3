// Reads config.json of a Hugging Face checkpoint: the kind of network, its shape, and features that foretop lacks. Bytes in,
// values out.
import Run

/// The configuration of a `LlamaForCausalLM`, a `Qwen3ForCausalLM` (Llama with normed queries and keys) or a `GPT2LMHeadModel`.
package struct ForeignConfiguration: Sendable, Equatable {
  let architecture: HuggingFace.Architecture
  package let vocabulary: Int
  /// The number of positions that the checkpoint was trained for.
  package let context: Int
  package let blocks: Int
  package let isTied: Bool
  /// The recipe keys that the checkpoint determines, with their values as texts, except blocks.
  private let keys: [ForeignSetting]

  private struct ForeignSetting: Sendable, Equatable {
    let key: String
    let value: String

    init(_ key: String, _ value: some CustomStringConvertible & Sendable) {
      self.key = key
      self.value = "\(value)"
    }
  }

  /// - Throws: `UserError` that names every feature which foretop lacks.
  package init(_ bytes: [UInt8], source: String) throws {
    let json: JSON
    do {
      json = try JSON.read(bytes)
    } catch {
      throw UserError(.data, "\(source) is not JSON: \(error)")
    }
    guard json.members != nil else { throw UserError(.data, "\(source) is not a JSON object") }
    let kind =
      json["model_type"]?.string ?? json["architectures"]?.elements?.first?.string ?? "a model without a model_type"
    var reader = ConfigurationReader(json)
    switch kind {
    case "llama", "LlamaForCausalLM": self.init(llama: &reader, .llama)
    case "qwen3", "Qwen3ForCausalLM": self.init(llama: &reader, .qwen3)
    case "gpt2", "GPT2LMHeadModel", "GPT2Model": self.init(gpt2: &reader)
    default:
      throw UserError(
        .data, "\(source) describes \(kind.harmlessLine): foretop imports llama, qwen3 and gpt2 (model_type)")
    }
    reader.refuse(json["quantization_config"] != nil, "its weights are quantized; foretop reads F32, F16 and BF16")
    guard reader.problems.isEmpty else {
      throw UserError(
        .data,
        "\(source) describes a network that foretop does not support: \(reader.problems.joined(separator: "; "))")
    }
  }

  private init(llama reader: inout ConfigurationReader, _ architecture: HuggingFace.Architecture) {
    self.architecture = architecture
    vocabulary = reader.vocabulary()
    let width = reader.whole("hidden_size")
    let inner = reader.whole("intermediate_size")
    blocks = reader.whole("num_hidden_layers")
    let heads = reader.whole("num_attention_heads")
    let keyValueHeads = reader.whole("num_key_value_heads", without: heads)
    // The defaults of transformers.
    context = reader.whole("max_position_embeddings", without: 2048)
    isTied = reader.flag("tie_word_embeddings", without: false)
    let headWidth = reader.whole("head_dim", without: max(1, width / heads))
    let activation = reader.text("hidden_act", without: "silu")
    reader.refuse(activation != "silu" && activation != "swish", "hidden_act is \(activation); foretop has only silu")
    for key in ["attention_bias", "mlp_bias", "use_sliding_window"] {
      reader.refuse(reader.flag(key, without: false), "\(key) is true, which foretop does not support")
    }
    let json = reader.json
    let positions = json["rope_parameters"] ?? json["rope_scaling"] ?? .object([])
    let turning = positions["rope_type"]?.string ?? positions["type"]?.string ?? "default"
    reader.refuse(
      turning != "default", "its rotary positions are scaled (rope_type \(turning)), which foretop does not support")
    func number(_ key: String, without fallback: Double) -> Double {
      reader.number(key, in: positions, without: reader.number(key, in: json, without: fallback))
    }
    let share = number("partial_rotary_factor", without: 1)
    reader.refuse(share != 1, "partial_rotary_factor is \(share), and foretop rotates the whole head")
    keys = [
      ForeignSetting("model.kind", "llama"), ForeignSetting("model.width", width), ForeignSetting("model.inner", inner),
      ForeignSetting("model.heads", heads), ForeignSetting("model.keyValueHeads", keyValueHeads),
      // 0 if it follows from the width.
      ForeignSetting(
        "model.headWidth", headWidth.multipliedReportingOverflow(by: heads).partialValue == width ? 0 : headWidth),
      ForeignSetting("model.qkNorm", architecture == .qwen3), ForeignSetting("model.tied", isTied),
      ForeignSetting("model.ropeTheta", number("rope_theta", without: 10_000)),
      ForeignSetting("model.epsilon", reader.number("rms_norm_eps", in: json, without: 1e-6)),
    ]
  }

  /// Missing values have the defaults of transformers: those of the smallest GPT-2.
  private init(gpt2 reader: inout ConfigurationReader) {
    architecture = .gpt2
    vocabulary = reader.vocabulary(without: 50_257)
    let width = reader.whole("n_embd", without: 768)
    let inner = reader.whole("n_inner", without: width.multipliedReportingOverflow(by: 4).partialValue)
    blocks = reader.whole("n_layer", without: 12)
    let heads = reader.whole("n_head", without: 12)
    context = reader.whole("n_positions", without: 1024)
    isTied = reader.flag("tie_word_embeddings", without: true)
    let activation = reader.text("activation_function", without: "gelu_new")
    reader.refuse(
      !["gelu_new", "gelu_pytorch_tanh", "gelu_fast"].contains(activation),
      "activation_function is \(activation), and foretop has gelu_new, the approximation by tanh")
    reader.refuse(
      !reader.flag("scale_attn_weights", without: true),
      "scale_attn_weights is false, but foretop always scales attention")
    for key in ["scale_attn_by_inverse_layer_idx", "add_cross_attention"] {
      reader.refuse(reader.flag(key, without: false), "\(key) is true, which foretop does not support")
    }
    keys = [
      ForeignSetting("model.kind", "gpt2"), ForeignSetting("model.qkNorm", false), ForeignSetting("model.width", width),
      ForeignSetting("model.inner", inner), ForeignSetting("model.heads", heads),
      ForeignSetting("model.keyValueHeads", heads),
      ForeignSetting("model.headWidth", 0), ForeignSetting("model.tied", isTied),
      ForeignSetting("model.epsilon", reader.number("layer_norm_epsilon", in: reader.json, without: 1e-5)),
      // Learned positions bound the context.
      ForeignSetting("model.context", context),
    ]
  }

  /// Sets the network's shape in a recipe. The blocks are those before the NTP head; parallel MTP heads of the recipe are added
  /// beside the last block.
  /// - Throws: `UserError` for a number that is out of a recipe's range.
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
    let all = (blocks - 1).addingReportingOverflow(mtp.heads).partialValue
    try recipe.set("model.blocks", to: String(all), source: source)
  }

  /// The first recipe key whose value differs from the checkpoint's; nil if there is none.
  package func contradiction(in recipe: Recipe, source: String) throws -> String? {
    var shaped = recipe
    try shape(&shaped, source: source)
    return Recipe.fields.first { $0.read(recipe) != $0.read(shaped) }?.key
  }
}

/// The values of a config.json, and the errors in them.
private struct ConfigurationReader {
  let json: JSON
  private(set) var problems: [String] = []

  init(_ json: JSON) { self.json = json }

  mutating func whole(_ key: String, without fallback: Int? = nil) -> Int {
    if let number = json[key]?.whole, number > 0 { return number }
    if json[key] == nil, let fallback { return fallback }
    problems.append(
      json[key].map { "\(key) is \(Self.shown($0)), and must be a whole number above 0" } ?? "\(key) is missing")
    return 1
  }

  /// The number of tokens: at most as many as token files can have.
  mutating func vocabulary(without fallback: Int? = nil) -> Int {
    let count = whole("vocab_size", without: fallback)
    let largest = 1 << 24
    refuse(count > largest, "vocab_size is \(count), and foretop takes at most \(largest)")
    return min(count, largest)
  }

  mutating func number(_ key: String, in object: JSON, without fallback: Double) -> Double {
    guard let value = object[key] else { return fallback }
    if let number = value.number { return number }
    problems.append("\(key) is \(Self.shown(value)), and must be a number")
    return fallback
  }

  mutating func flag(_ key: String, without fallback: Bool) -> Bool {
    guard let value = json[key] else { return fallback }
    if let flag = value.isTrue { return flag }
    problems.append("\(key) is \(Self.shown(value)), and must be true or false")
    return fallback
  }

  mutating func text(_ key: String, without fallback: String) -> String {
    guard let value = json[key] else { return fallback }
    if let text = value.string { return text.harmlessLine }
    problems.append("\(key) is \(Self.shown(value)), and must be a string")
    return fallback
  }

  mutating func refuse(_ isRefused: Bool, _ sentence: @autoclosure () -> String) {
    if isRefused { problems.append(sentence()) }
  }

  /// A value for a message, cut if it is long.
  private static func shown(_ value: JSON) -> String {
    let line = value.line
    return line.count > 60 ? line.prefix(60) + "…" : line
  }
}
