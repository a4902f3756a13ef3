// A number a step with a pyramid above: a chart of any width draws in O(columns), and a one-step spike stays visible in a
// million steps. The first entries may stand for many values each: those of a stored run, or old ones of a long one.

/// Values in order, and quick summaries of any range of them.
package struct Series: Sendable {
  /// Statistics of a range of values.
  package struct Statistics: Sendable, Equatable {
    /// Extremes of the finite values; +∞ and −∞ without any.
    package var minimum: Float = .infinity
    package var maximum: Float = -.infinity
    package var sum = 0.0
    /// Finite values.
    package var count = 0
    /// Number of values that are not finite; they are not averaged.
    package var bad = 0

    /// Mean of the finite values; nil without any.
    package var mean: Double? { count > 0 ? sum / Double(count) : nil }

    init() {}

    /// What a stored run says of many steps; `bad` of them are not finite.
    package init(minimum: Float, maximum: Float, mean: Float, bad: Int, of steps: Int) {
      self.bad = min(max(bad, 0), steps)
      guard self.bad < steps, minimum.isFinite, maximum.isFinite, mean.isFinite else {
        self.bad = steps
        return
      }
      count = steps - self.bad
      (self.minimum, self.maximum) = (minimum, maximum)
      sum = Double(mean) * Double(count)
    }

    init(_ value: Float) { add(value) }

    /// So many values, all of them missing.
    static func missing(_ count: Int) -> Statistics {
      Statistics(minimum: 0, maximum: 0, mean: 0, bad: count, of: count)
    }

    mutating func add(_ value: Float) {
      guard value.isFinite else {
        bad += 1
        return
      }
      minimum = min(minimum, value)
      maximum = max(maximum, value)
      sum += Double(value)
      count += 1
    }

    mutating func add(_ other: Statistics) {
      minimum = min(minimum, other.minimum)
      maximum = max(maximum, other.maximum)
      sum += other.sum
      count += other.count
      bad += other.bad
    }
  }

  /// Entries of a level that one entry of the next one sums up.
  private static let fan = 16

  /// Values; the mean where an entry stands for many.
  package private(set) var values: [Float] = []
  /// The first entries, where each of them stands for many values.
  private var sums: [Statistics] = []
  /// `levels[0][i]` sums up values 16 i ..< 16 (i + 1), `levels[1]` sixteen of those, and so on. The last entry of each
  /// may be incomplete.
  private var levels: [[Statistics]] = []

  package init(_ values: [Float] = []) {
    for value in values { append(value) }
  }

  /// A series that begins late: no values for the entries so far.
  init(missingAt places: Places) {
    for index in 0..<places.count {
      if index < places.summedUp { append(.missing(places.size(of: index))) } else { append(.nan) }
    }
  }

  package var count: Int { values.count }
  package var last: Float? { values.last }

  package mutating func append(_ value: Float) {
    let index = values.count
    values.append(value)
    raise(index) { $0.add(value) }
  }

  /// Appends an entry that stands for many values. Single values come after all of these.
  package mutating func append(_ summary: Statistics) {
    precondition(sums.count == values.count, "what is summed up comes before single values")
    let index = values.count
    sums.append(summary)
    values.append(summary.mean.map { Float($0) } ?? .nan)
    raise(index) { $0.add(summary) }
  }

  /// How many entries stand for many values.
  package var summedUp: Int { sums.count }

  private func entry(_ index: Int) -> Statistics { index < sums.count ? sums[index] : Statistics(values[index]) }

  /// Takes a new entry into all levels.
  private mutating func raise(_ entry: Int, _ add: (inout Statistics) -> Void) {
    var index = entry
    for level in levels.indices {
      index /= Self.fan
      if index == levels[level].count { levels[level].append(Statistics()) }
      add(&levels[level][index])
    }
    let top = levels.last?.count ?? values.count
    if top > Self.fan { addLevel() }
  }

  private mutating func addLevel() {
    if let below = levels.last {
      levels.append(
        stride(from: 0, to: below.count, by: Self.fan).map { start in
          below[start..<min(start + Self.fan, below.count)].reduce(into: Statistics()) { $0.add($1) }
        })
    } else {
      levels.append(
        stride(from: 0, to: values.count, by: Self.fan).map { start in
          (start..<min(start + Self.fan, values.count)).reduce(into: Statistics()) { $0.add(entry($1)) }
        })
    }
  }

  /// Replaces entries by fewer that stand for all of their values. All entries before them stand for many already.
  mutating func fold(_ fold: Places.Fold) {
    precondition(sums.count >= fold.range.lowerBound, "old entries are summed up before newer ones")
    while sums.count < fold.range.upperBound { sums.append(Statistics(values[sums.count])) }
    sums.fold(fold) { $0.reduce(into: Statistics()) { $0.add($1) } }
    values.replaceSubrange(fold.range, with: sums[fold.folded].map { $0.mean.map { Float($0) } ?? .nan })
    levels.removeAll()
    while (levels.last?.count ?? values.count) > Self.fan { addLevel() }
  }

  /// Forgets all but the first `count` values.
  package mutating func cut(to count: Int) {
    guard count < values.count else { return }
    values.removeLast(values.count - count)
    sums.removeLast(max(0, sums.count - count))
    var below = count
    for level in levels.indices {
      let complete = below / Self.fan
      levels[level].removeLast(levels[level].count - complete)
      if below % Self.fan > 0 {
        var rest = Statistics()
        for index in (complete * Self.fan)..<below {
          if level == 0 { rest.add(entry(index)) } else { rest.add(levels[level - 1][index]) }
        }
        levels[level].append(rest)
      }
      below = levels[level].count
    }
  }

  /// Minimum, maximum, mean and number of bad values of a range, in O(log n).
  package func summary(of range: Range<Int>) -> Statistics {
    var (low, high) = (max(range.lowerBound, 0), min(range.upperBound, values.count))
    var result = Statistics()
    var level = -1
    while low < high {
      // Entries that do not fill one of the next level are taken one by one; all when there is no next level.
      let isTop = level + 1 >= levels.count
      while low < high, isTop || low % Self.fan != 0 {
        if level < 0 { result.add(entry(low)) } else { result.add(levels[level][low]) }
        low += 1
      }
      while low < high, high % Self.fan != 0 {
        high -= 1
        if level < 0 { result.add(entry(high)) } else { result.add(levels[level][high]) }
      }
      (low, high) = (low / Self.fan, high / Self.fan)
      level += 1
    }
    return result
  }

  package var summary: Statistics { summary(of: 0..<count) }
}
