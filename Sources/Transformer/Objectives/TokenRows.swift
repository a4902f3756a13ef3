// What the network reads: rows of tokens, and what follows them.

/// A view of rows of T input tokens with a look-ahead behind each, valid for a call.
package struct TokenRows {
  /// Row r's token t is at `tokens[r · stride + t]`; t ≥ context is look-ahead; −1 where there is none.
  package var tokens: UnsafePointer<Int32>
  package var rows: Int
  package var context: Int
  package var stride: Int
  /// For every token the number of its document, laid out alike; nil where a row is one document. No target lies in
  /// another document than its position, no position sees another document, and positions count from their document's
  /// beginning.
  package var documents: UnsafePointer<Int32>?
  /// For every token whether it counts as a position: 0 masks it in every loss. nil counts all.
  package var mask: UnsafePointer<UInt8>?
  /// What the trunk reads in the place of `tokens`, laid out alike; nil where it reads the tokens themselves.
  package var inputs: UnsafePointer<Int32>?
  /// A teacher's predictions at every position; nil without a teacher.
  package var teacher: TeacherView?

  /// The tokens that the trunk reads.
  var read: UnsafePointer<Int32> { inputs ?? tokens }

  /// The tokens that a teacher holds likeliest at each position, and their probabilities: [rows, T, count] each.
  package struct TeacherView {
    package var tokens: UnsafePointer<Int32>
    package var weights: UnsafePointer<Float>
    package var count: Int

    package init(tokens: UnsafePointer<Int32>, weights: UnsafePointer<Float>, count: Int) {
      self.tokens = tokens
      self.weights = weights
      self.count = count
    }

    /// From a position on.
    package func from(_ position: Int) -> TeacherView {
      TeacherView(tokens: tokens + position * count, weights: weights + position * count, count: count)
    }
  }

  package init(
    tokens: UnsafePointer<Int32>, rows: Int, context: Int, stride: Int, documents: UnsafePointer<Int32>? = nil,
    mask: UnsafePointer<UInt8>? = nil, inputs: UnsafePointer<Int32>? = nil, teacher: TeacherView? = nil
  ) {
    self.inputs = inputs
    self.teacher = teacher
    self.tokens = tokens
    self.rows = rows
    self.context = context
    self.stride = stride
    self.documents = documents
    self.mask = mask
  }

  /// `count` rows from `first` on.
  package func rows(_ first: Int, count: Int) -> TokenRows {
    TokenRows(
      tokens: tokens + first * stride, rows: count, context: context, stride: stride,
      documents: documents.map { $0 + first * stride }, mask: mask.map { $0 + first * stride },
      inputs: inputs.map { $0 + first * stride },
      teacher: teacher?.from(first * context))
  }

  /// One row.
  subscript(row: Int) -> TokenRow {
    TokenRow(
      tokens: tokens + row * stride, count: stride, context: context, documents: documents.map { $0 + row * stride },
      mask: mask.map { $0 + row * stride }, teacher: teacher?.from(row * context))
  }
}

/// One row of `TokenRows`: `count` tokens, of which the first `context` are positions.
struct TokenRow {
  var tokens: UnsafePointer<Int32>
  var count: Int
  var context: Int
  var documents: UnsafePointer<Int32>?
  var mask: UnsafePointer<UInt8>?
  var teacher: TokenRows.TeacherView?

  /// Whether position t counts: it has a token, and no mask says otherwise.
  func counts(_ t: Int) -> Bool { tokens[t] >= 0 && mask.map { $0[t] != 0 } ?? true }

  /// Whether a document ends between t and t + 1.
  func endsDocument(_ t: Int) -> Bool { documents.map { $0[t] != $0[t + 1] } ?? false }
}
