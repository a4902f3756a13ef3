// The panels, with the names that layout files use.

/// A panel of a run's screen.
package enum Panel: String, Sendable, CaseIterable {
  case status, losses, heads, order, quality, gradients, memory, tokens, collapse, diagnostics
  case throughput, rate, machine, text, ask, events, recipe, keys

  /// The smallest useful size in columns and rows, including the box.
  package var minimum: (columns: Int, rows: Int) {
    switch self {
    case .status: (1, 1)
    case .losses: (24, 6)
    case .heads: (20, 3)
    case .order: (24, 5)
    case .quality: (24, 5)
    case .gradients: (24, 6)
    case .memory: (24, 5)
    case .tokens, .collapse, .diagnostics: (24, 6)
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

  /// True for the bars, which have neither box nor focus.
  var isBar: Bool { self == .status || self == .keys }
}
