// A chart as numbers and words: what a terminal draws, and what is exported for papers.

/// Curves over one axis, with labels.
package struct ChartData: Sendable, Equatable {
  /// A line of a chart.
  package struct DataCurve: Sendable, Equatable {
    package var name: String
    /// Never falling.
    package var xs: [Double]
    /// As many; finite.
    package var ys: [Double]
    /// The bounds of a band around the line, as many as values, or none.
    package var lower: [Double]
    package var upper: [Double]
    /// True if a value holds until the next place; otherwise places are joined by straight lines.
    package var isStepped: Bool

    package init(
      _ name: String, xs: [Double], ys: [Double], lower: [Double] = [], upper: [Double] = [], isStepped: Bool = false
    ) {
      precondition(xs.count == ys.count && lower.count == upper.count && (lower.isEmpty || lower.count == xs.count))
      self.name = name
      self.xs = xs
      self.ys = ys
      self.lower = lower
      self.upper = upper
      self.isStepped = isStepped
    }
  }

  package var title: String
  /// With the unit in brackets: `tokens`, `training time (s)`.
  package var xLabel: String
  package var yLabel: String
  package var isXLogarithmic = false
  package var curves: [DataCurve]
  /// Sentences for below the chart: seeds, what bands are.
  package var notes: [String]

  package init(title: String, xLabel: String, yLabel: String, curves: [DataCurve], notes: [String] = []) {
    self.title = title
    self.xLabel = xLabel
    self.yLabel = yLabel
    self.curves = curves
    self.notes = notes
  }

  /// The range of places; nil where there are none.
  package var xRange: (low: Double, high: Double)? { Self.range(curves.flatMap(\.xs)) }
  /// The range of values, without bands.
  package var valueRange: (low: Double, high: Double)? { Self.range(curves.flatMap(\.ys)) }
  /// The range of values, bands included.
  package var yRange: (low: Double, high: Double)? { Self.range(curves.flatMap { $0.ys + $0.lower + $0.upper }) }

  private static func range(_ values: [Double]) -> (low: Double, high: Double)? {
    let finite = values.filter(\.isFinite)
    guard let low = finite.min(), let high = finite.max() else { return nil }
    return (low, high)
  }

  /// A line per place: `curve,x,y,lower,upper`, with the labels as names of the columns.
  package var csv: String {
    var lines = [["curve", xLabel, yLabel, "lower", "upper"].map(CSV.field).joined(separator: ",")]
    for curve in curves {
      for index in curve.xs.indices {
        let band = curve.lower.isEmpty ? ["", ""] : ["\(curve.lower[index])", "\(curve.upper[index])"]
        lines.append(
          ([CSV.field(curve.name), "\(curve.xs[index])", "\(curve.ys[index])"] + band).joined(separator: ","))
      }
    }
    return lines.joined(separator: "\n") + "\n"
  }
}

/// Comma-separated values, as RFC 4180 has them but with plain line ends.
package enum CSV {
  /// A field, in quotation marks where it needs them.
  package static func field(_ text: String) -> String {
    guard text.contains(where: { "\",\n\r".contains($0) }) else { return text }
    return "\"" + text.replacing("\"", with: "\"\"") + "\""
  }
}
