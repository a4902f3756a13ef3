// The places of a history's entries on every x axis, and the number of values that each entry stands for: one for the newest
// entries, 64 for older ones, 4096 for those before, and so on, so that a run of any length takes bounded memory.
import TerminalUI

/// The x axis of a chart.
package enum Axis: String, Sendable, CaseIterable {
  case step, tokens, time, active

  /// Its name on the screen.
  var label: String { self == .active ? "active time" : rawValue }
}

/// A place on every x axis.
struct Moment: Sendable, Equatable {
  var step: Double
  var tokens: Double
  var time: Double
  var active: Double

  subscript(axis: Axis) -> Double {
    switch axis {
    case .step: step
    case .tokens: tokens
    case .time: time
    case .active: active
    }
  }
}

/// The x values of entries, oldest first. An entry that stands for many values has the place of the last of them.
struct Places: Sendable {
  /// Consecutive entries that stand for the same number of values.
  private struct Stretch: Sendable {
    var size: Int
    var count: Int
  }

  /// Entries to be replaced by one for each `factor` of them.
  struct Fold: Sendable {
    var range: Range<Int>
    var factor: Int

    /// The entries that replace them.
    var folded: Range<Int> { range.lowerBound..<range.lowerBound + range.count / factor }
  }

  /// The number of entries that one entry of the next coarser kind replaces, as in the pyramid of run.h5.
  static let factor = 64

  private var columns: [[Double]] = Axis.allCases.map { _ in [] }
  private var stretches: [Stretch] = []
  /// The least number of entries of each kind that is kept; twice as many are the most.
  let kept: Int

  /// - Parameter kept: a multiple of `factor`.
  init(keeping kept: Int) {
    precondition(kept > 0 && kept % Self.factor == 0)
    self.kept = kept
  }

  var count: Int { columns[0].count }

  /// The number of first entries that stand for more than one value.
  var summedUp: Int { stretches.reduce(0) { $0 + ($1.size > 1 ? $1.count : 0) } }

  /// The number of values that an entry stands for.
  func size(of entry: Int) -> Int {
    var end = 0
    for stretch in stretches {
      end += stretch.count
      if entry < end { return stretch.size }
    }
    return 1
  }

  /// The x values of an axis, never falling.
  subscript(axis: Axis) -> [Double] { columns[axis.index] }

  var last: Moment? { count > 0 ? self[count - 1] : nil }

  subscript(index: Int) -> Moment {
    Moment(
      step: columns[Axis.step.index][index], tokens: columns[Axis.tokens.index][index],
      time: columns[Axis.time.index][index], active: columns[Axis.active.index][index])
  }

  /// The last entry at or before a step, or the first one; nil where there is no entry.
  func moment(of step: Int) -> Moment? {
    count > 0 ? self[max(self[.step].lowerBound(of: Double(step).nextUp) - 1, 0)] : nil
  }

  /// Adds an entry. If a clock was set back, its axis stands still, but never falls.
  /// - Parameter size: the number of values that the entry stands for; not more than the entry before it.
  mutating func append(_ moment: Moment, standingFor size: Int = 1) {
    for axis in Axis.allCases {
      let value = moment[axis]
      let before = columns[axis.index].last ?? -.infinity
      columns[axis.index].append(value.isFinite ? max(value, before) : max(before, 0))
    }
    if let last = stretches.last, last.size == size {
      stretches[stretches.count - 1].count += 1
    } else {
      stretches.append(Stretch(size: size, count: 1))
    }
  }

  /// Forgets all but the first `count` entries.
  mutating func cut(to count: Int) {
    var excess = self.count - count
    guard excess > 0 else { return }
    for axis in columns.indices { columns[axis].removeLast(excess) }
    while excess > 0, let last = stretches.popLast() {
      if last.count > excess { stretches.append(Stretch(size: last.size, count: last.count - excess)) }
      excess -= min(last.count, excess)
    }
  }

  /// Folds old entries if there are too many of a kind.
  /// - Returns: the folds, which all data of the entries must repeat in this order.
  mutating func fold() -> [Fold] {
    var folds: [Fold] = []
    // The newest kind first: its folded entries may be too many for the next kind.
    var index = stretches.count - 1
    while index >= 0 {
      guard stretches[index].count >= 2 * kept else {
        index -= 1
        continue
      }
      let first = stretches[..<index].reduce(0) { $0 + $1.count }
      let fold = Fold(range: first..<first + kept, factor: Self.factor)
      for axis in columns.indices { columns[axis].fold(fold) { $0[$0.endIndex - 1] } }
      let size = stretches[index].size * Self.factor
      stretches[index].count -= kept
      if index > 0, stretches[index - 1].size == size {
        stretches[index - 1].count += kept / Self.factor
        index -= 1
      } else {
        stretches.insert(Stretch(size: size, count: kept / Self.factor), at: index)
      }
      folds.append(fold)
    }
    return folds
  }

  /// For each column of a plot, the entries that fall on it; entries outside of the scale fall on none.
  /// - Parameter covering: whether columns between two places of entries that stand for many values have the later one,
  ///   whose values lie there.
  func ranges(_ axis: Axis, _ scale: Scale, _ width: Int, covering: Bool = false) -> [Range<Int>] {
    guard width > 0 else { return [] }
    let xs = self[axis]
    let step = (scale.upper - scale.lower) / Double(max(width - 1, 1))
    let summedUp = summedUp
    // Half a column beyond both ends, so that entries at the ends belong to the plot.
    var start = xs.lowerBound(of: scale.lower - 0.5 * step)
    return (0..<width).map { column in
      let end = max(xs.lowerBound(of: scale.lower + (Double(column) + 0.5) * step), start)
      defer { start = end }
      return covering && start == end && start < summedUp ? start..<start + 1 : start..<end
    }
  }
}

extension Axis {
  fileprivate var index: Int {
    switch self {
    case .step: 0
    case .tokens: 1
    case .time: 2
    case .active: 3
    }
  }
}

extension Array {
  /// Replaces each `factor` elements of a range by one.
  mutating func fold(_ fold: Places.Fold, _ one: (ArraySlice<Element>) -> Element) {
    let folded = stride(from: fold.range.lowerBound, to: fold.range.upperBound, by: fold.factor).map {
      one(self[$0..<$0 + fold.factor])
    }
    replaceSubrange(fold.range, with: folded)
  }
}

extension [Double] {
  /// The first index whose value is not below `value`, in a rising array.
  func lowerBound(of value: Double) -> Int { lowerBound { $0 < value } }
}

extension Array {
  /// The first index whose element does not come before what is sought, in an array in order.
  func lowerBound(_ comesBefore: (Element) -> Bool) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if comesBefore(self[middle]) { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
