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

  @Test func `sixteen colours keep the hue`() {
    #expect(RGB(255, 0, 0).nearest16 == 9)
    #expect(RGB(0, 158, 115).nearest16 == 6 || RGB(0, 158, 115).nearest16 == 2)
    #expect(RGB(86, 180, 233).nearest16 % 8 == 6)
    #expect(RGB(230, 159, 0).nearest16 % 8 == 3)
    #expect(RGB(138, 138, 138).nearest16 == 8)
    #expect(RGB(255, 255, 255).nearest16 == 15)
  }

  @Test(arguments: Palette.all)
  func `lines of a chart differ at every depth that has colour`(palette: Palette) {
    for depth in [ColourDepth.truecolor, .palette256, .palette16] {
      let inks = [Role.first, .second, .third].map { palette.ink($0, depth: depth) }
      #expect(Set(inks).count == 3, "\(palette.name) at \(depth): \(inks)")
    }
    for role in Role.allCases { #expect(palette.ink(role, depth: .mono) == .terminal) }
    #expect(palette.ink(.plain, depth: .truecolor) == .terminal)
  }
}
