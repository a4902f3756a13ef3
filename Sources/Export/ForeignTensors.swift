// The tensors of a Hugging Face checkpoint, in one safetensors file or several, and which of them a network needs.
import Run

/// The tensors of all files of a checkpoint.
package struct ForeignTensors: Sendable {
  /// A tensor of the network, and the place of its numbers.
  package struct Match: Sendable, Equatable {
    package let tensor: Checkpoint.Tensor
    package let file: String
    package let entry: SafeTensors.TensorEntry
    /// True if the file stores the matrix as [in, out].
    let isTurned: Bool
  }

  private var places: [String: (file: String, entry: SafeTensors.TensorEntry)] = [:]
  /// Prefixes that PyTorch's wrappers added to tensor names, such as `_orig_mod`; the names are used without them.
  package private(set) var wrappers: Set<String> = []

  /// The words that torch.compile, FSDP and activation checkpointing insert anywhere in names, and the one that DDP prepends.
  private static let wrapping: Set<Substring> = ["_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"]
  private static let wrappingFirst: Substring = "module"

  /// A tensor's name without these words.
  private mutating func unwrapped(_ name: String) -> String {
    var words: [Substring] = []
    for word in name.split(separator: ".", omittingEmptySubsequences: false) {
      let isWrapper = Self.wrapping.contains(word) || (words.isEmpty && word == Self.wrappingFirst)
      if isWrapper { wrappers.insert(String(word)) } else { words.append(word) }
    }
    return words.joined(separator: ".")
  }

  /// The files that `model.safetensors.index.json` names, sorted, each a plain name.
  /// - Throws: `UserError` when the file is not such an index.
  package static func files(inIndex bytes: [UInt8], source: String) throws -> [String] {
    let json: JSON
    do {
      json = try JSON.read(bytes)
    } catch {
      throw UserError(.data, "\(source) is not JSON: \(error)")
    }
    guard let members = json["weight_map"]?.members, !members.isEmpty else {
      throw UserError(.data, "\(source) has no weight_map")
    }
    return try Set(
      members.map { member in
        guard let file = member.value.string, file.hasSuffix(".safetensors"), !file.contains("/"), !file.hasPrefix(".")
        else {
          throw UserError(.data, "\(source): \(member.key.quotation) is not mapped to a safetensors file beside it")
        }
        return file
      }
    ).sorted()
  }

  package init() {}

  /// Adds a file's tensors.
  /// - Throws: `UserError` when another file has one of them.
  package mutating func add(_ entries: [SafeTensors.TensorEntry], of file: String) throws {
    for entry in entries {
      let name = unwrapped(entry.name)
      if let other = places[name] {
        guard other.file == file else { throw UserError(.data, "\(name) is both in \(other.file) and in \(file)") }
        throw UserError(.data, "\(file) has \(name) twice, as \(other.entry.name) and as \(entry.name)")
      }
      places[name] = (file, entry)
    }
  }

  package var files: Int { Set(places.values.map(\.file)).count }
  /// The storage of the numbers, such as `BF16`.
  package var storages: [String] { Set(places.values.map(\.entry.storage.rawValue)).sorted() }

  /// The kinds of heads on the trunk, except NTP.
  private static var furtherKinds: [(kind: HeadKind, tensor: String)] {
    HeadKind.all.filter { $0.name != HeadKind.nextToken.name }.compactMap { kind in
      kind.tensorName.map { (kind, "\($0).") }
    }
  }

  /// True if the checkpoint has the unembedding of such a head, as foretop's own exports with `--with-heads` do.
  package func has(_ kind: HeadKind) -> Bool { kind.tensorName.map { places["\($0).weight"] != nil } ?? false }

  /// Gives weight 1 to the heads on the trunk that the checkpoint has beside NTP, as foretop's own exports may.
  /// - Parameter keepingOthers: true if missing heads keep their weights; otherwise they get 0.
  package func setWeights(of recipe: inout Recipe, keepingOthers: Bool) {
    for (kind, _) in Self.furtherKinds {
      guard case .number(let path) = kind.weight else { continue }
      if has(kind) {
        recipe[keyPath: path] = 1
      } else if !keepingOthers {
        recipe[keyPath: path] = 0
      }
    }
  }

  /// True if the checkpoint has Fetch, and with it JTP's heads.
  package var hasFetch: Bool { places["\(NetworkShape.fetchOut.replacing("/", with: ".")).weight"] != nil }

  /// The number of MTP heads, including the NTP head.
  package var multiTokenHeads: Int {
    // The names of a block's first norm in Llama and GPT-2.
    1
      + places.keys.count { name in
        name.hasPrefix("mtp.heads.") && [".input_layernorm.weight", ".ln_1.weight"].contains { name.hasSuffix($0) }
      }
  }
  package var isSequential: Bool {
    places.keys.contains { $0.hasPrefix("mtp.heads.") && $0.hasSuffix(".eh_proj.weight") }
  }

  /// Finds the tensors of a network.
  /// - Parameters:
  ///   - tensors: the network's tensors with foretop's names.
  ///   - configuration: the checkpoint's config.json. With tied embeddings, a stored copy of them is ignored.
  /// - Returns: the place of each tensor, and the tensors of heads that the checkpoint does not have.
  /// - Throws: `UserError` that names all tensors that are unknown, missing, of another shape or of an unsupported type.
  package func matches(
    _ tensors: [Checkpoint.Tensor], of configuration: ForeignConfiguration, source: String
  ) throws -> (found: [Match], new: [Checkpoint.Tensor]) {
    let architecture = configuration.architecture
    var found: [Match] = []
    var new: [Checkpoint.Tensor] = []
    var missing: [String] = []
    var wrong: [String] = []
    var unknown = Set(places.keys).filter { !Self.isBuffer($0) }
    for tensor in tensors {
      var name = SafeTensors.name(tensor)
      // Checkpoints of the trunk alone, such as GPT-2's own, omit the first word of names.
      if places[name] == nil, tensor.path.hasPrefix(architecture.trunk) {
        let short = String(name.dropFirst(architecture.trunk.count))
        if places[short] != nil { name = short }
      }
      guard let place = places[name] else {
        let isOfHead = name.hasPrefix("mtp.") || Self.furtherKinds.contains { name.hasPrefix($0.tensor) }
        if isOfHead { new.append(tensor) } else { missing.append(name) }
        continue
      }
      unknown.remove(name)
      let isTurned = architecture.isTurned(tensor)
      let shape = isTurned ? tensor.shape.reversed() : tensor.shape
      if place.entry.shape != shape {
        wrong.append("\(name) has the shape \(place.entry.shape), and config.json makes it \(shape)")
      } else if !place.entry.storage.isRead {
        wrong.append("\(name) is stored as \(place.entry.storage.rawValue), and foretop reads F32, F16 and BF16")
      } else {
        found.append(Match(tensor: tensor, file: place.file, entry: place.entry, isTurned: isTurned))
      }
    }
    if configuration.isTied { unknown.remove("lm_head.weight") }
    let problems =
      Self.words("missing", missing) + Self.words("unknown", unknown.sorted()) + Self.words("wrong", wrong)
    guard problems.isEmpty else {
      throw UserError(
        .data, "\(source) is not the network that its config.json describes: \(problems.joined(separator: "; "))")
    }
    return (found, new)
  }

  /// True for tensors that old checkpoints store beside the weights: tables of rotary positions, and GPT-2's causal mask.
  private static func isBuffer(_ name: String) -> Bool {
    [".self_attn.rotary_emb.inv_freq", ".attn.bias", ".attn.masked_bias"].contains { name.hasSuffix($0) }
  }

  /// `2 tensors are missing (a, b)`; empty for an empty list. A long list is cut.
  private static func words(_ what: String, _ names: [String]) -> [String] {
    guard !names.isEmpty else { return [] }
    let rest = names.count > 8 ? ", and \(names.count - 8) more" : ""
    let count = names.count == 1 ? "1 tensor is" : "\(names.count) tensors are"
    return ["\(count) \(what) (\(names.prefix(8).map(\.harmlessLine).joined(separator: ", "))\(rest))"]
  }
}

extension Checkpoint {
  /// Fills its tensors from another checkpoint.
  /// - Parameters:
  ///   - folder: the checkpoint's folder, for messages.
  ///   - read: reads the numbers of a match in the order of the file.
  /// - Throws: the errors of `read`, and `UserError` for a number that is not finite.
  package mutating func fill(
    _ found: [ForeignTensors.Match], from folder: String,
    reading read: (ForeignTensors.Match, UnsafeMutablePointer<Float>) throws -> Void
  ) throws {
    try weights.withUnsafeMutableBufferPointer { weights in
      for match in found {
        let tensor = match.tensor
        let numbers = UnsafeMutableBufferPointer(rebasing: weights[tensor.offset..<tensor.offset + tensor.count])
        guard let base = numbers.baseAddress else { continue }
        try read(match, base)
        if let place = numbers.firstIndex(where: { !$0.isFinite }) {
          throw UserError(
            .data,
            "\(match.entry.name) in \(folder)/\(match.file) has \(numbers[place]) at place \(place): a network with a number that is not finite cannot be trained or run"
          )
        }
        if match.isTurned { HuggingFace.transpose(numbers, rows: tensor.shape[1], columns: tensor.shape[0]) }
      }
    }
  }
}
