// Files of other programs that are damaged or beyond what foretop has, each refused with its reason.
import Corpus
import Export
import Foundation
import Run
import Support
import Testing
import Training
import Transformer

extension ImportTests {
  // MARK: What is refused

  @Test func `everything missing, unknown and of another shape is named at once`() throws {
    let (checkpoint, _, _) = try Room.network { _ in }
    let file = try Room.tensors(safetensors(checkpoint))
    let network = try ForeignConfiguration(config(checkpoint), source: "config.json")
    var recipe = checkpoint.recipe
    recipe.objective.top = 0
    recipe.model.blocks = 3
    recipe.model.inner = 96
    let error = #expect(throws: UserError.self) {
      try file.matches(recipe.tensors(vocabulary: 20), of: network, source: "a")
    }
    let message = try #require(error?.message)
    #expect(message.contains("9 tensors are missing (model.layers.2.input_layernorm.weight"))
    #expect(message.contains("and 1 more"))
    #expect(message.contains("1 tensor is unknown (top_head.weight)"))
    #expect(
      message.contains(
        "model.layers.0.mlp.gate_proj.weight has the shape [80, 48], and config.json makes it [96, 48]"))
  }

  @Test(arguments: [
    (#""model_type":"llama""#, #""model_type":"qwen2""#, "describes qwen2"),
    (#""model_type":"llama""#, #""model_type":"mamba""#, "describes mamba"),
    (#""attention_bias":false"#, #""attention_bias":true"#, "attention_bias is true"),
    (#""hidden_act":"silu""#, #""hidden_act":"gelu""#, "hidden_act is gelu"),
    (#""head_dim":12"#, #""head_dim":-16"#, "head_dim is -16"),
    (#""rope_type":"default""#, #""rope_type":"llama3""#, "rope_type llama3"),
    (#""hidden_size":48"#, #""hidden_size":"48""#, "hidden_size is \"48\""),
    (#""vocab_size":20,"#, "", "vocab_size is missing"),
    (#""use_cache":true"#, #""quantization_config":{"bits":4}"#, "quantized"),
    ("{", "[", "is not JSON: at byte"),
  ])
  func `a network that foretop does not have is refused with the reason`(
    old: String, new: String, reason: String
  ) throws {
    let (checkpoint, _, _) = try Room.network { _ in }
    let text = String(decoding: try config(checkpoint), as: UTF8.self)
    let range = try #require(text.range(of: old))
    let changed = text.replacingCharacters(in: range, with: new)
    let error = #expect(throws: UserError.self) {
      try ForeignConfiguration(Array(changed.utf8), source: "config.json")
    }
    #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")")
  }

  @Test(arguments: [
    (#""activation_function":"gelu_new""#, #""activation_function":"gelu""#, "activation_function is gelu"),
    (#""scale_attn_weights":true"#, #""scale_attn_weights":false"#, "scale_attn_weights is false"),
    (#""use_cache":true"#, #""add_cross_attention":true"#, "add_cross_attention is true"),
    (#""n_head":4"#, #""n_head":0"#, "n_head is 0, and must be a whole number above 0"),
    (#""vocab_size":20"#, #""vocab_size":4611686018427387904"#, "at most 16777216"),
    (#""tie_word_embeddings":false"#, #""tie_word_embeddings":"no""#, #"is "no", and must be true or false"#),
  ])
  func `a GPT-2 that foretop does not have is refused with the reason`(
    old: String, new: String, reason: String
  ) throws {
    let (checkpoint, _, _) = try Room.network {
      $0.model.kind = .gpt2
      $0.model.keyValueHeads = 4
    }
    let text = String(decoding: try config(checkpoint), as: UTF8.self)
    let range = try #require(text.range(of: old))
    let error = #expect(throws: UserError.self) {
      try ForeignConfiguration(Array(text.replacingCharacters(in: range, with: new).utf8), source: "config.json")
    }
    #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")")
  }

  /// A safetensors file with this header and so many bytes of numbers.
  private static func file(_ header: String, _ bytes: Int) -> [UInt8] {
    withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) } + Array(header.utf8)
      + [UInt8](repeating: 0, count: bytes)
  }

  @Test func `a file with every kind of number is read`() throws {
    let header =
      #"{"__metadata__":{"format":"pt"},"b":{"dtype":"BF16","shape":[2,3],"data_offsets":[4,16]},"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"c":{"shape":[0,7],"data_offsets":[16,16],"dtype":"I64"}}"#
    let entries = try Room.entries(Self.file(header, 16))
    #expect(entries.map(\.name) == ["a", "b", "c"])
    let start = 8 + header.utf8.count
    #expect(entries.map(\.bytes) == [start..<start + 4, start + 4..<start + 16, start + 16..<start + 16])
  }

  @Test(arguments: [
    (
      #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
      8, "has “a” twice"
    ),
    (
      #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}"#,
      6, "tensor “b” begins at byte 2"
    ),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, 8, "tensor “a” begins at byte 4"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 5, "its tensors end at byte"),
    (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, 4, "has 4 bytes, and its shape [2] in F32 needs 8"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, 4, "does not lie inside"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,9223372036854775807]}}"#, 4, "does not lie inside"),
    (#"{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,4]}}"#, 4, "larger than any memory"),
    (#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, 4, "has an invalid shape"),
    (#"{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}"#, 4, "has an invalid shape"),
    (#"{"a":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}}"#, 4, "has the dtype F31"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}}"#, 4, "is not described by"),
    (#"{"a":[]}"#, 0, "is not described by"),
    (#" {"a":1}"#, 0, "its header is not an object"),
    (#"{"a":"#, 0, "its header is not JSON: at byte 5"),
    (#"[]"#, 0, "its header is not an object"),
  ])
  func `a damaged file is refused with the reason`(header: String, bytes: Int, reason: String) {
    let error = #expect(throws: UserError.self) { try Room.entries(Self.file(header, bytes)) }
    #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")")
  }

  @Test(arguments: [0, 7, 8, 20])
  func `a header longer than the file is refused`(size: Int) {
    let file = Array(Self.file("{\"a\":{}}          ", 100).prefix(size))
    #expect(throws: UserError.self) { try Room.entries(file) }
    let huge = [UInt8](repeating: 0xFF, count: 8 + size)
    #expect(throws: UserError.self) { try Room.entries(huge) }
  }

  @Test func `an index may name files beside it alone`() throws {
    func files(_ text: String) throws -> [String] { try ForeignTensors.files(inIndex: Array(text.utf8), source: "i") }
    #expect(
      try files(#"{"weight_map":{"a":"model-2.safetensors","b":"model-1.safetensors","c":"model-2.safetensors"}}"#)
        == ["model-1.safetensors", "model-2.safetensors"])
    for word in ["../x.safetensors", "/x.safetensors", ".x.safetensors", "x.bin"] {
      #expect(throws: UserError.self) { try files(#"{"weight_map":{"a":"\#(word)"}}"#) }
    }
    #expect(throws: UserError.self) { try files(#"{"weight_map":{}}"#) }
    #expect(throws: UserError.self) { try files(#"{"weight_map":{"a":1}}"#) }
  }

  @Test func `files of somebody else are read or refused, and nothing else happens`() throws {
    let (checkpoint, _, _) = try Room.network { _ in }
    let file = Array(try safetensors(checkpoint).prefix(3000))
    let config = try config(checkpoint)
    let document = Self.llamaDocument
    var random = Dice(7)
    var refused = 0
    for _ in 0..<4000 {
      for (kind, original) in [file, config, Array(document.utf8)].enumerated() {
        var bytes = original
        switch Int.random(in: 0..<4, using: &random) {
        case 0: bytes = Array(bytes.prefix(Int.random(in: 0..<bytes.count, using: &random)))
        case 1: bytes.remove(at: Int.random(in: 0..<bytes.count, using: &random))
        case 2:
          bytes[Int.random(in: 0..<min(bytes.count, 400), using: &random)] = UInt8.random(in: 0...255, using: &random)
        default:
          let place = Int.random(in: 0..<bytes.count, using: &random)
          bytes.insert(UInt8(ascii: "9"), at: place)
        }
        do {
          switch kind {
          case 0: _ = try Room.entries(bytes)
          case 1:
            var recipe = Recipe()
            try ForeignConfiguration(bytes, source: "c").shape(&recipe, source: "c")
          default: _ = try HuggingFace.tokenizer(.init(document: bytes), vocabulary: 266, folder: "d")
          }
        } catch is UserError {
          refused += 1
        }
      }
    }
    #expect(refused > 4000)
  }
}
