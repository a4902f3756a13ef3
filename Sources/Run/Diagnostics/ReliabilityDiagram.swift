// The reliability diagram of `calibration`: how often the likeliest token is right, by how likely the network takes it to be.

/// Positions by the probability of their likeliest token, in bins of equal width (Guo et al. 2017, “On calibration of modern neural
/// networks”).
package struct ReliabilityDiagram: Sendable, Equatable {
  /// The positions whose confidence lies between two bounds.
  package struct ReliabilityBin: Sendable, Equatable {
    /// The bounds of the confidence, 0…1.
    package let lower: Double
    package let upper: Double
    /// Mean probability of the likeliest token; NaN without positions.
    package let confidence: Double
    /// Share of positions whose likeliest token is right; NaN without positions.
    package let accuracy: Double
    /// Number of positions.
    package let count: Double
  }

  /// The number of bins.
  package static let binCount = 10

  package let bins: [ReliabilityBin]
  /// The expected calibration error: the mean over positions of |accuracy − confidence| of their bin; NaN if it is unknown.
  package let error: Double

  /// The names of a bin's numbers, below `calibration/`.
  package static func names(ofBin bin: Int) -> (accuracy: String, confidence: String, count: String) {
    ("\(bin)-accuracy", "\(bin)-confidence", "\(bin)-count")
  }

  /// - Parameter number: a number of an evaluation by its path, such as `calibration/3-accuracy`; nil if it was not measured.
  /// - Returns: nil if no bin has a position.
  package init?(_ number: (String) -> Double?) {
    func value(_ name: String) -> Double { number("\(DiagnosticKind.calibration.name)/\(name)") ?? .nan }
    bins = (0..<Self.binCount).map { bin in
      let names = Self.names(ofBin: bin)
      let count = value(names.count)
      return ReliabilityBin(
        lower: Double(bin) / Double(Self.binCount), upper: Double(bin + 1) / Double(Self.binCount),
        confidence: value(names.confidence), accuracy: value(names.accuracy), count: count.isFinite ? count : 0)
    }
    error = value("ece")
    guard bins.contains(where: { $0.count > 0 }) else { return nil }
  }

  /// The bins as an array of objects; `confidence` and `accuracy` are missing in a bin without positions.
  package var json: JSON {
    JSON.objects(bins) { bin in
      let means = [("confidence", bin.confidence), ("accuracy", bin.accuracy)].filter { !$0.1.isNaN }
      return [JSON.Member("from", .double(bin.lower)), JSON.Member("to", .double(bin.upper))]
        + means.map { JSON.Member($0.0, .float(Float($0.1))) } + [JSON.Member("count", .double(bin.count))]
    }
  }
}

extension Evaluation {
  /// The reliability diagram; nil if this evaluation did not measure `calibration`.
  package var reliability: ReliabilityDiagram? { ReliabilityDiagram { diagnostics[$0] } }
}
