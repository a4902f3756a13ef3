// The training windows in a seeded order, without end: the second hop of the flow.

/// Batches of windows for training.
///
/// Window i of a part starts at token i·T. Every window comes once a pass; the order of each pass is drawn from the
/// seed and the pass's number, so that `window` alone says where to go on. Nothing is allocated after `init`.
package struct Batches: ~Copyable {
  /// Windows handed out so far, over all passes: the data position, to be stored and given back.
  package private(set) var window: Int
  /// Windows in a pass.
  package let windows: Int

  private let part: TokenRange
  private let seed: UInt64
  private let buffer: BatchBuffer
  private var order: Permutation
  private var pass: Int

  /// - Parameters:
  ///   - part: At least `context` tokens.
  ///   - context: T, tokens of a window.
  ///   - lookahead: How many following tokens each row has after its T.
  ///   - window: Windows handed out before, to go on from there.
  package init(of part: TokenRange, rows: Int, context: Int, lookahead: Int, seed: UInt64, window: Int = 0) {
    let windows = part.windows(of: context)
    precondition(windows > 0, "a part of \(part.count) tokens has no window of \(context)")
    precondition(window >= 0, "\(window) windows cannot have been handed out")
    self.part = part
    self.seed = seed
    self.window = window
    self.windows = windows
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

  /// The next rows. The last batch is overwritten.
  /// - Throws: `CorpusError` where the part cannot be read, or has changed; some windows may count as handed out.
  package mutating func next() throws(CorpusError) -> Batch {
    for row in 0..<buffer.rows {
      if window / windows != pass {
        pass = window / windows
        order = Permutation(count: windows, seed: seed, pass: pass)
      }
      try buffer.fill(row, from: part, at: order[window % windows] * buffer.context)
      window += 1
    }
    return buffer.batch(filledRows: buffer.rows)
  }
}

/// Batches of all windows of a part, or of some that are spread evenly over it, once, in the order of the text: for evaluation.
///
/// Window i of n starts at token i·T; the last, short one is left out; each row looks ahead past its window's end where the
/// part goes on. Of m < n windows the i-th is window ⌊i·n/m⌋, the same every time.
package struct OrderedBatches: ~Copyable {
  /// Windows handed out so far.
  package private(set) var window = 0
  /// Windows in all; 0 when the part is shorter than one.
  package let windows: Int

  private let part: TokenRange
  private let partWindows: Int
  private let buffer: BatchBuffer

  /// - Parameters:
  ///   - context: T, tokens of a window.
  ///   - lookahead: How many following tokens each row has after its T.
  ///   - most: The windows that are wanted at most.
  package init(of part: TokenRange, rows: Int, context: Int, lookahead: Int, most: Int = .max) {
    self.part = part
    partWindows = part.windows(of: context)
    windows = min(partWindows, most)
    buffer = BatchBuffer(
      rows: rows, context: context, lookahead: lookahead, hasDocuments: part.hasDocuments, hasMask: part.graphs != nil)
  }

  /// The next rows, nil when all windows were handed out. The last batch is overwritten.
  /// - Throws: `CorpusError` where the part cannot be read, or has changed.
  package mutating func next() throws(CorpusError) -> Batch? {
    guard window < windows else { return nil }
    let filled = min(buffer.rows, windows - window)
    for row in 0..<filled { try buffer.fill(row, from: part, at: place(of: window + row) * buffer.context) }
    for row in filled..<buffer.rows { buffer.clear(row) }
    window += filled
    return buffer.batch(filledRows: filled)
  }

  /// Where a window is among those of the part.
  private func place(of window: Int) -> Int {
    let (high, low) = window.multipliedFullWidth(by: partWindows)
    return windows.dividingFullWidth((high, low)).quotient
  }
}
