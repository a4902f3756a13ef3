// A terminal's 256 colours: the nearest to a colour, by how colours look, and the nearest to a ramp of shades.
import Glibc

/// A colour by how it looks: its lightness, its chroma and its hue in Björn Ottosson's space Oklab (2020).
struct Oklab: Sendable {
  /// 0, black, to 1, white.
  let lightness: Double
  /// How far it is from grey.
  let chroma: Double
  /// An angle in radians.
  let hue: Double

  init(_ colour: RGB) {
    func linear(_ channel: UInt8) -> Double {
      let value = Double(channel) / 255
      return value <= 0.04045 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4)
    }
    let (red, green, blue) = (linear(colour.red), linear(colour.green), linear(colour.blue))
    let l = cbrt(0.412_221_470_8 * red + 0.536_332_536_3 * green + 0.051_445_992_9 * blue)
    let m = cbrt(0.211_903_498_2 * red + 0.680_699_545_1 * green + 0.107_396_956_6 * blue)
    let s = cbrt(0.088_302_461_9 * red + 0.281_718_837_6 * green + 0.629_978_700_5 * blue)
    lightness = 0.210_454_255_3 * l + 0.793_617_785 * m - 0.004_072_046_8 * s
    let a = 1.977_998_495_1 * l - 2.428_592_205 * m + 0.450_593_709_9 * s
    let b = 0.025_904_037_1 * l + 0.782_771_766_2 * m - 0.808_675_766 * s
    (chroma, hue) = (hypot(a, b), atan2(b, a))
  }

  /// True for a colour whose hue can be told.
  var isColourful: Bool { chroma >= 0.02 }

  /// The angle between two hues in radians, 0…π.
  func angle(to other: Oklab) -> Double {
    let angle = abs(hue - other.hue).truncatingRemainder(dividingBy: 2 * .pi)
    return min(angle, 2 * .pi - angle)
  }

  /// The distance of a substitute's looks; nil for one of another hue, and for a grey in the place of a hue.
  fileprivate func distance(to other: Oklab) -> Double? {
    let (light, full) = (lightness - other.lightness, chroma - other.chroma)
    guard isColourful else {
      let across = 2 * chroma * other.chroma * (1 - cos(angle(to: other)))
      return light * light + full * full + across
    }
    let angle = angle(to: other)
    guard other.isColourful, angle <= IndexedColour.mostTurn else { return nil }
    // A hue that turns is seen before a colour that is paler or fuller.
    return light * light + 0.5 * full * full + 0.04 * angle * angle
  }
}

/// One of the colours 16…255 of xterm, which all terminals with 256 colours share: a cube of 6 × 6 × 6 and a ramp of greys.
struct IndexedColour: Sendable {
  let index: UInt8
  let look: Oklab

  static let all: [IndexedColour] = (16...255).map { index in
    let levels: [UInt8] = [0, 95, 135, 175, 215, 255]
    let cube = index - 16
    let grey = UInt8(index >= 232 ? 8 + 10 * (index - 232) : 0)
    let colour =
      index >= 232
      ? RGB(grey, grey, grey) : RGB(levels[cube / 36], levels[cube / 6 % 6], levels[cube % 6])
    return IndexedColour(index: UInt8(index), look: Oklab(colour))
  }

  /// How far a substitute's hue may be from the colour's own: 25°. Within it, every ramp of a palette has a colour for each shade.
  static let mostTurn = 25 * Double.pi / 180

  /// How many colours a shade of a ramp is offered: greys can stand for each other without end.
  private static let mostChoices = 24

  /// The colours for a ramp of shades that become darker, or lighter, from each to the next. So do the colours, and a shade has the
  /// colour of the one before only where nothing else is left.
  static func ramp(_ shades: [RGB]) -> [UInt8] {
    let looks = shades.map(Oklab.init)
    guard let first = looks.first, let last = looks.last else { return [] }
    let isDarkening = first.lightness > last.lightness
    // The cheapest ramps up to a shade, one for each colour that the shade can have.
    typealias Way = (cost: Double, colours: [IndexedColour])
    var ways: [Way] = []
    for (place, look) in looks.enumerated() {
      let choices = all.compactMap { colour in look.distance(to: colour.look).map { (colour, $0) } }
      let next = choices.sorted { $0.1 < $1.1 }.prefix(mostChoices).compactMap { colour, distance -> Way? in
        guard place > 0 else { return (distance, [colour]) }
        var best: (cost: Double, way: Int)?
        for (index, way) in ways.enumerated() {
          let before = way.colours[place - 1]
          let fall = (before.look.lightness - colour.look.lightness) * (isDarkening ? 1 : -1)
          guard fall > 0.004 || before.index == colour.index else { continue }
          let cost = way.cost + (before.index == colour.index ? 1 : 0)
          if best.map({ cost < $0.cost }) ?? true { best = (cost, index) }
        }
        return best.map { ($0.cost + distance, ways[$0.way].colours + [colour]) }
      }
      // Where no colour goes on, each shade has the nearest one.
      guard !next.isEmpty else { return shades.map(\.nearest256) }
      ways = next
    }
    return ways.min { $0.cost < $1.cost }?.colours.map(\.index) ?? []
  }
}

extension RGB {
  /// The number of the colour among xterm's 16…255 that looks most like this one. A colour keeps its hue and does not become grey.
  package var nearest256: UInt8 {
    let look = Oklab(self)
    var best: (distance: Double, index: UInt8) = (.infinity, 16)
    for colour in IndexedColour.all {
      if let distance = look.distance(to: colour.look), distance < best.distance { best = (distance, colour.index) }
    }
    return best.index
  }
}
