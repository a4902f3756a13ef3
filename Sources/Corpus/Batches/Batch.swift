// What a step learns from: rows of tokens and what follows them.

/// A view of a batch, valid until the next one is asked for: a guest of the `Batches` or `OrderedBatches` that made it.
package struct Batch {
  /// Rows of the buffer.
  package let rows: Int
  /// Rows that hold a window; those after them are all −1. Equal to `rows` but in the last batch of `OrderedBatches`.
  package let filledRows: Int
  /// T: tokens of a window.
  package let context: Int
  /// How many following tokens each row has after its T.
  package let lookahead: Int
  /// [rows, T + lookahead], row-major; −1 where no token follows because the part ends.
  package let tokens: UnsafePointer<Int32>
  /// [rows, T + lookahead]: the number of each token's document; nil where the part knows of no documents.
  package let documents: UnsafePointer<Int32>?
  /// [rows, T + lookahead]: 1 for every token that counts as a position; nil where all do.
  package let mask: UnsafePointer<UInt8>?

  /// Elements from one row to the next: T + lookahead.
  package var stride: Int { context + lookahead }
}

/// The memory of a batch, and how a window is put into a row.
struct BatchBuffer: ~Copyable {
  let rows: Int
  let context: Int
  let lookahead: Int
  private let tokens: UnsafeMutablePointer<Int32>
  private let documents: UnsafeMutablePointer<Int32>?
  private let mask: UnsafeMutablePointer<UInt8>?

  private var stride: Int { context + lookahead }

  init(rows: Int, context: Int, lookahead: Int, hasDocuments: Bool, hasMask: Bool = false) {
    precondition(rows > 0 && context > 0 && lookahead >= 0, "a batch has at least one row of at least one token")
    self.rows = rows
    self.context = context
    self.lookahead = lookahead
    tokens = .allocate(capacity: rows * (context + lookahead))
    tokens.initialize(repeating: -1, count: rows * (context + lookahead))
    documents = hasDocuments ? .allocate(capacity: rows * (context + lookahead)) : nil
    documents?.initialize(repeating: -1, count: rows * (context + lookahead))
    mask = hasMask ? .allocate(capacity: rows * (context + lookahead)) : nil
    mask?.initialize(repeating: 0, count: rows * (context + lookahead))
  }

  deinit {
    tokens.deallocate()
    documents?.deallocate()
    mask?.deallocate()
  }

  /// Puts the window that starts at `start` into a row, with as many of the tokens after it as the part has.
  /// - Throws: `CorpusError` where the part cannot be read, or has changed: see `TokenRange.copy`.
  func fill(_ row: Int, from part: TokenRange, at start: Int) throws(CorpusError) {
    let destination = tokens + row * stride
    let available = min(stride, part.available(from: start))
    try part.copy(start..<(start + available), to: destination)
    (destination + available).update(repeating: -1, count: stride - available)
    if let mask {
      part.copyMask(start..<(start + available), to: mask + row * stride)
      (mask + row * stride + available).update(repeating: 0, count: stride - available)
    }
    guard let documents else { return }
    part.copyDocuments(start..<(start + available), to: documents + row * stride)
    (documents + row * stride + available).update(repeating: -1, count: stride - available)
  }

  func clear(_ row: Int) {
    (tokens + row * stride).update(repeating: -1, count: stride)
  }

  func batch(filledRows: Int) -> Batch {
    Batch(
      rows: rows, filledRows: filledRows, context: context, lookahead: lookahead, tokens: UnsafePointer(tokens),
      documents: documents.map { UnsafePointer($0) }, mask: mask.map { UnsafePointer($0) })
  }
}
