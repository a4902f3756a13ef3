// Styles of cells, and styled pieces of text.

/// A shade of a role's colour.
package struct Tone: Hashable, Sendable {
  /// The place on a ramp of shades of the role's hue: 0 is the role's own colour, 1 the strongest shade, `Tone.farthest` the
  /// weakest.
  package var place: UInt8
  /// True for the dark shade of values behind a line.
  package var isBehind: Bool

  package init(place: Int = 0, isBehind: Bool = false) {
    self.place = UInt8(min(max(place, 0), Self.farthest))
    self.isBehind = isBehind
  }

  package static let farthest = 15
  package static let own = Tone()
}

/// A role, and attributes that also work without colour.
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
  package var tone: Tone

  package init(_ role: Role = .plain, _ attributes: Attributes = [], tone: Tone = .own) {
    self.role = role
    self.attributes = attributes
    self.tone = tone
  }

  /// This style in bold.
  package var bold: Style { Style(role, attributes.union(.bold), tone: tone) }

  /// The dark shade of this style, for raw values behind a line; dim without colour.
  package var behind: Style { Style(role, .dim, tone: Tone(place: Int(tone.place), isBehind: true)) }

  package static let plain = Style()
  package static let bold = Style(.plain, .bold)
  /// Secondary text: grey; dim without colour.
  package static let faint = Style(.faint, .dim)
  package static let frame = Style(.frame, .dim)
  package static let accent = Style(.accent, .bold)
}

/// A piece of text in one style.
package struct Span: Equatable, Sendable {
  package var text: String
  package var style: Style

  package init(_ text: String, _ style: Style = .plain) {
    self.text = text
    self.style = style
  }

  /// The width in cells.
  package var width: Int { text.width }
}

extension [Span] {
  /// The sum of the widths in cells.
  package var width: Int { reduce(0) { $0 + $1.width } }

  package var text: String { map(\.text).joined() }
}
