// The training windows in a seeded order, without end.

/// Batches of windows for training.
///
/// Window i of a part starts at token i·T. Every window comes once per pass. The order of each pass follows from the
/// seed and the pass's number, so that `window` alone is the data position. Nothing is allocated after `init`.
package struct Batches: ~Copyable {
  /// Windows handed out so far, over all passes: the data position, which checkpoints store.
  package private(set) var window: Int
  /// Number of windows in a pass.
  package let windows: Int
  /// Where in the part the rows of the last batch begin.
  package private(set) var starts: [Int]

  private let part: TokenRange
  private let seed: UInt64
  private let buffer: BatchBuffer
  private var order: Permutation
  private var pass: Int

  /// - Parameters:
  ///   - part: at least `context` tokens.
  ///   - context: T, tokens of a window.
  ///   - lookahead: Number of tokens after the T tokens of each row.
  ///   - window: windows handed out before: the data position to continue from.
  package init(of part: TokenRange, rows: Int, context: Int, lookahead: Int, seed: UInt64, window: Int = 0) {
    let windows = part.windows(of: context)
    precondition(windows > 0, "a part of \(part.count) tokens has no window of \(context)")
    precondition(window >= 0, "\(window) windows cannot have been handed out")
    self.part = part
    self.seed = seed
    self.window = window
    self.windows = windows
    starts = [Int](repeating: 0, count: rows)
    buffer = BatchBuffer(
      rows: rows, context: context, lookahead: lookahead, hasDocuments: part.hasDocuments, hasMask: part.graphs != nil)
    pass = window / windows
    order = Permutation(count: windows, seed: seed, pass: pass)
  }

  /// Goes back to the state after `window` windows were handed out.
  package mutating func goBack(to window: Int) {
    precondition((0...self.window).contains(window), "\(window) windows were not handed out yet")
    self.window = window
  }

  /// Goes on as if `window` windows had been handed out.
  package mutating func go(to window: Int) {
    precondition(window >= 0, "\(window) windows cannot have been handed out")
    self.window = window
  }

  /// The next batch, which overwrites the last one.
  /// - Throws: `CorpusError` when the part cannot be read or has changed; some windows may count as handed out.
  package mutating func next() throws(CorpusError) -> Batch {
    for row in 0..<buffer.rows {
      if window / windows != pass {
        pass = window / windows
        order = Permutation(count: windows, seed: seed, pass: pass)
      }
      starts[row] = order[window % windows] * buffer.context
      try buffer.fill(row, from: part, at: starts[row])
      window += 1
    }
    return buffer.batch(filledRows: buffer.rows)
  }
}

/// Batches for evaluation: all windows of a part, or some that are spread evenly over the part, once and in the order
/// of the text.
///
/// Window i of n starts at token i·T; an incomplete last window is left out. Each row has the tokens after its window
/// as far as the part has them. Of m < n windows the i-th is window ⌊i·n/m⌋, the same every time.
package struct OrderedBatches: ~Copyable {
  /// Windows handed out so far.
  package private(set) var window = 0
  /// Number of windows; 0 when the part is shorter than one window.
  package let windows: Int

  private let part: TokenRange
  private let partWindows: Int
  /// The window before which it ends.
  private var end: Int
  private let buffer: BatchBuffer

  /// - Parameters:
  ///   - context: T, tokens of a window.
  ///   - lookahead: Number of tokens after the T tokens of each row.
  ///   - most: the most windows to take.
  package init(of part: TokenRange, rows: Int, context: Int, lookahead: Int, most: Int = .max) {
    self.part = part
    partWindows = part.windows(of: context)
    windows = min(partWindows, most)
    end = windows
    buffer = BatchBuffer(
      rows: rows, context: context, lookahead: lookahead, hasDocuments: part.hasDocuments, hasMask: part.graphs != nil)
  }

  /// Hands out only these of its windows.
  package mutating func limit(to range: Range<Int>) {
    precondition(range.lowerBound >= 0 && range.upperBound <= windows, "there are \(windows) windows")
    (window, end) = (range.lowerBound, range.upperBound)
  }

  /// The next batch, which overwrites the last one; nil when all windows were handed out.
  /// - Throws: `CorpusError` when the part cannot be read or has changed.
  package mutating func next() throws(CorpusError) -> Batch? {
    guard window < end else { return nil }
    let filled = min(buffer.rows, end - window)
    for row in 0..<filled { try buffer.fill(row, from: part, at: place(of: window + row) * buffer.context) }
    for row in filled..<buffer.rows { buffer.clear(row) }
    window += filled
    return buffer.batch(filledRows: filled)
  }

  /// The number in the part of a window that is handed out.
  private func place(of window: Int) -> Int {
    let (high, low) = window.multipliedFullWidth(by: partWindows)
    return windows.dividingFullWidth((high, low)).quotient
  }
}
