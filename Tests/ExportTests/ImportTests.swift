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

  func safetensors(_ checkpoint: Checkpoint, withHeads: Bool = true) throws -> [UInt8] {
    let model = try HuggingFace(
      checkpoint, inner: 80, epsilon: Float(checkpoint.recipe.model.normEpsilon), addsSpaceBefore: false,
      withHeads: withHeads)
    var bytes: [UInt8] = []
    SafeTensors.write(model.tensors, of: model.source, notes: [("format", "pt")]) { bytes += $0 }
    return bytes
  }

  func config(_ checkpoint: Checkpoint) throws -> [UInt8] {
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
}
