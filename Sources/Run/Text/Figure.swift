// Numbers as people read them: 1 284, 5.3 M, 3.0e-4, 2 m 06 s. Rates, losses, times and sizes have one format each, on all screens
// and in all lines: this one. Without Foundation, since frames are made of these.
import Glibc

private func power10(_ exponent: Int) -> Double { Glibc.pow(10, Double(exponent)) }

/// Writes numbers.
package enum Figure {
  /// With this many decimals: `3.412`; `nan`, `inf` and `-inf` for values that are not finite.
  package static func fixed(_ value: Double, _ decimals: Int) -> String {
    guard value.isFinite else { return value.isNaN ? "nan" : value < 0 ? "-inf" : "inf" }
    let scaled = (abs(value) * power10(decimals)).rounded()
    guard scaled < 9e17 else { return scientific(value) }
    let digits = String(Int(scaled))
    let sign = value < 0 && scaled > 0 ? "-" : ""
    guard decimals > 0 else { return sign + digits }
    let padded = String(repeating: "0", count: max(decimals + 1 - digits.count, 0)) + digits
    return sign + padded.dropLast(decimals) + "." + padded.suffix(decimals)
  }

  /// Thousands apart: `1 284`.
  package static func grouped(_ value: Int) -> String {
    (value < 0 ? "-" : "") + grouped(digits: String(value.magnitude))
  }

  /// With this many decimals, and thousands apart: `1 284.50`.
  package static func grouped(_ value: Double, _ decimals: Int) -> String {
    let text = fixed(value, decimals)
    let sign = text.prefix { $0 == "-" }
    let digits = text.dropFirst(sign.count).prefix(while: \.isNumber)
    return sign + grouped(digits: String(digits)) + text.dropFirst(sign.count + digits.count)
  }

  private static func grouped(digits: String) -> String {
    var result = ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index) % 3 == 0 { result.append(" ") }
      result.append(digit)
    }
    return result
  }

  /// A count in few cells: `9 999`, `12.3 k`, `5.3 M`, `1.2 G`.
  package static func short(_ value: Double) -> String {
    guard value.isFinite else { return fixed(value, 0) }
    let magnitude = abs(value)
    if magnitude < 9999.5 { return grouped(Int(value.rounded())) }
    for (unit, size) in [("k", 1e3), ("M", 1e6), ("G", 1e9), ("T", 1e12), ("P", 1e15)] where magnitude < size * 999.5 {
      let scaled = value / size
      return fixed(scaled, abs(scaled) < 99.95 ? 1 : 0) + " " + unit
    }
    return scientific(value)
  }

  /// A learning rate: `3.0e-4`, `1.21e-4`, `0.5`.
  package static func rate(_ value: Double) -> String {
    guard value.isFinite, value != 0 else { return value == 0 ? "0" : fixed(value, 0) }
    return abs(value) >= 0.0995 && abs(value) < 1000 ? trimmed(fixed(value, 3)) : scientific(value)
  }

  /// A factor or a weight: `0.5`, `1.1`, `2`, `0.125`.
  package static func factor(_ value: Double) -> String {
    guard value.isFinite, abs(value) < 1e6, abs(value) >= 0.0005 || value == 0 else { return scientific(value) }
    return trimmed(fixed(value, abs(value) < 0.1 ? 4 : abs(value) < 10 ? 3 : abs(value) < 100 ? 2 : 0), atLeast: 0)
  }

  /// One to two decimals and a power of ten: `3.0e-4`, `1.21e-4`.
  /// - Parameter atLeast: decimals that are kept though they are zeros.
  package static func scientific(_ value: Double, atLeast: Int = 1) -> String {
    guard value.isFinite, value != 0 else { return value == 0 ? "0" : fixed(value, 0) }
    var exponent = Int(Glibc.log10(abs(value)).rounded(.down))
    var mantissa = value / power10(exponent)
    if abs(mantissa) < 1 { (mantissa, exponent) = (mantissa * 10, exponent - 1) }
    if abs(mantissa) >= 9.995 { (mantissa, exponent) = (mantissa / 10, exponent + 1) }
    return trimmed(fixed(mantissa, 2), atLeast: atLeast) + "e" + String(exponent)
  }

  /// A loss in nats: three decimals below 100, fewer above, from 10 000 on as beside an axis: `3.412`, `123.4`, `1 234.5`,
  /// `11.8 k`.
  package static func loss(_ value: Double) -> String {
    let magnitude = abs(value)
    guard magnitude < 9999.95 else { return short(value) }
    return grouped(value, magnitude < 99.9995 ? 3 : 1)
  }

  /// A difference with its sign, in the format of what differs: `+0.002`, `−0.014`.
  package static func change(_ difference: Double, _ figure: (Double) -> String) -> String {
    (difference < 0 ? "−" : "+") + figure(abs(difference))
  }

  /// A share of 1 as `.632`, without the zero that says nothing; `1.00` and `−.20` as needed.
  package static func share(_ value: Double, _ decimals: Int = 2) -> String {
    let text = fixed(value, decimals)
    if text.hasPrefix("0.") { return String(text.dropFirst()) }
    if text.hasPrefix("-0.") { return "−" + text.dropFirst(2) }
    return withMinus(text)
  }

  /// With the minus of changes in place of a hyphen at the beginning.
  private static func withMinus(_ text: String) -> String { text.hasPrefix("-") ? "−" + text.dropFirst() : text }

  /// An accuracy or the quality of a ranking, with three decimals: `.531`.
  package static func quality(_ value: Double) -> String { share(value, 3) }

  package static func quality(_ value: Float) -> String { quality(Double(value)) }

  /// Seconds as `0.4 s`, `9.2 s`, `26 s`, `2 m 06 s`, `3 h 05 m`, `2 d 04 h`.
  package static func duration(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds < 1e11 else { return seconds.isNaN ? "nan" : "inf" }
    guard seconds >= 9.95 else { return fixed(max(seconds, 0), 1) + " s" }
    let whole = Int(seconds.rounded())
    func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
    switch whole {
    case ..<60: return "\(whole) s"
    case ..<3600: return "\(whole / 60) m \(two(whole % 60)) s"
    case ..<86400: return "\(whole / 3600) h \(two(whole % 3600 / 60)) m"
    default: return "\(grouped(whole / 86400)) d \(two(whole % 86400 / 3600)) h"
    }
  }

  /// Seconds in one unit, rounded: `9 s`, `26 m`, `3 h`, `2 d`. For what is known no better.
  package static func roughDuration(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds < 1e11 else { return duration(seconds) }
    let whole = max(seconds, 0)
    func text(_ unit: Double, _ name: String) -> String { grouped(Int((whole / unit).rounded())) + " " + name }
    return switch whole {
    case ..<59.5: text(1, "s")
    case ..<3570: text(60, "m")
    case ..<171_000: text(3600, "h")
    default: text(86_400, "d")
    }
  }

  /// How long ago something was, in the largest unit: `4 s`, `12 m`, `3 h`, `9 d`.
  package static func age(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds < 1e11 else { return "" }
    let whole = max(seconds, 0)
    return switch whole {
    case ..<60: "\(Int(whole)) s"
    case ..<3600: "\(Int(whole / 60)) m"
    case ..<172_800: "\(Int(whole / 3600)) h"
    default: "\(grouped(Int(whole / 86_400))) d"
    }
  }

  /// A short time: `12 µs`, `0.4 ms`, `518 ms`, `12.4 s`.
  package static func milliseconds(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds < 1e11 else { return seconds.isNaN ? "nan" : "inf" }
    let milliseconds = max(seconds, 0) * 1000
    if milliseconds < 0.0995 {
      return milliseconds == 0 ? "0 ms" : fixed(milliseconds * 1000, milliseconds < 0.00995 ? 1 : 0) + " µs"
    }
    if milliseconds < 9.95 { return fixed(milliseconds, 1) + " ms" }
    if milliseconds < 9999.5 { return grouped(Int(milliseconds.rounded())) + " ms" }
    return seconds < 99.95 ? fixed(seconds, 1) + " s" : duration(seconds)
  }

  /// Bytes in powers of 1000: `61 MB`, `1.2 GB`, `17.6 GB`.
  package static func bytes(_ count: Double) -> String {
    guard count.isFinite else { return fixed(count, 0) }
    if abs(count) < 1000 { return "\(Int(count.rounded())) B" }
    for (unit, size) in [("kB", 1e3), ("MB", 1e6), ("GB", 1e9), ("TB", 1e12)] where abs(count) < size * 999.5 {
      let scaled = count / size
      // Memory and disks are compared at this size.
      return fixed(scaled, abs(scaled) < (size < 1e9 ? 9.95 : 99.95) ? 1 : 0) + " " + unit
    }
    return scientific(count) + " B"
  }

  package static func bytes(_ count: Int) -> String { bytes(Double(count)) }

  /// `2 threads`, or `4 ranks of 2 threads` where several processes compute.
  package static func threads(of beginning: Beginning) -> String {
    let threads = threads(beginning.threads)
    return beginning.ranks == 1 ? threads : "\(grouped(beginning.ranks)) ranks of \(threads)"
  }

  /// `1 thread`, `2 threads`.
  package static func threads(_ count: Int) -> String { count == 1 ? "1 thread" : "\(grouped(count)) threads" }

  /// The time of day of a Unix time: `14:02:11`.
  package static func clock(_ time: Double, secondsFromGMT: Int = 0) -> String {
    guard time.isFinite, abs(time) < 1e14 else { return "--:--:--" }
    let seconds = ((Int(time.rounded(.down)) + secondsFromGMT) % 86400 + 86400) % 86400
    func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
    return "\(two(seconds / 3600)):\(two(seconds % 3600 / 60)):\(two(seconds % 60))"
  }

  /// Numbers of one column, with their points below each other: all with the decimals that show three digits of the smallest
  /// one, at most six; or all with a power of ten if six decimals show less than two digits of it.
  package static func column(_ values: [Double]) -> [String] {
    let sizes = values.map(abs).filter { $0.isFinite && $0 > 0 }
    guard let smallest = sizes.min(), let largest = sizes.max() else { return values.map { fixed($0, 0) } }
    let decimals = 2 - Int(Glibc.log10(smallest).rounded(.down))
    let isFixed = decimals <= 7 && largest < 1e6
    let texts = values.map { value -> String in
      guard value.isFinite else { return fixed(value, 0) }
      guard !isFixed else { return fixed(value, min(max(decimals, 3), 6)) }
      return value == 0 ? "0.00e0" : scientific(value, atLeast: 2)
    }
    // Exponents may differ in length; what is not finite ends where the numbers end.
    let tails = texts.map { text in text.firstIndex(of: ".").map { text[$0...].count } }
    let longest = tails.compactMap { $0 }.max() ?? 0
    return zip(texts, tails).map { $0 + String(repeating: " ", count: longest - ($1 ?? longest)) }
  }

  /// Labels for ticks: all with as many decimals as the narrowest step needs, or short when they are large; negative ones as
  /// `−0.2`.
  package static func labels(_ ticks: [Double]) -> [String] {
    let largest = ticks.map(abs).max() ?? 0
    guard largest < 9999.5, largest >= 1e-3 || largest == 0 else {
      return largest < 1 ? ticks.map { withMinus(rate($0)) } : counts(ticks).map(withMinus)
    }
    let step = zip(ticks.dropFirst(), ticks).map { abs($0 - $1) }.min() ?? largest
    var decimals = 0
    while decimals < 5, step > 0, abs((step * power10(decimals)).rounded() - step * power10(decimals)) > 1e-6 {
      decimals += 1
    }
    return ticks.map { withMinus(largest >= 1000 ? grouped(Int($0.rounded())) : fixed($0, decimals)) }
  }

  /// Counts on an axis: short, and without decimals where no label of the same unit needs them: `50 k`, `100 k`.
  package static func counts(_ ticks: [Double]) -> [String] {
    let texts = ticks.map(short)
    return texts.map { text in
      guard let zero = text.firstRange(of: ".0 ") else { return text }
      let unit = text[text.index(before: zero.upperBound)...]
      let same = texts.filter { $0.hasSuffix(unit) }
      let isEven = same.contains { !$0.contains(".") } && same.allSatisfy { !$0.contains(".") || $0.contains(".0 ") }
      return isEven ? text.replacing(".0 ", with: " ") : text
    }
  }

  /// Without zeros at the end of its decimals, but for the first `atLeast`.
  private static func trimmed(_ text: String, atLeast: Int = 1) -> String {
    guard let point = text.firstIndex(of: ".") else { return text }
    var decimals = text[text.index(after: point)...]
    while decimals.count > atLeast, decimals.last == "0" { decimals.removeLast() }
    return String(text[..<point]) + (decimals.isEmpty ? "" : "." + decimals)
  }
}
