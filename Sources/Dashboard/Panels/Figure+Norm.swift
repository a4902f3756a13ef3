// The format of norms and of the ratios beside them, on all panels.
import Run

extension Figure {
  /// With as many digits in every row of a table, zeros included: `1.657`, `0.940`, and below 0.1 `8.30e-4`.
  package static func norm(_ value: Double) -> String {
    guard value.isFinite, value != 0, abs(value) < 0.0995 else { return loss(value) }
    let text = scientific(value)
    guard let power = text.firstIndex(of: "e"), let point = text.firstIndex(of: ".") else { return text }
    let decimals = text.distance(from: point, to: power) - 1
    return text[..<power] + String(repeating: "0", count: max(2 - decimals, 0)) + text[power...]
  }
}
