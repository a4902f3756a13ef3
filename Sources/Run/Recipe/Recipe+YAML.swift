// Recipes as text: read from YAML and `--set`, written as YAML with every key. The words and ranges are Recipe+Fields'.
import Foundation
import Yams

extension Recipe {
  /// Reads a recipe; keys that are not in it keep their defaults. What holds across keys is checked by `validate`.
  /// - Parameter source: Where the text is from, for messages: the file's path.
  /// - Throws: `UserError` with source, line and the nearest right key or the range.
  package init(yaml: String, source: String) throws {
    var origins = KeyOrigins(source)
    try self.init(yaml: yaml, origins: &origins)
  }

  /// Reads a recipe, and notes at which line each of its keys is.
  /// - Parameter origins: has the text's source.
  /// - Throws: as the other one.
  package init(yaml: String, origins: inout KeyOrigins) throws {
    let source = origins.source
    let document = try Document(yaml, source: source)
    self.init()
    guard case .mapping(let mapping) = document.root else {
      throw document.error(
        at: document.root, "a recipe is a list of keys with values, such as “steps: 1000”, and this is not")
    }
    var lines: [String: Int] = [:]
    for (key, node) in try document.entries(of: mapping, below: "") {
      if let line = lines[key] {
        throw document.error(at: node, "\(key.excerpt) was set before, at line \(line)")
      }
      lines[key] = node.mark?.line ?? 0
      if let line = node.mark?.line { origins.add(key, line: line) }
      guard let field = Self.field(key) else {
        throw document.error(at: node, "there is no key \(key.excerpt)\(Self.suggestion(for: key))")
      }
      guard let value = document.value(of: node, for: field.kind) else {
        throw document.error(
          at: node, field.refusal(of: document.word(of: node), words: document.words(of: node)))
      }
      field.write(&self, value)
    }
  }

  /// Changes one key: `model.width=256`. A list is written `a.txt,b.txt` or as in YAML, `[a.txt, b.txt]`.
  /// - Parameter source: What to begin messages with: the option's name.
  /// - Throws: `UserError` that names the nearest right key or the range.
  package mutating func set(_ assignment: String, source: String) throws {
    guard let equals = assignment.firstIndex(of: "=") else {
      throw UserError(.usage, "\(source) \(assignment.excerpt): write KEY=VALUE, such as model.width=256")
    }
    try set(
      String(assignment[..<equals]).trimmingSpaces, to: String(assignment[assignment.index(after: equals)...]),
      source: "\(source) \(assignment.excerpt)")
  }

  /// Changes one key.
  /// - Parameter source: What to begin messages with: what the user wrote.
  /// - Throws: `UserError` that names the nearest right key or the range.
  package mutating func set(_ key: String, to text: String, source: String) throws {
    if let first = Self.fields.first(where: { $0.section == key && !key.isEmpty }) {
      throw UserError(.usage, "\(source): \(key) is a section: set a key of it, such as \(first.key)")
    }
    guard let field = Self.field(key) else {
      throw UserError(.usage, "\(source): there is no key \(key.quotation)\(Self.suggestion(for: key))")
    }
    let value: Field.Content?
    switch field.kind {
    case .texts where text.trimmingSpaces.hasPrefix("["), .numbers where text.trimmingSpaces.hasPrefix("["):
      let document = try Document(text, source: source, status: .usage)
      value = document.value(of: document.root, for: field.kind)
    case .texts:
      value = .texts(text.split(separator: ",").map { String($0).trimmingSpaces }.filter { !$0.isEmpty })
    case .numbers:
      value = field.kind.value(ofAll: text.split(separator: ",").map { String($0).trimmingSpaces })
    case .text: value = .text(text)
    default: value = field.kind.value(of: text.trimmingSpaces)
    }
    guard let value else {
      throw UserError(.usage, "\(source): \(field.refusal(of: text))")
    }
    field.write(&self, value)
  }

