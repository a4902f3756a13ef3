// A number that a diagnostic measures: its place in files, JSON and charts, and a measured value.

/// A number of a diagnostic.
package struct DiagnosticNumber: Sendable, Hashable {
  /// The path below `/heldout` in the run file, and the name in charts and comparisons: `function/ntp-fc`.
  package let path: String
  /// `nats`, `s`, or `1` for a bare number.
  package let unit: String
  /// A few words for a person.
  package let longName: String

  package init(_ path: String, unit: String = "1", _ longName: String = "") {
    (self.path, self.unit, self.longName) = (path, unit, longName)
  }

  /// True if the number counts something: counts are stored exactly, others as fp32.
  package var isCount: Bool { path.hasSuffix("count") }
}

/// A number of a diagnostic with its value in one evaluation.
package struct MeasuredNumber: Codable, Sendable, Equatable {
  /// See `DiagnosticNumber.path`.
  package var path: String
  /// NaN where nothing could be measured, such as the mean loss of a group without positions.
  package var value: Double

  package init(_ path: String, _ value: Double) {
    (self.path, self.value) = (path, value)
  }
}

extension [MeasuredNumber] {
  /// The value at a path; nil where it was not measured.
  package subscript(path: String) -> Double? { first { $0.path == path }?.value }

  mutating func set(_ path: String, to value: Double) {
    if let index = firstIndex(where: { $0.path == path }) {
      self[index].value = value
    } else {
      append(MeasuredNumber(path, value))
    }
  }
}

extension Metric where Report == Evaluation {
  /// The column of a diagnostic's number. Optional: most evaluations need not measure it.
  static func diagnostic(_ number: DiagnosticNumber) -> Metric {
    let path = number.path
    return Metric(
      path: path, key: path.split(separator: "/").joined(separator: "."),
      storage: number.isCount ? .float64 : .float32, unit: number.unit, longName: number.longName, isOptional: true,
      value: { $0.diagnostics[path] }, restore: { $0.diagnostics.set(path, to: $1) })
  }
}
