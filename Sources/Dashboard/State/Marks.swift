// What happened on the way, for the x axes of charts: a changed rate, a pause, a checkpoint.

/// Something that a chart marks on its axis.
struct Mark: Sendable, Equatable {
  /// The rarest, and what matters most, first: of marks on one column the first is seen.
  enum Meaning: Sendable, CaseIterable { case diverged, alert, branch, rate, weight, pause, resumed, saved }
  var kind: Meaning
  var at: Moment
}

/// The marks of a run, in the order of their steps. Of a kind with very many, every second old one is forgotten.
struct Marks: Sendable {
  private(set) var all: [Mark] = []
  /// Marks that are kept at most.
  private let limit: Int

  init(limit: Int = 16_384) { self.limit = limit }

  mutating func append(_ mark: Mark) {
    // A checkpoint is complete some steps after the one that it is of.
    let place = all.lowerBound { $0.at.step <= mark.at.step }
    all.insert(mark, at: place)
    if all.count > limit { thin() }
  }

  mutating func cut(after step: Int) {
    all.removeLast(all.count - all.lowerBound { $0.at.step <= Double(step) })
  }

  /// The kinds that there are.
  var kinds: [Mark.Meaning] { Mark.Meaning.allCases.filter { kind in all.contains { $0.kind == kind } } }

  /// Columns between two marks of saved checkpoints.
  static let savedDistance = 4

  /// The mark of each column of a plot that matters most, from left to right. Of saved checkpoints, which may be many, only
  /// some have marks, and always the newest.
  /// - Parameter column: where an x value falls, rising with it.
  func foremost(_ axis: Axis, among columns: Int, column: (Double) -> Int) -> [(column: Int, kind: Mark.Meaning)] {
    var found: [(column: Int, kind: Mark.Meaning)] = []
    var start = 0
    for index in 0..<columns where start < all.count {
      let end = all.lowerBound { column($0.at[axis]) <= index }
      let here = all[start..<max(start, end)]
      if let kind = Mark.Meaning.allCases.first(where: { kind in here.contains { $0.kind == kind } }) {
        found.append((index, kind))
      }
      start = max(start, end)
    }
    let newest = found.last { $0.kind == .saved }?.column ?? 0
    var last = -Self.savedDistance
    return found.filter { mark in
      guard mark.kind == .saved, mark.column != newest else { return true }
      guard min(mark.column - last, newest - mark.column) >= Self.savedDistance else { return false }
      last = mark.column
      return true
    }
  }

  /// Forgets every second one of the most frequent kind among the older half.
  private mutating func thin() {
    let older = all.prefix(all.count / 2)
    let counts = Mark.Meaning.allCases.map { kind in older.count { $0.kind == kind } }
    guard let most = counts.indices.max(by: { counts[$0] < counts[$1] }) else { return }
    let kind = Mark.Meaning.allCases[most]
    var isKept = false
    let thinned = older.filter { mark in
      guard mark.kind == kind else { return true }
      isKept.toggle()
      return isKept
    }
    all.replaceSubrange(..<older.endIndex, with: thinned)
  }
}
