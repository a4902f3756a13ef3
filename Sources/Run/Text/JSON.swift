// JSON as it is printed: keys in the order they were given, and floats as short as they can be and still be read back
// exactly. Everything that `--json` prints goes through here.

/// A value to print as JSON.
package enum JSON: Sendable, Equatable {
  /// A key with its value.
  package struct Member: Sendable, Equatable {
    package var key: String
    package var value: JSON

    package init(_ key: String, _ value: JSON) {
      self.key = key
      self.value = value
    }
  }

  case object([Member])
  case array([JSON])
  case text(String)
  case integer(Int)
  case unsigned(UInt64)
  /// Infinities and NaN, which JSON has no numbers for, become the texts `Infinity`, `-Infinity` and `NaN`.
  case float(Float)
  case double(Double)
  case flag(Bool)
  case null

  /// An array of an object an element.
  package static func objects<Element>(_ elements: [Element], _ members: (Element) throws -> [Member]) rethrows -> JSON
  {
    .array(try elements.map { .object(try members($0)) })
  }

  /// One line, without spaces.
  package var line: String {
    var line = ""
    write(to: &line)
    return line
  }

  /// Puts a value in at a path of keys, making the objects on the way.
  package mutating func put(_ value: JSON, at path: some Collection<some StringProtocol>) {
    guard let first = path.first else {
      self = value
      return
    }
    guard case .object(var members) = self else {
      preconditionFailure("a key can be put into an object only")
    }
    let index =
      members.firstIndex { $0.key == first }
      ?? {
        members.append(Member(String(first), .object([])))
        return members.count - 1
      }()
    members[index].value.put(value, at: path.dropFirst())
    self = .object(members)
  }

  private func write(to line: inout String) {
    switch self {
    case .object(let members):
      line += "{"
      for (index, member) in members.enumerated() {
        if index > 0 { line += "," }
        Self.quote(member.key, to: &line)
        line += ":"
        member.value.write(to: &line)
      }
      line += "}"
    case .array(let values):
      line += "["
      for (index, value) in values.enumerated() {
        if index > 0 { line += "," }
        value.write(to: &line)
      }
      line += "]"
    case .text(let text): Self.quote(text, to: &line)
    case .integer(let value): line += String(value)
    case .unsigned(let value): line += String(value)
    case .float(let value): line += value.isFinite ? "\(value)" : Self.nameOfNonFinite(Double(value))
    case .double(let value): line += value.isFinite ? "\(value)" : Self.nameOfNonFinite(value)
    case .flag(let value): line += value ? "true" : "false"
    case .null: line += "null"
    }
  }

  private static func nameOfNonFinite(_ value: Double) -> String {
    value.isNaN ? "\"NaN\"" : value > 0 ? "\"Infinity\"" : "\"-Infinity\""
  }

  private static func quote(_ text: String, to line: inout String) {
    line += "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": line += "\\\""
      case "\\": line += "\\\\"
      case "\n": line += "\\n"
      case "\r": line += "\\r"
      case "\t": line += "\\t"
      // Control characters must be escaped; what else a terminal would obey is, since JSON is looked at too.
      case _ where scalar.steersTerminals: line += scalar.escapedForJSON
      default: line.unicodeScalars.append(scalar)
      }
    }
    line += "\""
  }
}