  /// Every key with its value and, as a comment, what it is for. Reading it gives the same recipe, to the bit.
  package var yaml: String {
    lines.reduce(into: "# A recipe of foretop: every key, as it was resolved.\n") { text, line in
      text += line.text
      if !line.about.isEmpty {
        text += String(repeating: " ", count: max(1, 34 - line.text.count)) + "# \(line.about)"
      }
      text += "\n"
    }
  }

  /// The same a line at a time: a section's name, or a key with its value and what it is for.
  package var lines: [(text: String, about: String)] {
    var lines: [(text: String, about: String)] = []
    var section: [Substring] = []
    func indent(_ depth: Int) -> String { String(repeating: "  ", count: depth) }
    for field in Self.fields {
      let path = field.section.split(separator: ".")
      let shared = zip(path, section).prefix { $0 == $1 }.count
      lines += path.enumerated().dropFirst(shared).map { ("\(indent($0.offset))\($0.element):", "") }
      section = path
      lines.append(("\(indent(path.count))\(field.name): \(field.read(self).yaml)", field.about))
    }
    return lines
  }
}

extension Recipe.Field {
  /// Why a value was not taken.
  /// - Parameter text: what stands where a value is needed, where that is one word; else words for it.
  fileprivate func refusal(of text: String?, words: String = "") -> String {
    let sentence = "\(key) must be \(kind.words), and \(text.map(\.quotation) ?? words) is not"
    guard let text else { return sentence }
    if case .choice(let choices) = kind, let meant = choices.nearest(to: text) {
      return sentence + "; did you mean \(meant)?"
    }
    return sentence + kind.remark(on: text.trimmingSpaces)
  }
}

extension Recipe.Field.Content {
  fileprivate var yaml: String {
    switch self {
    case .integer(let value): "\(value)"
    case .unsigned(let value): "\(value)"
    case .number(let value): "\(value)"
    case .flag(let value): "\(value)"
    case .text(let value): Self.quoted(value)
    case .texts(let values): "[\(values.map(Self.quoted).joined(separator: ", "))]"
    case .numbers(let values): "[\(values.map { "\($0)" }.joined(separator: ", "))]"
    }
  }

  /// In double quotes where a plain word would be read as something else.
  private static func quoted(_ text: String) -> String {
    let isPlainWord =
      text.first?.isLetter == true
      && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_/.".contains($0)) }
      && !["true", "false", "null"].contains(text.lowercased())
    if isPlainWord { return text }
    // Yams takes a byte order mark away where a scalar begins with one: it gets another to take.
    var quoted = text.unicodeScalars.first == "\u{FEFF}" ? "\"\\ufeff" : "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": quoted += "\\\(scalar)"
      case "\n": quoted += "\\n"
      case "\t": quoted += "\\t"
      default:
        // YAML forbids some characters, and folds line ends, unless they are escaped.
        let isPrintable =
          (0x20...0x7E).contains(scalar.value) || (0xA0...0x2027).contains(scalar.value)
          || (0x202A...0xD7FF).contains(scalar.value) || (0xE000...0xFEFE).contains(scalar.value)
          || (0xFF00...0xFFFD).contains(scalar.value) || scalar.value > 0xFFFF
        if isPrintable && !scalar.steersTerminals {
          quoted.unicodeScalars.append(scalar)
        } else {
          quoted += scalar.escapedForYAML
        }
      }
    }
    return quoted + "\""
  }
}

/// A parsed YAML text and what its messages begin with.
private struct Document {
  let root: Node
  let source: String
  let status: UserError.Status

  init(_ yaml: String, source: String, status: UserError.Status = .data) throws {
    self.source = source
    self.status = status
    let root: Node?
    do throws(YAML.YAMLFault) {
      root = try YAML.node(of: yaml, what: "a recipe")
    } catch {
      throw UserError(status, Self.place(source, error.line, status) + error.what)
    }
    guard let root, !root.isNull else { throw UserError(status, "\(source): this file has no keys") }
    self.root = root
  }

