// How a cell looks, and text that carries its looks with it.

/// A shade of a role's colour.
package struct Tone: Hashable, Sendable {
  /// The place on a ramp over the role's hue: 0 is the role's own colour, 1 the ramp's strongest shade and `Tone.farthest` its
  /// weakest.
  package var place: UInt8
  /// Whether it is the dark shade of what lies behind a line.
  package var isBehind: Bool

  package init(place: Int = 0, isBehind: Bool = false) {
    self.place = UInt8(min(max(place, 0), Self.farthest))
    self.isBehind = isBehind
  }

  package static let farthest = 15
  package static let own = Tone()
}

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
  package var tone: Tone

  package init(_ role: Role = .plain, _ attributes: Attributes = [], tone: Tone = .own) {
    self.role = role
    self.attributes = attributes
    self.tone = tone
  }

  /// The same in bold.
  package var bold: Style { Style(role, attributes.union(.bold), tone: tone) }

  /// The dark shade of the same hue, for raw values behind a line; dim where there is no colour.
  package var behind: Style { Style(role, .dim, tone: Tone(place: Int(tone.place), isBehind: true)) }

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
