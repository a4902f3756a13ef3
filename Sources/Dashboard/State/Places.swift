// Where the entries of a history lie on every x axis, and how many values each stands for: the newest entries one value,
// older ones 64, those before them 4096, and so on, so that a run of any length takes bounded memory.
import TerminalUI

/// What a chart's x axis counts.
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
  /// Consecutive entries that stand for equally many values.
  private struct Stretch: Sendable {
    var size: Int
    var count: Int
  }

  /// Entries to be replaced by one for each `factor` of them.
  struct Fold: Sendable {
    var range: Range<Int>
    var factor: Int

    /// The entries that take their place.
    var folded: Range<Int> { range.lowerBound..<range.lowerBound + range.count / factor }
  }

  /// Values that an entry of the next coarser kind stands for, for each value of this kind. The pyramid of run.h5 has
  /// the same factor.
  static let factor = 64

  private var columns: [[Double]] = Axis.allCases.map { _ in [] }
  private var stretches: [Stretch] = []
  /// Of each kind, at least as many of the newest entries are kept, and at most twice as many.
  let kept: Int

  /// - Parameter kept: a multiple of `factor`.
  init(keeping kept: Int) {
    precondition(kept > 0 && kept % Self.factor == 0)
    self.kept = kept
  }

  var count: Int { columns[0].count }

  /// How many of the first entries stand for more than one value.
  var summedUp: Int { stretches.reduce(0) { $0 + ($1.size > 1 ? $1.count : 0) } }

  /// How many values an entry stands for.
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

  /// Adds an entry. Clocks are set back now and then: an axis may stand still, but never falls.
  /// - Parameter size: values that it stands for; no more than the entry before it, or what came before 1.
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

  /// Makes fewer entries of old ones where there are too many of a kind.
  /// - Returns: what everything that belongs to the entries must do too, in this order.
  mutating func fold() -> [Fold] {
    var folds: [Fold] = []
    // The newest kind is looked at first: what it gives up may be too much for the one before it.
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
    // Half a column beyond both ends, so that what lies on them belongs to the plot.
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
