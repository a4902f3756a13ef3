// How work gets on that takes long, the making of tokens or an evaluation: how much is done, how fast, and how long the rest takes.
import Run
import TerminalUI

/// The progress of work whose size is known.
package struct WorkProgress: Sendable, Equatable {
  /// What is counted.
  package enum Unit: Sendable, Equatable {
    case windows
    /// Tokens that a teacher predicts.
    case taught
    case setup(SetupWork)

    /// What it is called before a bar and in lines.
    var name: String {
      switch self {
      case .windows: "evaluating"
      case .taught: "predicting"
      case .setup(.texts): "reading"
      case .setup(.tokenizer): "tokenizer"
      case .setup(.tokens): "tokens"
      case .setup(.weights): "weights"
      }
    }

    /// What is counted, in the plural; nil for bytes.
    private var counted: String? {
      switch self {
      case .windows: "windows"
      case .taught: "tokens"
      case .setup(.tokenizer): "pieces"
      case .setup(.texts), .setup(.tokens): nil
      case .setup(.weights): "weights"
      }
    }

    /// So much a second.
    func rate(_ rate: Double) -> String {
      counted.map { "\(Figure.short(rate)) \($0)/s" } ?? "\(Figure.bytes(rate))/s"
    }

    /// An amount of it.
    func amount(_ count: Int) -> String {
      counted == nil ? Figure.bytes(Double(count)) : Figure.short(Double(count))
    }
  }

  private(set) var unit: Unit
  private(set) var done = 0
  private(set) var total = 0
  /// When the first of it was done, and how much that was.
  private var start: (time: Double, done: Int)?
  /// The rate is counted from `older`, which is five to ten seconds ago: work that gets faster, such as a tokenizer's training, is not
  /// judged by its beginning.
  private var older: (time: Double, done: Int)?
  private var newer: (time: Double, done: Int)?
  private static let stretch = 5.0
  private var now = 0.0
  private var lastLine = -Double.infinity

  package init(of unit: Unit) { self.unit = unit }

  package static func == (one: WorkProgress, other: WorkProgress) -> Bool {
    one.done == other.done && one.total == other.total && one.now == other.now
  }

  /// Takes how far another part of the work is.
  /// - Parameter now: Unix time, seconds.
  package mutating func take(_ work: SetupWork, done: Int, total: Int, now: Double) {
    if unit != .setup(work) { self = WorkProgress(of: .setup(work), lastLine: lastLine) }
    take(done: done, total: total, now: now)
  }

  private init(of unit: Unit, lastLine: Double) {
    self.unit = unit
    self.lastLine = lastLine
  }

  /// - Parameter now: Unix time, seconds.
  package mutating func take(done: Int, total: Int, now: Double) {
    // Another text, or the same once more.
    if start == nil || done < self.done {
      start = (now, done)
      (older, newer) = (start, start)
    }
    if let mark = newer, now - mark.time >= Self.stretch { (older, newer) = (mark, (now, done)) }
    (self.done, self.total, self.now) = (done, total, now)
  }

  var isUnderWay: Bool { total > 0 && done < total }

  var share: Double { total > 0 ? min(Double(done) / Double(total), 1) : 0 }

  /// Units a second; nil before there are two reports.
  var rate: Double? {
    guard let older, now > older.time, done > older.done else { return nil }
    return Double(done - older.done) / (now - older.time)
  }

  /// `43 %   12 MB/s   8 s left`.
  package var words: String {
    guard let rate else { return percent }
    let left = Figure.duration(Double(max(total - done, 0)) / rate)
    return "\(percent)   \(unit.rate(rate))   \(left) left"
  }

  /// `43 %`.
  var percent: String { "\(Int(share * 100)) %" }

  /// A bar of so many cells.
  func bar(_ cells: Int) -> [Span] {
    // What has begun is seen.
    let filled = share > 0 ? max(Int(share * Double(cells)), min(cells, 1)) : 0
    return [
      Span(String(repeating: "━", count: filled), Style(.good)),
      Span(String(repeating: "─", count: max(cells - filled, 0)), .frame),
    ]
  }

  /// The cells of most words beside a bar.
  private static let usualWords = 34

  /// Its name, a bar of at most 40 cells, and the same words, in a line of so many cells if a bar of ten has room in it.
  package func barLine(columns: Int) -> [Span] {
    let words = "  " + self.words
    // The bar keeps its length while the words get a cell longer or shorter.
    let cells = min(40, max(columns - unit.name.width - 2 - max(words.width, Self.usualWords), 10))
    return [Span(unit.name + "  ", .faint)] + bar(cells) + [Span(words)]
  }

  /// The same as a line, at most one a second; nil in between. Work that takes less than two seconds needs none.
  package mutating func line(done: Int, total: Int, now: Double) -> String? {
    take(done: done, total: total, now: now)
    return line(now: now)
  }

  /// The same of a part of setting up.
  package mutating func line(_ work: SetupWork, done: Int, total: Int, now: Double) -> String? {
    take(work, done: done, total: total, now: now)
    return line(now: now)
  }

  private mutating func line(now: Double) -> String? {
    let isDue = now - lastLine >= 1 || now < lastLine
    guard isDue, done < total, unit == .setup(.tokens) || now - (start?.time ?? now) >= 2 else { return nil }
    lastLine = now
    let amount = unit == .windows ? "" : " of \(unit.amount(done)) of \(unit.amount(total))"
    return "          \(unit.name)\(amount)   \(words)"
  }
}

extension Dashboard {
  /// Takes what is done now to set the run up. It belongs to no step.
  /// - Parameter time: Unix time, seconds.
  package mutating func prepare(_ text: String, at time: Double) {
    var line = LogLine(time: time, step: 0, text: text + " …")
    line.hasStep = false
    note(line)
    needsDrawing = true
  }

  /// Takes how much of a part of setting up is done.
  /// - Parameter time: Unix time, seconds.
  package mutating func prepare(_ work: SetupWork, done: Int, total: Int, at time: Double) {
    setup.take(work, done: done, total: total, now: time)
    needsDrawing = true
  }

  /// Takes how many windows of an evaluation are measured already.
  /// - Parameter time: Unix time, seconds.
  package mutating func evaluate(done: Int, total: Int, at time: Double) {
    evaluation.take(done: done, total: total, now: time)
    needsDrawing = true
  }
}
