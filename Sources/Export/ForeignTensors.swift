// The tensors of a Hugging Face checkpoint, in one safetensors file or several, and which of them a network needs.
import Run

/// The tensors of all files of a checkpoint.
package struct ForeignTensors: Sendable {
  /// A tensor of the network's, and where its numbers are.
  package struct Match: Sendable, Equatable {
    package let tensor: Checkpoint.Tensor
    package let file: String
    package let entry: SafeTensors.Entry
  }

  private var places: [String: (file: String, entry: SafeTensors.Entry)] = [:]

  /// The files that `model.safetensors.index.json` names, sorted, each a plain name.
  /// - Throws: `UserError` when it is no such index.
  package static func files(inIndex bytes: [UInt8], source: String) throws -> [String] {
    let json: JSON
    do {
      json = try JSON.read(bytes)
    } catch {
      throw UserError(.data, "\(source) is no JSON: \(error)")
    }
    guard let members = json["weight_map"]?.members, !members.isEmpty else {
      throw UserError(.data, "\(source) has no weight_map")
    }
    return try Set(
      members.map { member in
        guard let file = member.value.string, file.hasSuffix(".safetensors"), !file.contains("/"), !file.hasPrefix(".")
        else { throw UserError(.data, "\(source): “\(member.key)” is not mapped to a safetensors file beside it") }
        return file
      }
    ).sorted()
  }

  package init() {}

  /// Adds a file's tensors.
  /// - Throws: `UserError` when another file has one of them.
  package mutating func add(_ entries: [SafeTensors.Entry], of file: String) throws {
    for entry in entries {
      if let other = places[entry.name] {
        throw UserError(.data, "\(entry.name) is both in \(other.file) and in \(file)")
      }
      places[entry.name] = (file, entry)
    }
  }

  package var files: Int { Set(places.values.map(\.file)).count }
  /// How the numbers are stored, such as `BF16`.
  package var storages: [String] { Set(places.values.map(\.entry.storage.rawValue)).sorted() }

  /// The heads that the checkpoint has beside the next token's, which foretop's own exports may keep.
  package var hasTokenOrder: Bool { places["top_head.weight"] != nil }
  /// MTP heads, the NTP head included.
  package var multiTokenHeads: Int {
    1 + places.keys.count { $0.hasPrefix("mtp.heads.") && $0.hasSuffix(".input_layernorm.weight") }
  }
  package var isSequential: Bool {
    places.keys.contains { $0.hasPrefix("mtp.heads.") && $0.hasSuffix(".eh_proj.weight") }
  }

  /// Finds what a network needs.
  /// - Parameters:
  ///   - tensors: of the network.
  ///   - isTied: whether its unembedding is the embedding; a copy of it in the files is then passed over.
  /// - Returns: where each tensor is, and the tensors of heads that the checkpoint does not have.
  /// - Throws: `UserError` that names everything unknown, missing, of another shape or stored in a way that is not read.
  package func matches(
    _ tensors: [Checkpoint.Tensor], isTied: Bool, source: String
  ) throws -> (found: [Match], new: [Checkpoint.Tensor]) {
    var found: [Match] = []
    var new: [Checkpoint.Tensor] = []
    var missing: [String] = []
    var wrong: [String] = []
    var unknown = Set(places.keys).filter { !$0.hasSuffix(".self_attn.rotary_emb.inv_freq") }
    for tensor in tensors {
      let name = SafeTensors.name(tensor)
      guard let place = places[name] else {
        let isOfHead = name.hasPrefix("top_head.") || name.hasPrefix("mtp.")
        if isOfHead { new.append(tensor) } else { missing.append(name) }
        continue
      }
      unknown.remove(name)
      if place.entry.shape != tensor.shape {
        wrong.append("\(name) has the shape \(place.entry.shape), and config.json makes it \(tensor.shape)")
      } else if !place.entry.storage.isRead {
        wrong.append("\(name) is stored as \(place.entry.storage.rawValue), and foretop reads F32, F16 and BF16")
      } else {
        found.append(Match(tensor: tensor, file: place.file, entry: place.entry))
      }
    }
    if isTied { unknown.remove("lm_head.weight") }
    let problems =
      Self.words("missing", missing) + Self.words("unknown", unknown.sorted()) + Self.words("wrong", wrong)
    guard problems.isEmpty else {
      throw UserError(
        .data, "\(source) is not the network that its config.json describes: \(problems.joined(separator: "; "))")
    }
    return (found, new)
  }

  /// `2 tensors are missing (a, b)`; nothing for none. A list that nobody would read is cut.
  private static func words(_ what: String, _ names: [String]) -> [String] {
    guard !names.isEmpty else { return [] }
    let rest = names.count > 8 ? ", and \(names.count - 8) more" : ""
    let count = names.count == 1 ? "1 tensor is" : "\(names.count) tensors are"
    return ["\(count) \(what) (\(names.prefix(8).joined(separator: ", "))\(rest))"]
  }
}
