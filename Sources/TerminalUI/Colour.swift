// Roles, which are the meanings of colours, and colours as numbers.

/// The meaning of a cell's colour. Panels use roles only; a palette gives each role its colour.
package enum Role: UInt8, Sendable, CaseIterable {
  /// The terminal's own foreground.
  case plain
  /// Secondary text, bands of raw values, disabled keys.
  case faint
  /// Borders and axes.
  case frame
  /// Names of keys, and the focused panel.
  case accent
  /// Lines of a chart, which differ in their marks as well.
  case first, second, third, fourth
  case good, warning, bad
}

/// A colour in sRGB, 0…255 per channel.
package struct RGB: Hashable, Sendable {
  package var red: UInt8
  package var green: UInt8
  package var blue: UInt8

  package init(_ red: UInt8, _ green: UInt8, _ blue: UInt8) {
    self.red = red
    self.green = green
    self.blue = blue
  }

  /// The mixture with another colour: `share` 0 is this colour, 1 the other one.
  package func mixed(with other: RGB, _ share: Double) -> RGB {
    func mix(_ one: UInt8, _ two: UInt8) -> UInt8 {
      UInt8(min(max((Double(one) + (Double(two) - Double(one)) * share).rounded(), 0), 255))
    }
    return RGB(mix(red, other.red), mix(green, other.green), mix(blue, other.blue))
  }

  /// The luma 0…1 with the weights of ITU-R BT.709, from the channels without removing the screen's gamma.
  package var brightness: Double {
    (0.2126 * Double(red) + 0.7152 * Double(green) + 0.0722 * Double(blue)) / 255
  }
}
