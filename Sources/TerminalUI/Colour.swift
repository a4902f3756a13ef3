// What a colour means, and what a terminal can show of it: truecolor → 256 → 16 → none, as pure functions.

/// The meaning of a cell's colour. A palette gives each role a colour, so that panels never name colours.
package enum Role: UInt8, Sendable, CaseIterable {
  /// The terminal's own foreground.
  case plain
  /// Secondary text, raw bands, disabled keys.
  case faint
  /// Borders and axes.
  case frame
  /// Names of keys and what has the focus.
  case accent
  /// Lines of a chart; they differ in mark as well.
  case first, second, third, fourth
  case good, warning, bad
}

/// A colour in red, green, blue, 0…255 each.
package struct RGB: Hashable, Sendable {
  package var red: UInt8
  package var green: UInt8
  package var blue: UInt8

  package init(_ red: UInt8, _ green: UInt8, _ blue: UInt8) {
    self.red = red
    self.green = green
    self.blue = blue
  }

  private func distance(to other: RGB) -> Int {
    let r = Int(red) - Int(other.red)
    let g = Int(green) - Int(other.green)
    let b = Int(blue) - Int(other.blue)
    return r * r + g * g + b * b
  }

  /// The nearest of xterm's 6 × 6 × 6 cube (16…231) and its grey ramp (232…255).
  package var nearest256: UInt8 {
    let levels: [Int] = [0, 95, 135, 175, 215, 255]
    func level(_ value: UInt8) -> Int {
      levels.indices.min { abs(levels[$0] - Int(value)) < abs(levels[$1] - Int(value)) }!
    }
    let (r, g, b) = (level(red), level(green), level(blue))
    let cube = RGB(UInt8(levels[r]), UInt8(levels[g]), UInt8(levels[b]))
    let mean = (Int(red) + Int(green) + Int(blue)) / 3
    let step = min(max((mean - 3) / 10, 0), 23)
    let grey = RGB(UInt8(8 + 10 * step), UInt8(8 + 10 * step), UInt8(8 + 10 * step))
    return distance(to: grey) < distance(to: cube) ? UInt8(232 + step) : UInt8(16 + 36 * r + 6 * g + b)
  }

  /// The ANSI colour 0…15 of the same hue; greys by brightness. By hue and not by distance, since terminals colour the
  /// sixteen as they like.
  package var nearest16: UInt8 {
    let highest = max(red, green, blue)
    let lowest = min(red, green, blue)
    let spread = Int(highest) - Int(lowest)
    if spread * 4 < Int(highest) || highest < 40 {
      switch highest {
      case ..<64: return 0
      case ..<150: return 8
      case ..<224: return 7
      default: return 15
      }
    }
    // A channel counts when it is above the middle between the lowest and the highest.
    let middle = (Int(highest) + Int(lowest)) / 2
    let index = (Int(red) > middle ? 1 : 0) | (Int(green) > middle ? 2 : 0) | (Int(blue) > middle ? 4 : 0)
    return UInt8(index) + (highest > 220 ? 8 : 0)
  }
}

/// How many colours a terminal shows.
package enum ColourDepth: String, Sendable, CaseIterable { case truecolor, palette256 = "256", palette16 = "16", mono }

/// A foreground colour as a terminal takes it. The background is always the terminal's own.
package enum Ink: Hashable, Sendable {
  case terminal
  case indexed(UInt8)
  case rgb(RGB)
}

/// A colour for every role.
package struct Palette: Sendable, Equatable {
  package let name: String
  private let colours: [RGB?]

  package static func == (one: Palette, other: Palette) -> Bool { one.name == other.name }

  private init(_ name: String, _ colour: (Role) -> RGB?) {
    self.name = name
    colours = Role.allCases.map(colour)
  }

  /// The colour of a role; nil is the terminal's own foreground.
  package subscript(role: Role) -> RGB? { colours[Int(role.rawValue)] }

  /// The colour of a role as a terminal of this depth takes it.
  package func ink(_ role: Role, depth: ColourDepth) -> Ink {
    guard let colour = self[role] else { return .terminal }
    switch depth {
    case .truecolor: return .rgb(colour)
    case .palette256: return .indexed(colour.nearest256)
    case .palette16: return .indexed(colour.nearest16)
    case .mono: return .terminal
    }
  }

  /// Okabe and Ito's colours (2008), told apart with every kind of colour blindness.
  package static let okabe = Palette("okabe") { role in
    switch role {
    case .plain: nil
    case .faint: RGB(138, 138, 138)
    case .frame: RGB(108, 108, 108)
    case .accent: RGB(86, 180, 233)
    case .first: RGB(86, 180, 233)
    case .second: RGB(230, 159, 0)
    case .third: RGB(0, 158, 115)
    case .fourth: RGB(204, 121, 167)
    case .good: RGB(0, 158, 115)
    case .warning: RGB(230, 159, 0)
    case .bad: RGB(213, 94, 0)
    }
  }

  /// Paul Tol's “bright” colours (2021), with other hues for the same roles.
  package static let tol = Palette("tol") { role in
    switch role {
    case .plain: nil
    case .faint: RGB(138, 138, 138)
    case .frame: RGB(108, 108, 108)
    case .accent: RGB(102, 204, 238)
    case .first: RGB(102, 204, 238)
    case .second: RGB(238, 102, 119)
    case .third: RGB(204, 187, 68)
    case .fourth: RGB(170, 51, 119)
    case .good: RGB(34, 136, 51)
    case .warning: RGB(204, 187, 68)
    case .bad: RGB(238, 102, 119)
    }
  }

  package static let all = [okabe, tol]

  /// The one after this in `all`, which goes round.
  package var next: Palette {
    let index = Self.all.firstIndex(of: self) ?? 0
    return Self.all[(index + 1) % Self.all.count]
  }
}
