// How a cell looks, and text that carries its looks with it.

/// A colour's role and the attributes that also work without colour.
package struct Style: Hashable, Sendable {
  package struct Attributes: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }
    package static let bold = Attributes(rawValue: 1)
    package static let dim = Attributes(rawValue: 2)
    package static let underline = Attributes(rawValue: 4)
    package static let reverse = Attributes(rawValue: 8)
  }

  package var role: Role
  package var attributes: Attributes

  package init(_ role: Role = .plain, _ attributes: Attributes = []) {
    self.role = role
    self.attributes = attributes
  }

  package static let plain = Style()
  package static let bold = Style(.plain, .bold)
  /// Secondary text: grey where there is colour, dim where there is none.
  package static let faint = Style(.faint, .dim)
  package static let frame = Style(.frame, .dim)
  package static let accent = Style(.accent, .bold)
}

/// A piece of a line in one style.
package struct Span: Equatable, Sendable {
  package var text: String
  package var style: Style

  package init(_ text: String, _ style: Style = .plain) {
    self.text = text
    self.style = style
  }

  /// Cells that it takes.
  package var width: Int { text.width }
}

extension [Span] {
  /// Cells that all take together.
  package var width: Int { reduce(0) { $0 + $1.width } }

  package var text: String { map(\.text).joined() }
}
