// Reads an experiment from YAML.
import Foundation
import Run
import Yams

extension ExperimentFile {
  private static let keys = ["recipe", "set", "settings", "factors", "grid", "seeds", "threads", "metrics", "against"]

  /// Reads an experiment. Its settings are all combinations of one entry of `settings`, one entry of each mapping in `factors`,
  /// and one value of each list in `grid`.
  /// - Parameters:
  ///   - source: the file's path, for messages.
  ///   - name: the experiment's name.
  /// - Throws: `UserError` with source and line.
  package init(yaml: String, source: String, name: String) throws {
    let reader = ExperimentReader(source: source)
    guard let mapping = try YAML.root(of: yaml, what: "an experiment", source: source)?.mapping else {
      throw UserError(.data, "\(source): an experiment is a list of keys with values, such as “recipe: tiny”")
    }
    var recipe: String?
    var factors: [[ExperimentSetting]] = []
    self.init(name: name, recipe: "", settings: [], seeds: [1])
    for (node, value) in mapping {
      let key = node.string ?? ""
      switch key {
      case "recipe": recipe = try reader.text(value, of: key)
      case "set": changes = try reader.assignments(value, of: key)
      case "settings": factors.insert(try reader.settings(value, of: key), at: 0)
      case "factors":
        for (name, inner) in try reader.entries(value, of: key) { factors.append(try reader.settings(inner, of: name)) }
      case "grid":
        for (name, inner) in try reader.entries(value, of: key) { factors.append(try reader.grid(inner, of: name)) }
      case "seeds": seeds = try reader.seeds(value)
      case "threads":
        guard let count = Int(try reader.text(value, of: key)), (1...1024).contains(count) else {
          throw reader.error(value, "threads must be a whole number from 1 to 1024")
        }
        threads = count
      case "metrics": metrics = try reader.texts(value, of: key)
      case "against": against = try reader.text(value, of: key)
      default:
        let meant =
          Self.keys.nearest(to: key).map { "; did you mean \($0)?" }
          ?? "; the keys are \(Self.keys.joined(separator: ", "))"
        throw reader.error(node, "an experiment has no key \(key.quotation)\(meant)")
      }
    }
    guard let recipe else {
      throw UserError(.data, "\(source): recipe is missing: name a recipe, such as “recipe: stargraph-quick”")
    }
    self.recipe = recipe
    let count = factors.reduce(1) { count, factor in
      let (product, isTooMuch) = count.multipliedReportingOverflow(by: factor.count)
      return isTooMuch ? .max : product
    }
    guard count <= Self.mostCells / seeds.count else {
      throw UserError(
        .data,
        "\(source): \(count) settings with \(seeds.count) seeds are more than \(Self.mostCells) runs: leave some out")
    }
    settings = Self.combined(factors)
    let names = settings.map(\.name)
    if let twice = names.first(where: { name in names.count { $0 == name } > 1 }) {
      throw UserError(.data, "\(source): two settings are called \(twice.quotation)")
    }
    if let against, !names.contains(against) {
      throw UserError(
        .data, "\(source): against names \(against.quotation), but the settings are \(names.joined(separator: ", "))")
    }
  }

  /// All combinations of one setting per factor: their names joined by commas, their changes in the order of the factors.
  package static func combined(_ factors: [[ExperimentSetting]]) -> [ExperimentSetting] {
    var all = [ExperimentSetting("", [])]
    for factor in factors {
      all = all.flatMap { before in
        factor.map {
          ExperimentSetting(before.name.isEmpty ? $0.name : "\(before.name),\($0.name)", before.changes + $0.changes)
        }
      }
    }
    return all.count == 1 && all[0].name.isEmpty ? [ExperimentSetting("run", all[0].changes)] : all
  }

