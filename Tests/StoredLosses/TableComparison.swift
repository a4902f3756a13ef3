// The cases that were run, held against the tables.

/// A table belongs to a kind of CPU. Cases that the table of this kind has must be equal to the bit. Others must be near those
/// of the first table that has them: not every case is stored for every kind.
struct TableComparison {
  let processor: Processor
  /// A sentence for each case that is not as it is stored.
  private(set) var differences: [String] = []
  /// Cases that were compared to the bit.
  private(set) var exact = 0
  /// Cases that were compared within the tolerance, and the kinds of CPU that they are stored for.
  private(set) var near = 0
  private(set) var others: [Processor] = []
  /// The largest distance of such a loss, as a part of the stored one, where the tolerance is fp32's and where it is bf16's.
  private(set) var farthest: (fp32: Float, bf16: Float) = (0, 0)

  /// - Parameter processor: the kind of CPU on which the cases were run.
  init(of present: [Result], with tables: [LossTable], on processor: Processor) {
    self.processor = processor
    // The table of this kind comes before all others.
    let tables = tables.filter { $0.processor == processor } + tables.filter { $0.processor != processor }
    if let first = tables.first { differences = Self.missing(in: present, of: first) }
    for result in present {
      let first = tables.first { $0.curves[result.name] != nil }
      guard let table = first, let curve = table.curves[result.name] else {
        differences.append("\(result.name): run, and not stored")
        continue
      }
      if table.processor == processor {
        exact += 1
        if let difference = Self.inequality(result, curve) { differences.append(difference) }
      } else {
        near += 1
        if !others.contains(table.processor) { others.append(table.processor) }
        note(result, curve)
        if let difference = Self.distance(result, curve) { differences.append(difference) }
      }
    }
  }

  /// How many cases were compared in which way.
  var words: String {
    var parts: [String] = []
    if exact > 0 { parts.append("\(exact) to the bit (\(processor.words))") }
    if near > 0 {
      let kinds = others.map(\.words).joined(separator: " and ")
      let own = exact > 0 ? "" : "this is \(processor.words), and "
      parts.append(
        "\(near) within \(Tolerance.words) of those of \(kinds); \(own)the farthest are \(farthest.fp32) and"
          + " \(farthest.bf16) away")
    }
    return parts.isEmpty ? "none was compared" : parts.joined(separator: "; ")
  }

  private mutating func note(_ result: Result, _ stored: LossCurve) {
    let away = zip(result.curve.losses, stored.losses).map { abs($0 / $1 - 1) }.max() ?? 0
    if Tolerance.isWide(result.name) {
      farthest.bf16 = max(farthest.bf16, away)
    } else {
      farthest.fp32 = max(farthest.fp32, away)
    }
  }

  /// A sentence for each case of a table that was not run. A CPU without bf16 has no such cases.
  private static func missing(in present: [Result], of table: LossTable) -> [String] {
    let names = Set(present.map(\.name))
    let hasBF16 = present.contains { Tolerance.isBF16($0.name) }
    return table.results.filter { !names.contains($0.name) && (hasBF16 || !Tolerance.isBF16($0.name)) }.map {
      "\($0.name): stored, and not run"
    }
  }

  private static func inequality(_ result: Result, _ stored: LossCurve) -> String? {
    if result.curve == stored { return nil }
    for (step, (new, old)) in zip(result.curve.losses, stored.losses).enumerated() where new != old {
      return "\(result.name): step \(step + 1) loses \(new), and \(old) is stored"
    }
    return "\(result.name): the last gradient's norm is \(result.curve.norm), and \(stored.norm) is stored"
  }

  private static func distance(_ result: Result, _ stored: LossCurve) -> String? {
    let tolerance = Tolerance.of(result.name)
    for (step, (new, old)) in zip(result.curve.losses, stored.losses).enumerated()
    where !(abs(new - old) <= tolerance * abs(old)) {
      return "\(result.name): step \(step + 1) loses \(new), and \(old) is stored, \(abs(new / old - 1)) away"
    }
    return result.curve.losses.count == stored.losses.count ? nil : "\(result.name): another number of steps is stored"
  }
}
