// Text that somebody else may have written, on its way to a terminal: it is shown, and the terminal does not obey it.

extension String {
  /// The same text with control, direction and invisible steering characters as `·`; line ends stay.
  package var harmless: String { harmless(keeping: "\n") }

  /// The same text on one line.
  package var harmlessLine: String { harmless(keeping: nil) }

  private func harmless(keeping kept: Unicode.Scalar?) -> String {
    // Nearly every text is harmless, and stays as it is.
    guard unicodeScalars.contains(where: { $0.steersTerminals && $0 != kept }) else { return self }
    return String(String.UnicodeScalarView(unicodeScalars.map { $0.steersTerminals && $0 != kept ? "·" : $0 }))
  }
}

extension Unicode.Scalar {
  /// Whether a terminal may do something else with it than show it: move, erase, colour, reorder, answer.
  fileprivate var steersTerminals: Bool {
    switch value {
    case 0..<0x20, 0x7F..<0xA0, 0x61C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069, 0xFFF9...0xFFFB: true
    default: false
    }
  }
}
