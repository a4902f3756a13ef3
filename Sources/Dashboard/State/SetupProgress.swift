// How the making of tokens gets on: how much is done, how fast, and how long the rest takes.
import TerminalUI

/// The progress of what a run needs before its first step.
package struct SetupProgress: Sendable, Equatable {
  private(set) var done = 0
  private(set) var total = 0
  /// When the first bytes were done, and how many those were: the rate is counted from there.
  private var start: (time: Double, done: Int)?
  private var now = 0.0
  private var lastLine = -Double.infinity

  package init() {}

  package static func == (one: SetupProgress, other: SetupProgress) -> Bool {
    one.done == other.done && one.total == other.total && one.now == other.now
  }

  /// - Parameter now: Unix time, seconds.
  package mutating func take(done: Int, total: Int, now: Double) {
    // Another text, or the same once more.
    if start == nil || done < self.done { start = (now, done) }
    (self.done, self.total, self.now) = (done, total, now)
  }

  var share: Double { total > 0 ? min(Double(done) / Double(total), 1) : 0 }

  /// Bytes a second; nil before there are two reports.
  var rate: Double? {
    guard let start, now > start.time, done > start.done else { return nil }
    return Double(done - start.done) / (now - start.time)
  }

  /// `43 %   12 MB/s   8 s left`.
  var words: String {
    var words = "\(Int(share * 100)) %"
    if let rate {
      words += "   \(Figure.bytes(rate))/s   \(Figure.duration(Double(max(total - done, 0)) / rate)) left"
    }
    return words
  }

  /// The same as a line, at most one a second; nil in between.
  package mutating func line(done: Int, total: Int, now: Double) -> String? {
    take(done: done, total: total, now: now)
    guard now - lastLine >= 1 || now < lastLine, done < total else { return nil }
    lastLine = now
    return "          tokens of \(Figure.bytes(Double(done))) of \(Figure.bytes(Double(total)))   \(words)"
  }
}

extension Dashboard {
  /// Takes how many bytes of the text are tokens already.
  /// - Parameter time: Unix time, seconds.
  package mutating func prepare(done: Int, total: Int, at time: Double) {
    setup.take(done: done, total: total, now: time)
    needsDrawing = true
  }
}
