// How the rows of a memory layer's table were used, as counted in training: what evaluations report of it is made here.
import Foundation

/// The counts of one table.
package struct TableCounts: Sendable {
  /// n: the table has n² rows; row a·n + b is that of the keys a and b.
  package let keys: Int
  /// [n²]: picks of each row.
  package let picks: [UInt32]
  /// [n²]: the number of the counted step that last picked a row, from 1 on; 0 where none did.
  package let last: [UInt32]
  /// Steps whose picks were counted.
  package let steps: Int
  /// Steps of this session so far: those that `last` counts.
  package let counted: Int

  package init(keys: Int, picks: [UInt32], last: [UInt32], steps: Int, counted: Int) {
    self.keys = keys
    self.picks = picks
    self.last = last
    self.steps = steps
    self.counted = counted
  }

  /// All picks.
  private var total: Double { picks.reduce(0.0) { $0 + Double($1) } }

  /// The share of the rows that were picked; nil where nothing was counted.
  package var used: Float? {
    steps > 0 ? Float(picks.count { $0 > 0 }) / Float(picks.count) : nil
  }

  /// The entropy of the rows' shares of picks by that of even use, ln n²: 1 where all rows are picked alike, 0 where one row has all
  /// picks; nil where nothing was counted, or the table has one row.
  package var entropy: Float? {
    let total = total
    guard total > 0, picks.count > 1 else { return nil }
    let sum = picks.reduce(0.0) { $1 == 0 ? $0 : $0 + Double($1) * log(Double($1)) }
    return Float(max(0, log(total) - sum / total) / log(Double(picks.count)))
  }

  /// The largest share of picks that one row has; nil where nothing was counted.
  package var most: Float? {
    let total = total
    return total > 0 ? Float(Double(picks.max() ?? 0) / total) : nil
  }

  /// Steps without a pick after which a row counts as dead.
  package static let deadAfter = 1000

  /// The share of rows that no token picked in the last 1 000 steps; nil before a session has taken so many.
  package var dead: Float? {
    guard counted >= Self.deadAfter else { return nil }
    let bound = UInt32(clamping: counted - Self.deadAfter)
    return Float(last.count { $0 <= bound }) / Float(last.count)
  }

  // MARK: Pictures

  /// The use of a coarse grid of the table: how often the rows of a cell were picked, in per cent of even use.
  /// - Parameter side: cells a side, at most n.
  /// - Returns: [side, side], by the key of the row, then that of the column; empty where nothing was counted.
  package func cells(side: Int) -> [Int] {
    let total = total
    guard total > 0 else { return [] }
    var sums = [Double](repeating: 0, count: side * side)
    var sizes = sums
    let cellOfKey = (0..<keys).map { $0 * side / keys }
    for a in 0..<keys {
      for b in 0..<keys {
        let cell = cellOfKey[a] * side + cellOfKey[b]
        sums[cell] += Double(picks[a * keys + b])
        sizes[cell] += 1
      }
    }
    return zip(sums, sizes).map { sum, size in
      Int((100 * sum / size * Double(picks.count) / total).rounded())
    }
  }

  /// The rows by how often they were picked, in as many equal parts as there is room for: each part's share of all picks.
  /// - Parameter parts: at most n².
  /// - Returns: [parts], not ascending; empty where nothing was counted.
  package func ranks(parts: Int) -> [Float] {
    let total = total
    guard total > 0 else { return [] }
    let sorted = picks.sorted(by: >)
    return (0..<parts).map { part in
      let range = part * sorted.count / parts..<(part + 1) * sorted.count / parts
      return Float(sorted[range].reduce(0.0) { $0 + Double($1) } / total)
    }
  }

  /// The most used rows, most used first; of equal ones the lower row.
  package func first(_ count: Int) -> [MemoryMap.UsedRow] {
    let total = total
    guard total > 0 else { return [] }
    var best: [(row: Int, picks: UInt32)] = []
    for (row, number) in picks.enumerated()
    where number > 0 && (best.count < count || number > best[best.count - 1].picks) {
      let place = best.firstIndex { $0.picks < number } ?? best.count
      best.insert((row, number), at: place)
      if best.count > count { best.removeLast() }
    }
    return best.map {
      MemoryMap.UsedRow(row: $0.row / keys, column: $0.row % keys, share: Float(Double($0.picks) / total))
    }
  }
}
