import Testing

@testable import Run
@testable import TerminalUI

struct FigureTests {
  @Test func `thousands stand apart`() {
    #expect(Figure.grouped(1284) == "1 284")
    #expect(Figure.grouped(999) == "999")
    #expect(Figure.grouped(1_000_000) == "1 000 000")
    #expect(Figure.grouped(-12_345) == "-12 345")
    #expect(Figure.grouped(Int.min) == "-9 223 372 036 854 775 808")
  }

  @Test(
    arguments: [
      (1284.5, 0, "1 285"), (12_345.678, 2, "12 345.68"), (-1284.5, 1, "-1 284.5"), (999.4, 0, "999"), (.nan, 2, "nan"),
    ] as [(Double, Int, String)])
  func `thousands stand apart before decimals too`(value: Double, decimals: Int, text: String) {
    #expect(Figure.grouped(value, decimals) == text)
  }

  @Test(
    arguments: [
      (-3, "0 s"), (4.9, "4 s"), (59.9, "59 s"), (61, "1 m"), (7200, "2 h"), (172_799, "47 h"), (172_800, "2 d"),
      (1e9, "11 574 d"), (.nan, ""),
    ] as [(Double, String)])
  func `ages have their largest unit`(seconds: Double, text: String) { #expect(Figure.age(seconds) == text) }

  @Test func `a difference has a sign, and the format of what differs`() {
    #expect(Figure.change(0.0021, Figure.loss) == "+0.002" && Figure.change(-1.5, Figure.loss) == "−1.500")
    #expect(Figure.change(-3e-4, Figure.rate) == "−3.0e-4" && Figure.change(0, Figure.loss) == "+0.000")
  }

  @Test(
    arguments: [
      (0, "0"), (7912.4, "7 912"), (9999, "9 999"), (9999.6, "10.0 k"), (12_345, "12.3 k"), (99_949, "99.9 k"),
      (123_456, "123 k"), (999_400, "999 k"), (999_600, "1.0 M"), (5_259_264, "5.3 M"), (1.2e9, "1.2 G"),
      (3e15, "3.0 P"), (3e18, "3.0e18"),
      (.infinity, "inf"), (-5_300_000, "-5.3 M"),
    ] as [(Double, String)])
  func `counts are short`(value: Double, text: String) { #expect(Figure.short(value) == text) }

  @Test(
    arguments: [
      (3e-4, "3.0e-4"), (1.21e-4, "1.21e-4"), (9.999e-4, "1.0e-3"), (1e-3, "1.0e-3"), (0.5, "0.5"), (0.25, "0.25"),
      (1, "1.0"), (0, "0"), (.nan, "nan"), (1e-12, "1.0e-12"), (1e-300, "1.0e-300"),
    ] as [(Double, String)])
  func `rates show two digits and a power`(value: Double, text: String) { #expect(Figure.rate(value) == text) }

  @Test(
    arguments: [
      (1.1, "1.1"), (0.5, "0.5"), (2, "2"), (0.9, "0.9"), (1.21, "1.21"), (250, "250"), (0.04, "0.04"),
    ] as [(Double, String)])
  func `factors are bare`(value: Double, text: String) { #expect(Figure.factor(value) == text) }

  @Test(
    arguments: [
      (3.4123, "3.412"), (0, "0.000"), (-0.0001, "0.000"), (123.45, "123.5"), (1234.5, "1 234.5"), (9999.96, "10.0 k"),
      (-98_765, "-98.8 k"), (123_456, "123 k"), (1e30, "1.0e30"),
      (.nan, "nan"), (-.infinity, "-inf"),
    ] as [(Double, String)])
  func `losses have three decimals while they are small`(value: Double, text: String) {
    #expect(Figure.loss(value) == text)
  }

  @Test(
    arguments: [
      (0.632, 3, ".632"), (1, 2, "1.00"), (-0.2, 2, "−.20"), (-1.5, 2, "−1.50"), (0, 2, ".00"), (0.999, 2, "1.00"),
    ] as [(Double, Int, String)])
  func `shares leave out the zero`(value: Double, decimals: Int, text: String) {
    #expect(Figure.share(value, decimals) == text)
  }

  @Test(
    arguments: [
      (0.38, "0.4 s"), (9.2, "9.2 s"), (9.949, "9.9 s"), (9.96, "10 s"), (59.6, "1 m 00 s"), (126, "2 m 06 s"),
      (11_100, "3 h 05 m"), (187_200, "2 d 04 h"), (-5, "0.0 s"), (.nan, "nan"), (.infinity, "inf"),
    ] as [(Double, String)])
  func `durations have two digits or two parts`(seconds: Double, text: String) {
    #expect(Figure.duration(seconds) == text)
  }

  @Test(
    arguments: [
      (9.2, "9 s"), (59.6, "1 m"), (1566, "26 m"), (3590, "1 h"), (11_100, "3 h"), (187_200, "2 d"), (-5, "0 s"),
      (.infinity, "inf"),
    ] as [(Double, String)])
  func `rough durations have one part`(seconds: Double, text: String) {
    #expect(Figure.roughDuration(seconds) == text)
  }

  @Test(
    arguments: [
      (0.0004, "0.4 ms"), (0.518, "518 ms"), (1.2841, "1 284 ms"), (12.44, "12.4 s"), (126, "2 m 06 s"),
    ] as [(Double, String)])
  func `short times are in milliseconds`(seconds: Double, text: String) {
    #expect(Figure.milliseconds(seconds) == text)
  }

  @Test(
    arguments: [(12, "12 B"), (61_000_000, "61 MB"), (1_234_567_890, "1.2 GB"), (1500, "1.5 kB")] as [(Double, String)])
  func `bytes are in powers of a thousand`(count: Double, text: String) { #expect(Figure.bytes(count) == text) }

  @Test func `the clock knows its zone and days before 1970`() {
    #expect(Figure.clock(0) == "00:00:00")
    #expect(Figure.clock(86_399.9) == "23:59:59")
    #expect(Figure.clock(0, secondsFromGMT: -1) == "23:59:59")
    #expect(Figure.clock(50_531, secondsFromGMT: 3600) == "15:02:11")
    #expect(Figure.clock(.nan) == "--:--:--")
  }

  @Test func `labels of one axis have the same decimals`() {
    #expect(Figure.labels([2, 2.5, 3]) == ["2.0", "2.5", "3.0"])
    #expect(Figure.labels([0, 500, 1000]) == ["0", "500", "1 000"])
    #expect(Figure.labels([0, 1e6, 2e6]) == ["0", "1.0 M", "2.0 M"])
    #expect(Figure.labels([0, 5e4, 1e5]) == ["0", "50 k", "100 k"])
    #expect(Figure.labels([12_500, 25_000]) == ["12.5 k", "25.0 k"])
    #expect(Figure.labels([5e5, 1e6]) == ["500 k", "1.0 M"])
    #expect(Figure.labels([0, 1e-4, 2e-4]) == ["0", "1.0e-4", "2.0e-4"])
    // The minus is that of all other numbers on the screens.
    #expect(Figure.labels([-0.2, 0, 0.2]) == ["−0.2", "0.0", "0.2"])
    #expect(Figure.labels([-2e-4, 0]) == ["−2.0e-4", "0"] && Figure.labels([-2e6, 0]) == ["−2.0 M", "0"])
  }

  @Test func `numbers of one column have one format`() {
    #expect(Figure.column([6.75, -0.12, 0.11, 0.937]) == ["6.750", "-0.120", "0.110", "0.937"])
    #expect(Figure.column([0.15, 0, -2.5e-4]) == ["0.150000", "0.000000", "-0.000250"])
    #expect(Figure.column([0.937, -5.31e-6, 0]) == ["9.37e-1", "-5.31e-6", "0.00e0 "])
    #expect(Figure.column([1.5, .nan]) == ["1.500", "nan"])
    #expect(Figure.column([0, 0]) == ["0", "0"] && Figure.column([]).isEmpty)
  }
}