  /// A setting for each value of a recipe key, named by the key's last word: `rate=1e-3`.
  package static func grid(_ key: String, _ texts: [String]) -> [ExperimentSetting] {
    let word = key.split(separator: ".").last.map(String.init) ?? key
    return texts.map { ExperimentSetting("\(word)=\($0)", [Assignment(key, $0)]) }
  }
}

/// Reads the YAML nodes of an experiment, with errors that name the line.
private struct ExperimentReader {
  let source: String

  func error(_ node: Node, _ sentence: String) -> UserError {
    UserError(.data, "\(source)\(node.mark.map { ":\($0.line)" } ?? ""): \(sentence)")
  }

  func text(_ node: Node, of key: String) throws -> String {
    guard let text = node.scalar?.string, !text.isEmpty else { throw error(node, "\(key) must be one word or number") }
    return text
  }

  /// The text of a scalar, or the texts of a list.
  func texts(_ node: Node, of key: String) throws -> [String] {
    guard let sequence = node.sequence else { return [try text(node, of: key)] }
    let texts = try sequence.map { try text($0, of: key) }
    guard !texts.isEmpty else { throw error(node, "\(key) is an empty list") }
    return texts
  }

  func entries(_ node: Node, of key: String) throws -> [(String, Node)] {
    guard let mapping = node.mapping else { throw error(node, "\(key) must have keys of its own below it") }
    return try mapping.map { (try text($0.key, of: key), $0.value) }
  }

  /// Recipe keys, with dots between their parts, and their values.
  func assignments(_ node: Node, of key: String) throws -> [ExperimentFile.Assignment] {
    if let scalar = node.scalar, ["", "~", "null"].contains(scalar.string) { return [] }
    return try entries(node, of: key).map { name, value in
      if let sequence = value.sequence {
        return ExperimentFile.Assignment(
          name, "[\(try sequence.map { try text($0, of: name) }.joined(separator: ", "))]")
      }
      guard let scalar = value.scalar else {
        throw error(value, "\(name) must have a value: write keys with dots, such as model.width: 64")
      }
      return ExperimentFile.Assignment(name, scalar.string)
    }
  }

  func settings(_ node: Node, of key: String) throws -> [ExperimentFile.ExperimentSetting] {
    let settings = try entries(node, of: key).map { name, value in
      try check(name, node)
      return ExperimentFile.ExperimentSetting(name, try assignments(value, of: name))
    }
    guard !settings.isEmpty else { throw error(node, "\(key) is empty") }
    return settings
  }

  func grid(_ node: Node, of key: String) throws -> [ExperimentFile.ExperimentSetting] {
    let texts = try texts(node, of: key)
    for text in texts { try check(text, node) }
    return ExperimentFile.grid(key, texts)
  }

  /// Checks the name of a setting, which becomes a part of a run's name.
  private func check(_ name: String, _ node: Node) throws {
    let isPlain = name.allSatisfy { $0.isLetter || $0.isNumber || "+-_.=×".contains($0) }
    guard isPlain, name.utf8.count <= 40, name.first.map({ $0.isLetter || $0.isNumber }) == true else {
      throw error(
        node,
        "\(name.quotation) cannot be the name of a setting: it takes letters, digits and + - _ . =, and at most 40 bytes"
      )
    }
  }

  /// The seeds: a list, or a count n for 1…n.
  func seeds(_ node: Node) throws -> [UInt64] {
    let seeds: [UInt64]
    if node.sequence != nil {
      seeds = try texts(node, of: "seeds").map { text in
        guard let seed = UInt64(text) else {
          throw error(node, "\(text.quotation) is not a seed, a whole number from 0 on")
        }
        return seed
      }
    } else {
      guard let count = Int(try text(node, of: "seeds")), (1...ExperimentFile.mostCells).contains(count) else {
        throw error(node, "seeds must be their number, from 1 on, or a list of seeds")
      }
      seeds = (1...UInt64(count)).map { $0 }
    }
    guard Set(seeds).count == seeds.count else { throw error(node, "seeds has a seed twice") }
    return seeds
  }
}
