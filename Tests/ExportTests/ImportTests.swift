// What comes in: an exported model folder as it was, and files of others, damaged ones among them.
import Corpus
import Export
import Foundation
import Run
import Support
import Testing
import Training
import Transformer

struct ImportTests {
  // MARK: There and back

  private func safetensors(_ checkpoint: Checkpoint, withHeads: Bool = true) throws -> [UInt8] {
    let model = try HuggingFace(
      checkpoint, inner: 80, epsilon: Float(checkpoint.recipe.model.normEpsilon), addsSpaceBefore: false,
      withHeads: withHeads)
    var bytes: [UInt8] = []
    SafeTensors.write(model.tensors, of: model.source, notes: [("format", "pt")]) { bytes += $0 }
    return bytes
  }

  private func config(_ checkpoint: Checkpoint) throws -> [UInt8] {
    let model = try HuggingFace(
      checkpoint, inner: 80, epsilon: Float(checkpoint.recipe.model.normEpsilon), addsSpaceBefore: false,
      withHeads: false)
    return try #require(model.files.first { $0.name == "config.json" }).bytes
  }

  @Test(arguments: [
    (false, false, 0), (true, false, 0), (false, true, 0), (true, true, 0), (false, true, 32), (true, false, 6),
  ])
  func `what goes out to Hugging Face comes in with the same logits, to the bit`(
    isTied: Bool, isQwen: Bool, headWidth: Int
  ) throws {
    let (checkpoint, tokens, logits) = try Room.network {
      $0.model.tied = isTied
      $0.model.qkNorm = isQwen
      $0.model.headWidth = headWidth
      $0.model.epsilon = 1e-3
      $0.model.ropeTheta = 500_000
    }
    let network = try ForeignConfiguration(config(checkpoint), source: "config.json")
    var recipe = Recipe()
    recipe.model.context = network.context
    try network.shape(&recipe, source: "config.json")
    #expect(recipe.model.epsilon == 1e-3 && recipe.model.blocks == 2 && recipe.model.tied == isTied)
    #expect(recipe.model.headWidth == headWidth)
    let file = try safetensors(checkpoint)
    #expect(try Room.tensors(file).has(.tokenOrder))
    let back = try Room.imported(network, recipe, file, checkpoint.tokenizer)
    #expect(back.state.step == 0 && back.firstMoments.allSatisfy { $0 == 0 })
    #expect(try Room.logits(back, after: tokens) == logits)
    for tensor in checkpoint.tensors {
      let other = try #require(back.tensors.first { $0.path == tensor.path })
      #expect(
        back.weights[other.offset..<other.offset + other.count]
          == checkpoint.weights[tensor.offset..<tensor.offset + tensor.count], "\(tensor.path)")
    }
  }

  @Test(arguments: [false, true], [false, true])
  func `a GPT-2 that goes out comes in, to the bit`(isTied: Bool, isOfTrunk: Bool) throws {
    let (checkpoint, tokens, logits) = try Room.network {
      $0.model.kind = .gpt2
      $0.model.keyValueHeads = 4
      $0.model.tied = isTied
      $0.model.epsilon = 1e-3
      $0.objective.mtp.heads = isTied ? 1 : 2
      $0.objective.mtp.kind = .sequential
    }
    let network = try ForeignConfiguration(config(checkpoint), source: "config.json")
    var file = try safetensors(checkpoint)
    if isOfTrunk {
      // As GPT-2's own checkpoint names its tensors; the header stays as long as it was.
      let named = String(decoding: file.prefix(1 << 16), as: UTF8.self)
      #expect(named.contains("\"transformer.wte.weight\""))
      let length = try SafeTensors.headerLength(Array(file.prefix(8)), size: file.count, source: "a")
      var header = String(decoding: file[8..<8 + length], as: UTF8.self).replacing("\"transformer.", with: "\"")
      header += String(repeating: " ", count: length - header.utf8.count)
      file.replaceSubrange(8..<8 + length, with: Array(header.utf8))
    }
    let tensors = try Room.tensors(file)
    #expect(tensors.multiTokenHeads == (isTied ? 1 : 2) && tensors.has(.tokenOrder))
    var recipe = Recipe()
    recipe.objective.mtp.heads = tensors.multiTokenHeads
    recipe.objective.mtp.kind = .sequential
    try network.shape(&recipe, source: "config.json")
    #expect(recipe.model.kind == .gpt2 && recipe.model.context == checkpoint.recipe.model.context)
    let back = try Room.imported(network, recipe, file, checkpoint.tokenizer)
    #expect(try Room.logits(back, after: tokens) == logits)
    #expect(back.tensors == checkpoint.tensors && back.weights == checkpoint.weights)
  }

  @Test func `weights that are not finite are refused by name`() throws {
    var (checkpoint, _, _) = try Room.network { _ in }
    checkpoint.weights[checkpoint.tensors[2].offset + 7] = .nan
    let network = try ForeignConfiguration(config(checkpoint), source: "config.json")
    let file = try safetensors(checkpoint)
    let error = #expect(throws: UserError.self) {
      try Room.imported(network, checkpoint.recipe, file, checkpoint.tokenizer)
    }
    let name = SafeTensors.name(checkpoint.tensors[2])
    #expect(error?.message.hasPrefix("\(name) in a/model.safetensors has nan at place 7: ") == true)
  }

  @Test(arguments: ["parallel", "sequential"])
  func `heads can be added, and the trunk stays as it was`(kind: String) throws {
    let (checkpoint, tokens, logits) = try Room.network { $0.objective.top = 0 }
    let network = try ForeignConfiguration(config(checkpoint), source: "config.json")
    var recipe = Recipe()
    recipe.objective.top = 1
    try recipe.set("objective.mtp.heads", to: "3", source: "")
    try recipe.set("objective.mtp.kind", to: kind, source: "")
    recipe.model.context = network.context
    try network.shape(&recipe, source: "config.json")
    try recipe.validate(source: "")
    let file = try safetensors(checkpoint)
    let plan = try recipe.tensors(vocabulary: 20)
    let new = try Room.tensors(file).matches(plan, of: network, source: "a").new
    #expect(new.contains { $0.path == "top_head/weight" })
    #expect(new.count == 1 + 2 * (kind == "parallel" ? 9 : 12))
    let back = try Room.imported(network, recipe, file, checkpoint.tokenizer)
    #expect(try Room.logits(back, after: tokens) == logits)
    let head = try #require(back.tensors.first { $0.path == "top_head/weight" })
    #expect(back.weights[head.offset..<head.offset + head.count].contains { $0 != 0 })
  }

  @Test func `numbers in two bytes become what they stand for`() {
    let values: [Float] = [0, -0.0, 1, -2.5, 65504, 6.103515625e-5, 5.9604645e-8, .infinity]
    var numbers = [Float](repeating: 9, count: values.count)
    let halves = values.map { Float16($0).bitPattern.littleEndian }
    #expect(halves.withUnsafeBytes { SafeTensors.read($0, .F16, into: &numbers) } == values.count)
    #expect(numbers == values)
    let upper = values.map { UInt16($0.bitPattern >> 16).littleEndian }
    _ = upper.withUnsafeBytes { SafeTensors.read($0, .BF16, into: &numbers) }
    #expect(numbers == values.map { Float(bitPattern: $0.bitPattern & 0xFFFF_0000) })
  }

  @Test(arguments: [
    ("_orig_mod.", "", ["_orig_mod"]), ("module._orig_mod.", "", ["_orig_mod", "module"]),
    ("", "_orig_mod.", ["_orig_mod"]),
    ("_fsdp_wrapped_module.", "_checkpoint_wrapped_module.", ["_checkpoint_wrapped_module", "_fsdp_wrapped_module"]),
  ])
  func `names that PyTorch's wrappers added to are taken without them, and that is said`(
    first: String, inside: String, wrappers: [String]
  ) throws {
    let (checkpoint, _, _) = try Room.network { _ in }
    let entries = try Room.entries(safetensors(checkpoint))
    func wrapped(_ name: String) -> String { first + name.replacing("self_attn.", with: "\(inside)self_attn.") }
    var tensors = ForeignTensors()
    try tensors.add(entries.map { $0.renamed(wrapped($0.name)) }, of: "model.safetensors")
    #expect(tensors.wrappers.sorted() == wrappers)
    let network = try ForeignConfiguration(config(checkpoint), source: "config.json")
    let (found, new) = try tensors.matches(checkpoint.tensors, of: network, source: "a")
    #expect(found.count == checkpoint.tensors.count && new.isEmpty)
    for match in found {
      let name = match.tensor.path.replacing("/", with: ".")
      #expect(match.entry.bytes == entries.first { $0.name == name }?.bytes, "\(name)")
    }
    #expect(throws: UserError.self) { try tensors.add([entries[0]], of: "model.safetensors") }
    var plain = ForeignTensors()
    try plain.add(entries, of: "model.safetensors")
    #expect(plain.wrappers.isEmpty)
  }

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

  // MARK: Tokenizers

  /// As transformers saves a Llama tokenizer of `<unk>`, `<s>`, `</s>`, all bytes, and seven pieces from id 259 on.
  private static let llamaDocument: String = {
    let bytes = (0..<256).map { byte in
      let digits = String(byte, radix: 16, uppercase: true)
      return "\"<0x\(digits.count == 1 ? "0" : "")\(digits)>\":\(3 + byte),"
    }.joined()
    return
      #"{"version":"1.0","added_tokens":[{"id":0,"content":"<unk>","special":true},{"id":1,"content":"<s>","special":true},{"id":2,"content":"</s>","special":true}],"normalizer":{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"}]},"pre_tokenizer":null,"model":{"type":"BPE","unk_token":"<unk>","byte_fallback":true,"vocab":{"<unk>":0,"<s>":1,"</s>":2,"#
      + bytes
      + #""ab":259,"▁ab":260,"▁":261,"a":262,"b":263,"é":264,"▁a":265},"merges":["a b","▁ ab","▁a b","▁ a"]}}"#
  }()

  private func tokenizer(_ document: String, vocabulary: Int) throws -> TokenizerRecord {
    try HuggingFace.tokenizer(.init(document: Array(document.utf8)), vocabulary: vocabulary, folder: "d")
  }

  @Test func `a tokenizer json that came from SentencePiece becomes one again`() throws {
    let record = try tokenizer(Self.llamaDocument, vocabulary: 268)
    #expect(record.kind == "sentencepiece" && record.vocabulary == 268)
    let pieces = SentencePieceFile.pieces(of: record.model)
    #expect(pieces.map(\.kind.rawValue) == [2, 3, 3] + Array(repeating: 6, count: 256) + [1, 1, 1, 1, 1, 1, 1, 3, 3])
    #expect(pieces[259].score > pieces[260].score && pieces[260].score > pieces[265].score)
    #expect(String(decoding: pieces[267].text, as: UTF8.self) == "<unused 267>")
    let tokenizer = try Tokenizer(kind: "sentencepiece", model: record.model)
    #expect(tokenizer.vocabulary == 268 && tokenizer.addsSpaceBefore)
    #expect(tokenizer.tokens(of: "ab aé\n") == [260, 265, 264, 3 + 10])
    #expect(tokenizer.text(of: [260, 265, 264, 13]) == "ab aé\n")
  }

  @Test func `tokenizers of foretop's own exports come back`() throws {
    var (checkpoint, _, _) = try Room.network { _ in }
    checkpoint.tokenizer = TokenizerRecord(kind: "characters", model: Array("\n abcé☺".utf8), vocabulary: 8)
    func back() throws -> TokenizerRecord {
      let model = try HuggingFace(checkpoint, inner: 80, epsilon: 1e-6, addsSpaceBefore: false, withHeads: false)
      let file = try #require(model.files.first { $0.name == "tokenizer.json" })
      return try HuggingFace.tokenizer(
        .init(document: file.bytes), vocabulary: checkpoint.tokenizer.vocabulary, folder: "d")
    }
    #expect(try back() == checkpoint.tokenizer)
    checkpoint.tokenizer = TokenizerRecord(kind: "bytes", model: [], vocabulary: 256)
    #expect(try back() == checkpoint.tokenizer)
  }

  @Test(arguments: [
    (#"["a b","▁ ab","▁a b","▁ a"]"#, #""merges":["a b","▁ ab","▁ a"]"#, "merges differ from those"),
    (#""byte_fallback":true"#, #""byte_fallback":false"#, "with byte_fallback"),
    (#""type":"BPE""#, #""type":"WordPiece""#, "its model is WordPiece"),
    (#""prepend":"▁""#, #""prepend":"x""#, "treats spaces"),
    (#""pre_tokenizer":null"#, #""pre_tokenizer":{"type":"ByteLevel"}"#, "its normalizer changes the text (Prepend)"),
    (#""ab":259"#, #""ab":260"#, "the ids of its tokens"),
  ])
  func `a tokenizer that foretop does not have is refused with the reason`(
    old: String, new: String, reason: String
  ) throws {
    let old = new.hasPrefix("\"merges\"") ? "\"merges\":" + old : old
    let range = try #require(Self.llamaDocument.range(of: old))
    let error = #expect(throws: UserError.self) {
      try tokenizer(Self.llamaDocument.replacingCharacters(in: range, with: new), vocabulary: 266)
    }
    #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")")
  }

  @Test(arguments: ["gpt2", "smollm", "llama3", "qwen"])
  func `a byte-level BPE is taken over, filled up, and goes out again`(name: String) throws {
    let source = try Room.bytePairs(name)
    func taken(_ document: [UInt8], _ vocabulary: Int) throws -> TokenizerRecord {
      try HuggingFace.tokenizer(.init(document: document), vocabulary: vocabulary, folder: "d")
    }
    #expect(try taken(source.model, 420) == source)
    #expect(throws: UserError.self) { try taken(source.model, 419) }
    // The network has more tokens than the tokenizer, as many have.
    let padded = try taken(source.model, 448)
    #expect(padded.kind == "bpe" && padded.vocabulary == 448)
    let (few, many) = (try Tokenizer(kind: "bpe", model: source.model), try Tokenizer(kind: "bpe", model: padded.model))
    #expect(many.vocabulary == 448 && many.visible(447) == "⟨unused 447⟩")
    let text = "In the beginning, 123 ½ 日本語\n\n  don't"
    #expect(many.tokens(of: text) == few.tokens(of: text))
    // Named in tokenizer.model it is taken as well.
    #expect(try HuggingFace.tokenizer(.init(model: source.model), vocabulary: 420, folder: "d") == source)
    var (checkpoint, _, _) = try Room.network { _ in }
    checkpoint.tokenizer = padded
    let model = try HuggingFace(checkpoint, inner: 80, epsilon: 1e-6, addsSpaceBefore: false, withHeads: false)
    let file = try #require(model.files.first { $0.name == "tokenizer.json" })
    #expect(
      try Tokenizer(kind: "bpe", model: taken(file.bytes, 448).model).tokens(of: text) == few.tokens(of: text))
  }

  @Test func `a tokenizer with more tokens than the network is refused`() {
    let error = #expect(throws: UserError.self) { try tokenizer(Self.llamaDocument, vocabulary: 265) }
    #expect(error?.message.contains("makes 266 tokens, and the network has only 265") == true)
  }
}
