// Palettes, which give roles their colours, for dark and light backgrounds and for terminals of every depth.
import Synchronization

/// The number of colours that a terminal shows.
package enum ColourDepth: String, Sendable, CaseIterable { case truecolor, palette256 = "256", palette16 = "16", mono }

/// A foreground colour in the form that a terminal understands. The background is always the terminal's own.
package enum Ink: Hashable, Sendable {
  case terminal
  case indexed(UInt8)
  case rgb(RGB)
}

/// A palette: a colour for every role.
package struct Palette: Sendable, Equatable {
  package let name: String
  /// True if the palette is made for a light background.
  package let isLight: Bool
  private let colours: [RGB?]

  package static func == (one: Palette, other: Palette) -> Bool { one.name == other.name }

  private init(_ name: String, isLight: Bool = false, _ colour: (Role) -> RGB?) {
    self.name = name
    self.isLight = isLight
    colours = Role.allCases.map(colour)
  }

  /// The colour of a role; nil is the terminal's own foreground.
  package subscript(role: Role) -> RGB? { colours[Int(role.rawValue)] }

  /// The colour of a style including its shade; nil is the terminal's own foreground.
  package func colour(of style: Style) -> RGB? {
    guard var colour = self[style.role] ?? (style.tone == .own ? nil : self[.faint]) else { return nil }
    if style.tone.place > 0 { colour = shade(Int(style.tone.place), of: colour) }
    return style.tone.isBehind ? colour.mixed(with: background, isLight ? 0.66 : 0.68) : colour
  }

  /// A shade of a colour: from the strongest, 1, to the weakest, which is less than half of the way to the background's brightness.
  private func shade(_ place: Int, of colour: RGB) -> RGB {
    let share = Double(place - 1) / Double(Tone.farthest - 1)
    let (near, far) = (colour.mixed(with: foreground, 0.5), colour.mixed(with: background, 0.42))
    return near.mixed(with: far, share)
  }

  /// The inks of roles and tones in 256 colours that were asked for, by the palette's name; 0 where none was.
  private static let inks256 = Mutex<[String: [UInt8]]>([:])

  /// The ink of a style in 256 colours. A role's ramp is looked for once: it takes a millisecond.
  private func ink256(_ style: Style, _ colour: RGB) -> UInt8 {
    let (places, place) = (Tone.farthest + 1, Int(style.tone.place))
    let start = Int(style.role.rawValue) * 2 * places
    let index = start + place + (style.tone.isBehind ? places : 0)
    if let known = Self.inks256.withLock({ $0[name]?[index] }), known > 0 { return known }
    let isOfRamp = place > 0 && !style.tone.isBehind
    let own = self[style.role] ?? self[.faint] ?? colour
    let found =
      isOfRamp ? IndexedColour.ramp((1...Tone.farthest).map { shade($0, of: own) }) : [colour.nearest256]
    return Self.inks256.withLock { inks in
      var row = inks[name] ?? [UInt8](repeating: 0, count: Role.allCases.count * 2 * places)
      let first = isOfRamp ? start + 1 : index
      row.replaceSubrange(first..<first + found.count, with: found)
      inks[name] = row
      return row[index]
    }
  }

  private var background: RGB { isLight ? RGB(255, 255, 255) : RGB(16, 18, 22) }
  private var foreground: RGB { isLight ? RGB(0, 0, 0) : RGB(255, 255, 255) }

  /// The ink of a style on a terminal of this depth.
  package func ink(_ style: Style, depth: ColourDepth) -> Ink {
    guard let colour = colour(of: style) else { return .terminal }
    switch depth {
    case .truecolor: return .rgb(colour)
    case .palette256: return .indexed(ink256(style, colour))
    case .palette16: return sixteen(style.role).map { .indexed($0) } ?? .terminal
    case .mono: return .terminal
    }
  }

  /// The ANSI colour 0…15 for a role. nil is the terminal's own foreground: on many terminals the ANSI grey is as dark as the
  /// background.
  private func sixteen(_ role: Role) -> UInt8? {
    switch role {
    case .plain, .faint, .frame: nil
    case .accent, .first: isLight ? 4 : 14
    case .second: isLight ? 1 : 11
    case .third: isLight ? 2 : 10
    case .fourth: isLight ? 5 : 13
    case .good: isLight ? 2 : 10
    case .warning: isLight ? 5 : 11
    case .bad: isLight ? 1 : 9
    }
  }

  /// Okabe and Ito's colours (2008), which are distinct under every kind of colour blindness.
  package static let okabe = Palette("okabe") { role in
    switch role {
    case .plain: nil
    case .faint: RGB(138, 138, 138)
    case .frame: RGB(84, 88, 96)
    case .accent: RGB(86, 180, 233)
    case .first: RGB(86, 180, 233)
    case .second: RGB(230, 159, 0)
    case .third: RGB(0, 178, 130)
    case .fourth: RGB(204, 121, 167)
    case .good: RGB(0, 178, 130)
    case .warning: RGB(230, 159, 0)
    case .bad: RGB(226, 94, 20)
    }
  }

  /// Paul Tol's “bright” colours (2021), with other hues for the same roles.
  package static let tol = Palette("tol") { role in
    switch role {
    case .plain: nil
    case .faint: RGB(138, 138, 138)
    case .frame: RGB(84, 88, 96)
    case .accent: RGB(102, 204, 238)
    case .first: RGB(102, 204, 238)
    case .second: RGB(238, 102, 119)
    case .third: RGB(204, 187, 68)
    case .fourth: RGB(190, 100, 180)
    case .good: RGB(60, 170, 90)
    case .warning: RGB(204, 187, 68)
    case .bad: RGB(238, 102, 119)
    }
  }

  /// Okabe and Ito's hues, darkened for a light background.
  package static let day = Palette("day", isLight: true) { role in
    switch role {
    case .plain: nil
    case .faint: RGB(104, 104, 104)
    case .frame: RGB(168, 168, 168)
    case .accent: RGB(0, 94, 158)
    case .first: RGB(0, 94, 158)
    case .second: RGB(182, 92, 0)
    case .third: RGB(0, 122, 84)
    case .fourth: RGB(158, 62, 118)
    case .good: RGB(0, 122, 84)
    case .warning: RGB(158, 84, 0)
    case .bad: RGB(190, 44, 0)
    }
  }

  package static let all = [okabe, tol, day]

  /// The next palette of `all`; after the last one comes the first.
  package var next: Palette {
    let index = Self.all.firstIndex(of: self) ?? 0
    return Self.all[(index + 1) % Self.all.count]
  }
}
