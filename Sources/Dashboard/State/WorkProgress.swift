// How work gets on that takes long, the making of tokens or an evaluation: how much is done, how fast, and how long the rest takes.
import Run
import TerminalUI

/// The progress of work whose size is known.
package struct WorkProgress: Sendable, Equatable {
  /// What is counted.
  package enum Unit: Sendable { case bytes, windows }

  let unit: Unit
  private(set) var done = 0
  private(set) var total = 0
  /// When the first of it was done, and how much that was: the rate is counted from there.
  private var start: (time: Double, done: Int)?
  private var now = 0.0
  private var lastLine = -Double.infinity

  package init(of unit: Unit) { self.unit = unit }

  package static func == (one: WorkProgress, other: WorkProgress) -> Bool {
    one.done == other.done && one.total == other.total && one.now == other.now
  }

  /// - Parameter now: Unix time, seconds.
  package mutating func take(done: Int, total: Int, now: Double) {
    // Another text, or the same once more.
    if start == nil || done < self.done { start = (now, done) }
    (self.done, self.total, self.now) = (done, total, now)
  }

  var isUnderWay: Bool { total > 0 && done < total }

  var share: Double { total > 0 ? min(Double(done) / Double(total), 1) : 0 }

  /// Units a second; nil before there are two reports.
  var rate: Double? {
    guard let start, now > start.time, done > start.done else { return nil }
    return Double(done - start.done) / (now - start.time)
  }

  /// `43 %   12 MB/s   8 s left`.
  package var words: String {
    guard let rate else { return percent }
    let left = Figure.duration(Double(max(total - done, 0)) / rate)
    return "\(percent)   \(unit == .bytes ? Figure.bytes(rate) : Figure.short(rate) + " windows")/s   \(left) left"
  }

  /// `43 %`.
  var percent: String { "\(Int(share * 100)) %" }

  /// A bar of so many cells.
  func bar(_ cells: Int) -> [Span] {
    let filled = Int(share * Double(cells))
    return [
      Span(String(repeating: "━", count: filled), Style(.good)),
      Span(String(repeating: "─", count: max(cells - filled, 0)), .frame),
    ]
  }

  /// The same as a line, at most one a second; nil in between. Work that takes less than two seconds needs none.
  package mutating func line(done: Int, total: Int, now: Double) -> String? {
    take(done: done, total: total, now: now)
    let isDue = now - lastLine >= 1 || now < lastLine
    guard isDue, done < total, unit == .bytes || now - (start?.time ?? now) >= 2 else { return nil }
    lastLine = now
    switch unit {
    case .bytes: return "          tokens of \(Figure.bytes(Double(done))) of \(Figure.bytes(Double(total)))   \(words)"
    case .windows: return "          evaluating   \(words)"
    }
  }
}

extension Dashboard {
  /// Takes how many bytes of the text are tokens already.
  /// - Parameter time: Unix time, seconds.
  package mutating func prepare(done: Int, total: Int, at time: Double) {
    setup.take(done: done, total: total, now: time)
    needsDrawing = true
  }

  /// Takes how many windows of an evaluation are measured already.
  /// - Parameter time: Unix time, seconds.
  package mutating func evaluate(done: Int, total: Int, at time: Double) {
    evaluation.take(done: done, total: total, now: time)
    needsDrawing = true
  }
}
