// A linear axis whose ticks are round numbers and equally many rows apart; its bounds move outward to make that possible.

extension Scale {
  /// A linear axis as `even` makes it, with its ticks; a logarithmic axis as it is, with round numbers.
  /// - Parameters:
  ///   - rows: the plot's height in cells, at least 1.
  ///   - points: points per cell.
  package func evened(rows: Int, points: Int) -> (scale: Scale, ticks: [Double]) {
    isLogarithmic
      ? (self, ticks(atMost: max(3, (rows + 2) / 3))) : Self.even(from: lower, to: upper, rows: rows, points: points)
  }

  /// An axis over at least `low`…`high`, with its ticks: round numbers, all the same number of rows apart. An axis from 0 stays
  /// one, since nothing below 0 is expected of its values.
  /// - Parameters:
  ///   - rows: the plot's height in cells, at least 1.
  ///   - points: points per cell.
  package static func even(from low: Double, to high: Double, rows: Int, points: Int) -> (scale: Scale, ticks: [Double])
  {
    let plain = Scale(from: low, to: high)
    let (low, high) = (plain.lower, plain.upper)
    let height = Double(rows * points - 1)
    guard rows >= 3, height > 0 else {
      let round = plain.ticks(atMost: max(rows, 1))
      return (plain, round.isEmpty ? [high] : round)
    }
    var best: (cost: Double, scale: Scale, ticks: [Double])?
    for rowsATick in (rows >= 10 ? 3 : 2)...max(3, min(6, rows / 2)) {
      let pointsATick = Double(rowsATick * points)
      let step = step(for: (high - low) * pointsATick / height, parts: 1)
      let span = step * height / pointsATick
      // The surplus is divided equally above and below, except for half a point: ticks lie exactly on points, so that all are
      // rounded in the same way.
      let middle = low == 0 ? 0 : low - (span - (high - low)) / 2
      let point = step / pointsATick
      let above = (middle / step - 1e-9).rounded(.up) * step
      let lower = min(above - ((above - middle) / point).rounded() * point, low)
      let first = (lower / step - 1e-9).rounded(.up)
      let last = ((lower + span) / step + 1e-9).rounded(.down)
      guard first < last, last - first < 1000 else { continue }
      let ticks = Array(stride(from: first, through: last, by: 1).map { $0 * step + 0 })
      let cost = span * (ticks.count < min(4, rows / 3) ? 1.3 : 1)
      if best.map({ cost < $0.cost }) ?? true { best = (cost, Scale(from: lower, to: lower + span), ticks) }
    }
    guard let best else { return (plain, plain.ticks(atMost: max(2, rows / 3))) }
    return (best.scale, best.ticks)
  }
}