  func error(at node: Node, _ sentence: String) -> UserError {
    UserError(status, Self.place(source, node.mark?.line, status) + sentence)
  }

  /// What a message begins with. An option has no lines.
  private static func place(_ source: String, _ line: Int?, _ status: UserError.Status) -> String {
    line.flatMap { status == .usage ? nil : "\(source):\($0): " } ?? "\(source): "
  }

  /// Keys, dots between levels, with the nodes of their values, in order. What `<<` merges in comes only where no key of
  /// its own says otherwise.
  func entries(of mapping: Node.Mapping, below section: String) throws -> [(key: String, node: Node)] {
    var entries: [(key: String, node: Node)] = []
    var merged: [(key: String, node: Node)] = []
    for (keyNode, node) in mapping {
      guard case .scalar(let scalar) = keyNode, !scalar.string.isEmpty else {
        throw error(at: keyNode, "a key must be a word such as “steps”")
      }
      if scalar.string == "<<" {
        for source in node.sequence.map(Array.init) ?? [node] {
          guard case .mapping(let other) = source else { throw error(at: node, "<< takes keys with values") }
          merged += try self.entries(of: other, below: section).filter { new in !merged.contains { $0.key == new.key } }
        }
        continue
      }
      let key = section.isEmpty ? scalar.string : "\(section).\(scalar.string)"
      let isSection = Recipe.sections.contains(key)
      // A key below anything but a section is unknown.
      if case .mapping(let inner) = node, isSection || (section.isEmpty && Recipe.field(key) == nil) {
        entries += try self.entries(of: inner, below: key)
      } else if isSection {
        guard node.isNull else {
          throw error(at: node, "\(key.excerpt) is a section: its keys go below it, such as \(firstKey(of: key))")
        }
      } else {
        // The line of the key: that of a value in block style is the next one.
        entries.append((key, node.marked(keyNode.mark)))
      }
    }
    return entries + merged.filter { merge in !entries.contains { $0.key == merge.key } }
  }

  private func firstKey(of section: String) -> String {
    Recipe.fields.first { $0.section == section }?.key ?? section
  }

  /// What a key of this kind makes of a node; nil where it is not what the key takes.
  func value(of node: Node, for kind: Recipe.Field.Domain) -> Recipe.Field.Content? {
    switch (node, kind) {
    case (_, .text) where node.isNull: .text("")
    case (_, .texts) where node.isNull: .texts([])
    case (_, .numbers) where node.isNull: .numbers([])
    case (.sequence(let nodes), .numbers):
      nodes.allSatisfy { $0.scalar != nil && !$0.isNull }
        ? kind.value(ofAll: nodes.compactMap { $0.scalar?.string }) : nil
    case (.scalar(let scalar), _) where !node.isNull: kind.value(of: scalar.string)
    case (.sequence(let nodes), .texts):
      nodes.allSatisfy { $0.scalar != nil && !$0.isNull } ? .texts(nodes.compactMap { $0.scalar?.string }) : nil
    default: nil
    }
  }

  /// A node's value, where it is a word.
  func word(of node: Node) -> String? { node.isNull ? nil : node.scalar?.string }

  /// The kind of a node that is not a scalar, for a message.
  func words(of node: Node) -> String {
    switch node {
    case .scalar: "nothing"
    case .sequence: "a list"
    case .mapping: "a section"
    case .alias: "an alias"
    }
  }
}

extension Node {
  /// Whether this stands for nothing: an empty value, `~` or `null`.
  fileprivate var isNull: Bool {
    guard case .scalar(let scalar) = self, scalar.style == .plain || scalar.style == .any else { return false }
    return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
  }

  fileprivate func marked(_ mark: Mark?) -> Node {
    switch self {
    case .scalar(var scalar):
      scalar.mark = mark
      return .scalar(scalar)
    case .sequence(var sequence):
      sequence.mark = mark
      return .sequence(sequence)
    case .mapping(var mapping):
      mapping.mark = mark
      return .mapping(mapping)
    case .alias: return self
    }
  }
}
