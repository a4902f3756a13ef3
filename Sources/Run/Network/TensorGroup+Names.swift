// Names of the parts of a network that gradients are measured by: what columns of files and rows of tables are called.

extension TensorGroup {
  /// `embedding`, `block-0`, `mtp-2`, `heads`.
  package var name: String {
    switch self {
    case .tables: "embedding"
    case .block(let number): "block-\(number)"
    case .furtherHead(let number): "mtp-\(number + 2)"
    case .heads: "heads"
    case .memory: "memory"
    }
  }

  /// The group of that name; nil where there is none.
  package init?(name: String) {
    func number(after prefix: String, atLeast least: Int) -> Int? {
      guard name.hasPrefix(prefix), let number = Int(name.dropFirst(prefix.count)), number >= least,
        name == prefix + String(number)
      else { return nil }
      return number
    }
    if name == "embedding" {
      self = .tables
    } else if name == "heads" {
      self = .heads
    } else if name == "memory" {
      self = .memory
    } else if let number = number(after: "block-", atLeast: 0) {
      self = .block(number)
    } else if let number = number(after: "mtp-", atLeast: 2) {
      self = .furtherHead(number - 2)
    } else {
      return nil
    }
  }
}

extension Recipe {
  /// The parts of this recipe's network whose gradients are stored, in the order of its tensors.
  package var tensorGroups: [TensorGroup] {
    var groups: [TensorGroup] = []
    for section in shape(vocabulary: 1).tensors.map(\.section) where section != .memory && groups.last != section {
      groups.append(section)
    }
    return groups
  }
}
