// The progress of tokenizing: the share that is done, the speed, and the time left.
import TerminalUI

/// The progress of a run's preparation.
package struct SetupProgress: Sendable, Equatable {
  private(set) var done = 0
  private(set) var total = 0
  /// Time and bytes of the first report, from which on the speed is measured.
  private var start: (time: Double, done: Int)?
  private var now = 0.0
  private var lastLine = -Double.infinity

  package init() {}

  package static func == (one: SetupProgress, other: SetupProgress) -> Bool {
    one.done == other.done && one.total == other.total && one.now == other.now
  }

  /// - Parameter now: Unix time, seconds.
  package mutating func take(done: Int, total: Int, now: Double) {
    // A new text, or the same text again.
    if start == nil || done < self.done { start = (now, done) }
    (self.done, self.total, self.now) = (done, total, now)
  }

  var share: Double { total > 0 ? min(Double(done) / Double(total), 1) : 0 }

  /// Bytes per second; nil before the second report.
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

  /// The progress as a line; nil within a second of the last line.
  package mutating func line(done: Int, total: Int, now: Double) -> String? {
    take(done: done, total: total, now: now)
    guard now - lastLine >= 1 || now < lastLine, done < total else { return nil }
    lastLine = now
    return "          tokens of \(Figure.bytes(Double(done))) of \(Figure.bytes(Double(total)))   \(words)"
  }
}

extension Dashboard {
  /// Takes the number of bytes of the text that are tokenized.
  /// - Parameter time: Unix time, seconds.
  package mutating func prepare(done: Int, total: Int, at time: Double) {
    setup.take(done: done, total: total, now: time)
    needsDrawing = true
  }
}
