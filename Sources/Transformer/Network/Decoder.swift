// Reading a text on, one token or many at a time, with what branches keep of all tokens before: what generation does. Only
// the trunk and one head are used; the others are not even looked at.
import Kernels

/// A text being read. The network is lent for each call and may be trained in between; then begin a new decoder.
package struct Decoder: ~Copyable {
  /// Rows of the products that many tokens go through, where the context is as long: many tokens are read in pieces of the
  /// first size, the last of them in pieces of the second, and fewer than `fewest` one at a time.
  package static let pieces = (large: 128, small: 16)
  private static let fewest = 8

  /// The memory for as many rows.
  private struct ReadingRows {
    let x, normed, statistics, hidden, room: Int
  }

  private let c: Configuration
  private var cache: Storage
  private var hasCache = false
  /// What a pass works with, for the largest number of rows so far.
  private var working: Storage
  private var products: Products?
  /// Of the tokens that were read last: [count, d] after the final norm.
  private var hidden: [Float] = []
  /// The tokens that are kept, oldest first: at most T.
  private var tokens: [Int32] = []

  /// - Throws: `TransformerError.memory`.
  package init(_ configuration: Configuration) throws {
    let cache = try Storage(bytes: 0)
    let working = try Storage(bytes: 0)
    c = configuration
    self.cache = cache
    self.working = working
  }

  /// How many tokens are kept.
  package var count: Int { tokens.count }

  /// Reads a token. Where the context is full, its older half is forgotten first.
  /// - Throws: `TransformerError` when memory is short or oneDNN refuses.
  package mutating func read(_ token: Int32, by model: borrowing Transformer) throws {
    try read([token], by: model)
  }

  /// Reads tokens, with one matrix product a layer for many of them. They come to what they come to one after the other;
  /// where the context is full, its older half is forgotten.
  /// - Throws: `TransformerError` when memory is short or oneDNN refuses.
  package mutating func read(_ new: [Int32], by model: borrowing Transformer) throws {
    var kept = tokens.count
    var isFull = false
    for _ in new {
      if kept == c.context {
        kept = c.context / 2
        isFull = true
      }
      kept += 1
    }
    if isFull {
      let all = Array((tokens + new).suffix(kept))
      tokens = []
      try take(all[...], model)
    } else {
      try take(new[...], model)
    }
  }

  /// Forgets the tokens that were read last. `logits` needs another token first.
  /// - Parameter n: at most `count`.
  package mutating func forget(last n: Int) {
    precondition(n >= 0 && n <= tokens.count, "\(tokens.count) tokens are kept, and \(n) cannot be forgotten")
    guard n > 0 else { return }
    tokens.removeLast(n)
    hidden = []
  }

  /// The logits of a head for the token that follows what was read.
  /// - Returns: [V].
  package func logits(of model: borrowing Transformer, head: Int = 0) -> [Float] {
    precondition(!hidden.isEmpty, "nothing was read yet, or since something was forgotten")
    return model.logits(head: head, hidden: Array(hidden.suffix(c.width)))
  }

  /// Reads tokens that the context still holds, and says after each which logits a head has for the next one.
  /// - Returns: [V] a token.
  /// - Throws: `TransformerError` when memory is short or oneDNN refuses.
  package mutating func logits(
    reading new: [Int32], by model: borrowing Transformer, head: Int = 0
  ) throws -> [[Float]] {
    precondition(tokens.count + new.count <= c.context, "the context has no room for \(new.count) tokens more")
    var all: [[Float]] = []
    var rest = new[...]
    while !rest.isEmpty {
      let piece = rest.prefix(Self.pieces.large)
      try take(piece, model)
      for row in 0..<piece.count {
        let place = hidden.count - (piece.count - row) * c.width
        all.append(model.logits(head: head, hidden: Array(hidden[place..<place + c.width])))
      }
      rest = rest.dropFirst(piece.count)
    }
    return all
  }

  // MARK: Through the network

  /// Takes tokens through that the context has room for; `hidden` is of the last of them, up to a large piece.
  private mutating func take(_ new: ArraySlice<Int32>, _ model: borrowing Transformer) throws {
    precondition(model.configuration == c, "a decoder reads for the network that it was made for")
    let trunk = model.trunk
    var rest = new
    var seen: [Float] = []
    do {
      while !rest.isEmpty {
        let sizes = [min(Self.pieces.large, c.context), min(Self.pieces.small, c.context)]
        let rows = rest.count >= sizes[0] ? sizes[0] : rest.count >= Self.fewest ? sizes[1] : 1
        let piece = rest.prefix(rows)
        seen += try take(piece, rows: rows, model, trunk)
        seen.removeFirst(max(0, seen.count - Self.pieces.large * c.width))
        rest = rest.dropFirst(piece.count)
      }
    } catch let error as ProductError {
      throw TransformerError.kernels("\(error)")
    }
    if let failure = products?.failure { throw TransformerError.kernels("\(failure)") }
    hidden = seen
  }

  /// Takes one piece through.
  /// - Returns: [count, d] after the final norm.
  private mutating func take(
    _ piece: ArraySlice<Int32>, rows: Int, _ model: borrowing Transformer,
    _ trunk: (blocks: [Block], norm: Norm, arena: Arena)
  ) throws -> [Float] {
    let precision = rows == 1 ? Precision.fp32 : model.precision
    let shape = ReadingShape(rows: rows, precision: precision, threads: model.threads)
    let places = try reserve(shape, trunk.blocks)
    let base = working.base
    func floats(_ offset: Int) -> UnsafeMutablePointer<Float> { (base + offset).assumingMemoryBound(to: Float.self) }
    let parameters = model.parameters.view
    let layout = model.parameters.layout
    let reading = Reading(
      shape: shape, parameters: parameters, arena: trunk.arena, precision: model.precision, position: tokens.count,
      count: piece.count, products: products, room: base + places.room)
    let x = Matrix(floats(places.x), rows: rows, columns: c.width)
    for (row, token) in piece.enumerated() {
      (floats(places.x) + row * c.width).update(
        from: parameters.weights + layout.embedding + Int(token) * c.width, count: c.width)
      if let positions = layout.positions {
        Embedding.addPositions(
          parameters.weights + positions + (tokens.count + row) * c.width, context: 1, x: x.rows(row, count: 1),
          threads: 1)
      }
    }
    reading.clearUnused(x)
    let normed = Matrix(base + places.normed, rows: rows, columns: c.width, precision: precision)
    var cache = cache.floats
    for block in trunk.blocks {
      try block.read(reading, x: x, normed: normed, statistics: floats(places.statistics), cache: cache)
      cache += block.cacheSize
    }
    trunk.norm.with(threads: shape.rowThreads).forward(
      parameters, x, adding: nil, sum: x, y: Matrix(floats(places.hidden), rows: rows, columns: c.width),
      statistics: floats(places.statistics))
    tokens += piece
    return Array(UnsafeBufferPointer(start: floats(places.hidden), count: piece.count * c.width))
  }

  /// Makes sure that there is memory for so many rows.
  private mutating func reserve(_ shape: ReadingShape, _ blocks: [Block]) throws -> ReadingRows {
    if !hasCache {
      cache = try Storage(bytes: 4 * blocks.reduce(0) { $0 + $1.cacheSize })
      hasCache = true
    }
    if shape.rows > 1, products == nil { products = try Products(threads: shape.threads) }
    var layout = ArenaLayout()
    let places = ReadingRows(
      x: layout.place(shape.rows * c.width, width: 4), normed: layout.place(shape.rows * c.width, width: 4),
      statistics: layout.place(shape.rows * Norm.statistics(c), width: 4),
      hidden: layout.place(shape.rows * c.width, width: 4),
      room: layout.place(blocks.map { $0.roomSize(shape) }.max() ?? 0, width: 1))
    if layout.bytes > working.bytes { working = try Storage(bytes: layout.bytes) }
    return places
  }
}
