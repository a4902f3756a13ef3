// The parts of a screen, by the names that layouts call them.

/// A part of a screen.
package enum Panel: String, Sendable, CaseIterable {
  case status, losses, heads, order, quality, gradients, throughput, rate, machine, text, ask, events, recipe, keys

  /// The smallest size at which the panel shows anything useful, including its box: columns and rows.
  package var minimum: (columns: Int, rows: Int) {
    switch self {
    case .status: (1, 1)
    case .losses: (24, 6)
    case .heads: (20, 3)
    case .order: (24, 5)
    case .quality: (24, 5)
    case .gradients: (24, 6)
    case .throughput: (20, 4)
    case .rate: (20, 4)
    case .machine: (20, 4)
    case .text: (16, 3)
    case .ask: (24, 3)
    case .events: (16, 1)
    case .recipe: (20, 4)
    case .keys: (1, 1)
    }
  }

  /// Whether it is a bar, without a box and without focus.
  var isBar: Bool { self == .status || self == .keys }
}
