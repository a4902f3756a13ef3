import Support
import Testing

@testable import TerminalUI

struct ScaleTests {
  @Test func `ticks are round and inside`() {
    #expect(Scale(from: 2.9, to: 8.4).ticks(atMost: 4) == [4, 6, 8])
    #expect(Scale(from: 0, to: 1284).ticks(atMost: 6) == [0, 500, 1000])
    #expect(Scale(from: 1, to: 1000, isLogarithmic: true).ticks(atMost: 4) == [1, 10, 100, 1000])
    #expect(Scale(from: 2, to: 30, isLogarithmic: true).ticks(atMost: 5) == [2, 5, 10, 20])
  }

  @Test func `no span of any size has more ticks than asked for, or ticks outside`() {
    var dice = Dice(for: "spans")
    for _ in 0..<5000 {
      let low = Double.random(in: -1...1, using: &dice) * power10(Int.random(in: -12...12, using: &dice))
      let high = low + Double.random(in: 0...1, using: &dice) * power10(Int.random(in: -12...12, using: &dice))
      let count = Int.random(in: 1...12, using: &dice)
      for isLogarithmic in [false, true] {
        let scale = Scale(from: low, to: high, isLogarithmic: isLogarithmic)
        let ticks = scale.ticks(atMost: count)
        #expect(ticks.count <= count, "\(low) to \(high), \(count)")
        let slack = (scale.upper - scale.lower) * 1e-6
        #expect(
          ticks.allSatisfy { $0 >= scale.lower - slack && $0 <= scale.upper + slack }, "\(low) to \(high): \(ticks)")
        #expect(zip(ticks, ticks.dropFirst()).allSatisfy { $0 < $1 })
      }
    }
  }

  @Test func `there are ticks where there is room for some`() {
    for span in stride(from: 0.7, through: 900, by: 0.83) {
      #expect(Scale(from: 0, to: span).ticks(atMost: 4).count >= 2, "0 to \(span)")
    }
  }

  @Test func `bounds that are none make an axis all the same`() {
    for (low, high) in [(0.0, 0.0), (3, 3), (5, 1), (.nan, 2), (-.infinity, .infinity), (1e300, 1e300), (-1, -1)] {
      let scale = Scale(from: low, to: high)
      #expect(scale.lower < scale.upper)
      _ = scale.ticks(atMost: 5)
      #expect((0..<10).contains(scale.point(of: 1, among: 10)))
    }
  }

  @Test func `values outside are clipped to the ends`() {
    let scale = Scale(from: 0, to: 10)
    #expect(scale.point(of: -5, among: 11) == 0)
    #expect(scale.point(of: 5, among: 11) == 5)
    #expect(scale.point(of: 1e300, among: 11) == 10)
    #expect(scale.point(of: .nan, among: 11) == 0)
    #expect(Scale(from: 1, to: 100, isLogarithmic: true).point(of: 10, among: 11) == 5)
    #expect(Scale(from: 1, to: 100, isLogarithmic: true).point(of: -1, among: 11) == 0)
  }
}

struct EvenScaleTests {
  @Test(arguments: [(2.9, 8.37), (0.001, 0.0013), (-3, 5e6), (4.2, 4.2), (0, 1), (1e-30, 2e-30)])
  func `ticks of an even axis are round, equally many rows apart, and the axis has all values`(
    low: Double, high: Double
  ) {
    for rows in [3, 5, 9, 14, 20, 37] {
      for points in [1, 2, 4] {
        let (scale, ticks) = Scale.even(from: low, to: high, rows: rows, points: points)
        #expect(
          scale.lower <= low + abs(low) * 1e-9
            && scale.upper >= high - (scale.upper - scale.lower) / Double(2 * rows * points - 2) * 1.01)
        #expect(ticks.count >= 1)
        #expect(low != 0 || (scale.lower == 0 && ticks.first == 0))
        // A plot that is too low for two ticks has those of a plain axis.
        guard scale != Scale(from: low, to: high) else { continue }
        let places = ticks.map { scale.point(of: $0, among: rows * points) / points }
        let distances = Set(zip(places.dropFirst(), places).map { $0 - $1 })
        // Rounding to points may shift one of them by a row.
        #expect(distances.isEmpty || distances.max()! - distances.min()! <= 1, "\(low)…\(high) in \(rows): \(places)")
        #expect(!distances.contains(0))
      }
    }
  }
}
