import Testing

@testable import TerminalUI

struct ColourTests {
  @Test func `the cube and the greys of 256 colours map to themselves`() {
    #expect(RGB(0, 0, 0).nearest256 == 16)
    #expect(RGB(255, 255, 255).nearest256 == 231)
    #expect(RGB(255, 0, 0).nearest256 == 196)
    #expect(RGB(95, 135, 175).nearest256 == 67)
    #expect(RGB(128, 128, 128).nearest256 == 244)
  }

  @Test(arguments: Palette.all)
  func `in 256 colours the ramp of sixteen heads has one hue and no shade twice`(palette: Palette) throws {
    let styles = (1...Tone.farthest).map { Style(.fourth, tone: Tone(place: $0)) }
    let looks = styles.map { style -> Oklab in
      guard case .indexed(let index) = palette.ink(style, depth: .palette256) else { return Oklab(RGB(0, 0, 0)) }
      #expect(index >= 16)
      return IndexedColour.all[Int(index) - 16].look
    }
    #expect(Set(styles.map { palette.ink($0, depth: .palette256) }).count == styles.count)
    let lightness = looks.map(\.lightness)
    #expect(lightness == (palette.isLight ? lightness.sorted() : lightness.sorted(by: >)))
    for (style, look) in zip(styles, looks) {
      let wanted = Oklab(try #require(palette.colour(of: style)))
      #expect(look.isColourful && look.angle(to: wanted) < 0.45, "\(palette.name) \(style.tone.place)")
    }
  }

  @Test(arguments: Palette.all)
  func `a colour keeps its hue in 256 colours, behind a line as well`(palette: Palette) throws {
    for role in Role.allCases {
      for style in [Style(role), Style(role).behind] {
        guard let colour = palette.colour(of: style) else { continue }
        let (wanted, look) = (Oklab(colour), IndexedColour.all[Int(colour.nearest256) - 16].look)
        #expect(wanted.isColourful == look.isColourful, "\(palette.name) \(role)")
        if wanted.isColourful { #expect(look.angle(to: wanted) < 0.45, "\(palette.name) \(role)") }
      }
    }
  }

  @Test(arguments: Palette.all)
  func `lines of a chart differ at every depth that has colour`(palette: Palette) {
    for depth in [ColourDepth.truecolor, .palette256, .palette16] {
      let inks = [Role.first, .second, .third, .fourth].map { palette.ink(Style($0), depth: depth) }
      #expect(Set(inks).count == 4, "\(palette.name) at \(depth): \(inks)")
    }
    for role in Role.allCases { #expect(palette.ink(Style(role), depth: .mono) == .terminal) }
    #expect(palette.ink(.plain, depth: .truecolor) == .terminal)
  }

  @Test(arguments: Palette.all)
  func `the shades of a ramp differ, and what lies behind a line is nearer to the background`(palette: Palette) {
    let shades = (1...Tone.farthest).map { palette.colour(of: Style(.fourth, tone: Tone(place: $0)))! }
    #expect(Set(shades).count == shades.count)
    let brightness = shades.map(\.brightness)
    #expect(brightness == (palette.isLight ? brightness.sorted() : brightness.sorted(by: >)))
    for role in [Role.first, .second, .third, .fourth] {
      let (line, behind) = (palette.colour(of: Style(role))!, palette.colour(of: Style(role).behind)!)
      #expect(palette.isLight == (behind.brightness > line.brightness))
    }
  }

  @Test func `sixteen colours never have text in bright black, which many terminals draw black`() {
    for palette in Palette.all {
      for role in Role.allCases {
        #expect(palette.ink(Style(role), depth: .palette16) != .indexed(8))
        #expect(palette.ink(Style(role).behind, depth: .palette16) != .indexed(8))
      }
    }
  }
}
