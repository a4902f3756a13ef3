// Batches: rows of tokens, with the tokens that follow each row.

/// A view of a batch in the memory of the `Batches` or `OrderedBatches` that made it; valid until their next batch.
package struct Batch {
  /// Number of rows in the buffer.
  package let rows: Int
  /// Number of rows that hold a window; all tokens of the rows after them are −1. Equal to `rows`, except in the last
  /// batch of `OrderedBatches`.
  package let filledRows: Int
  /// T: tokens of a window.
  package let context: Int
  /// Number of tokens after the T tokens of each row.
  package let lookahead: Int
  /// [rows, T + lookahead], row-major; −1 where no token follows because the part ends.
  package let tokens: UnsafePointer<Int32>
  /// [rows, T + lookahead]: the document number of each token; nil if the text is not divided into documents.
  package let documents: UnsafePointer<Int32>?
  /// [rows, T + lookahead]: 1 for every token that counts as a position; nil where all do.
  package let mask: UnsafePointer<UInt8>?

  /// - Parameters: as the properties.
  package init(
    rows: Int, filledRows: Int, context: Int, lookahead: Int, tokens: UnsafePointer<Int32>,
    documents: UnsafePointer<Int32>? = nil, mask: UnsafePointer<UInt8>? = nil
  ) {
    self.rows = rows
    self.filledRows = filledRows
    self.context = context
    self.lookahead = lookahead
    self.tokens = tokens
    self.documents = documents
    self.mask = mask
  }

  /// Elements from the start of a row to the start of the next: T + lookahead.
  package var stride: Int { context + lookahead }
}

/// The memory of a batch; copies windows into its rows.
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

  /// Copies the window that starts at `start` into a row, with the tokens after it as far as the part has them.
  /// - Throws: `CorpusError` when the part cannot be read or has changed: see `TokenRange.copy`.
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
