// The pyramid against a reading of the values themselves.
import Support
import Testing

@testable import Dashboard

struct SeriesTests {
  private func bruteForce(_ values: ArraySlice<Float>) -> Series.Statistics {
    var summary = Series.Statistics()
    for value in values {
      if value.isFinite {
        summary.minimum = min(summary.minimum, value)
        summary.maximum = max(summary.maximum, value)
        summary.sum += Double(value)
        summary.count += 1
      } else {
        summary.bad += 1
      }
    }
    return summary
  }

  private func expectEqual(_ one: Series.Statistics, _ other: Series.Statistics, _ comment: Comment) {
    #expect(one.minimum == other.minimum && one.maximum == other.maximum, comment)
    #expect(one.count == other.count && one.bad == other.bad, comment)
    #expect(abs(one.sum - other.sum) <= 1e-9 * max(abs(other.sum), 1), comment)
  }

  @Test(arguments: [0, 1, 15, 16, 17, 255, 256, 257, 4095, 4097, 10_000])
  func `every range of any length is summed up right`(count: Int) {
    var dice = Dice(UInt64(count))
    var series = Series()
    for _ in 0..<count {
      let value = Float.random(in: -5...5, using: &dice)
      series.append(Int.random(in: 0..<20, using: &dice) == 0 ? .nan : value)
    }
    for _ in 0..<500 {
      let low = Int.random(in: 0...count, using: &dice)
      let high = Int.random(in: low...count, using: &dice)
      expectEqual(series.summary(of: low..<high), bruteForce(series.values[low..<high]), "\(low)..<\(high) of \(count)")
    }
    expectEqual(series.summary, bruteForce(series.values[...]), "all \(count)")
    #expect(series.summary(of: -5..<0).count == 0)
    expectEqual(series.summary(of: -5..<(count + 5)), series.summary, "beyond both ends")
  }

  @Test func `what was cut off leaves no trace, whatever comes after`() {
    var dice = Dice(7)
    var series = Series()
    var values: [Float] = []
    for _ in 0..<200 {
      for _ in 0..<Int.random(in: 0...400, using: &dice) {
        let value = Float.random(in: 0...1, using: &dice)
        series.append(value)
        values.append(value)
      }
      let kept = Int.random(in: 0...values.count, using: &dice)
      series.cut(to: kept)
      values.removeLast(values.count - kept)
      #expect(series.values == values)
      let low = Int.random(in: 0...kept, using: &dice)
      expectEqual(series.summary(of: low..<kept), bruteForce(values[low..<kept]), "\(low)..<\(kept)")
    }
  }

  @Test func `one high value among a million is in the summary of its range`() {
    var series = Series()
    for index in 0..<1_000_000 { series.append(index == 654_321 ? 9 : 1) }
    #expect(series.summary.maximum == 9)
    #expect(series.summary(of: 654_000..<655_000).maximum == 9)
    #expect(series.summary(of: 0..<654_321).maximum == 1)
    #expect(series.summary(of: 654_322..<1_000_000).maximum == 1)
  }

  @Test func `smoothing has no pull to zero and passes over what is not finite`() {
    var smoothing = Smoothing(factor: 0.9)
    #expect(smoothing.add(.nan).isNaN)
    #expect(abs(smoothing.add(5) - 5) < 1e-6)
    #expect(abs(smoothing.add(5) - 5) < 1e-6)
    #expect(abs(smoothing.add(.infinity) - 5) < 1e-6)
    // By hand: (0.9·(0.1·5·1.9) + 0.1·8) / (1 − 0.9³) with two fives before.
    let expected = (0.9 * (0.9 * 0.5 + 0.5) + 0.8) / (1 - 0.9 * 0.9 * 0.9)
    #expect(abs(Double(smoothing.add(8)) - expected) < 1e-6)
    var none = Smoothing(factor: 0)
    _ = none.add(3)
    #expect(none.add(7) == 7)
  }
}
