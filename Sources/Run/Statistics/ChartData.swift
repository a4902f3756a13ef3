// A chart as values, for drawing on a terminal and for export.

/// Curves over one axis, with labels.
package struct ChartData: Sendable, Equatable {
  /// A line of a chart.
  package struct DataCurve: Sendable, Equatable {
    package var name: String
    /// The x values, in rising order.
    package var xs: [Double]
    /// The y values, all finite: as many as `xs`.
    package var ys: [Double]
    /// The bounds of a band around the line: as many as `ys`, or empty.
    package var lower: [Double]
    package var upper: [Double]
    /// True for a step function; otherwise points are joined by straight lines.
    package var isStepped: Bool
    /// The x values of ticks on the line, in rising order: places where something ends. Only pictures have them.
    package var ticks: [Double] = []

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
  /// The axis's label with its unit in brackets: `tokens`, `training time (s)`.
  package var xLabel: String
  package var yLabel: String
  package var isXLogarithmic = false
  package var curves: [DataCurve]
  /// Sentences below the chart, on seeds and bands.
  package var notes: [String]

  package init(title: String, xLabel: String, yLabel: String, curves: [DataCurve], notes: [String] = []) {
    self.title = title
    self.xLabel = xLabel
    self.yLabel = yLabel
    self.curves = curves
    self.notes = notes
  }

  /// The range of all x values; nil without values.
  package var xRange: (low: Double, high: Double)? { Self.range(curves.flatMap(\.xs)) }
  /// The range of all y values, without bands.
  package var valueRange: (low: Double, high: Double)? { Self.range(curves.flatMap(\.ys)) }
  /// The range of all y values, with bands.
  package var yRange: (low: Double, high: Double)? { Self.range(curves.flatMap { $0.ys + $0.lower + $0.upper }) }

  private static func range(_ values: [Double]) -> (low: Double, high: Double)? {
    let finite = values.filter(\.isFinite)
    guard let low = finite.min(), let high = finite.max() else { return nil }
    return (low, high)
  }

  /// CSV with a line per point: `curve,x,y,lower,upper`; the header has the axes' labels.
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

/// Comma-separated values as in RFC 4180, but with plain line ends.
package enum CSV {
  /// A field, in quotation marks if necessary.
  package static func field(_ text: String) -> String {
    guard text.contains(where: { "\",\n\r".contains($0) }) else { return text }
    return "\"" + text.replacing("\"", with: "\"\"") + "\""
  }
}
