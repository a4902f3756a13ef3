// A pass of new tokens through blocks: Decoder uses it for the trunk, Drafter for the further heads.
import Kernels

/// The number of tokens of one pass.
struct ReadingPiece {
  let count: Int
  /// Rows of the matrices: `count`, or more if the products have more rows.
  let rows: Int
  let isAlone: Bool

  /// - Parameters:
  ///   - alone: true if every token must have the bits of a pass over that token alone.
  static func first(of count: Int, context: Int, alone: Bool) -> ReadingPiece {
    let sizes = (large: min(Decoder.pieces.large, context), small: min(Decoder.pieces.small, context))
    if alone || count < Decoder.fewest {
      let count = min(count, ReadingShape.mostAlone)
      return ReadingPiece(count: count, rows: count, isAlone: true)
    }
    let rows = count >= sizes.large ? sizes.large : sizes.small
    return ReadingPiece(count: min(count, rows), rows: rows, isAlone: false)
  }
}

/// The blocks of a pass in order, and their caches of each text.
struct ReadingBlocks {
  let blocks: [Block]
  /// The cache of the first text and the first block; nil without blocks.
  let cache: UnsafeMutablePointer<Float>
  /// Floats from one text's cache to the next one's.
  let stride: Int
  /// The block whose input stream is returned; the number of blocks stands for the stream after the last block.
  var tap: Int?
}

/// The input of the first block.
enum ReadingInput {
  case tokens(ArraySlice<Int32>)
  /// [n, d].
  case stream(ArraySlice<Float>)
}

/// The results of a pass, [n, d] each.
struct ReadingOutput {
  /// The hidden states after the final norm.
  var hidden: [Float] = []
  /// The stream at `tap`; empty without a tap.
  var stream: [Float] = []
}

/// The memory of passes, for the largest number of rows so far, and their products.
struct ReadingPass: ~Copyable {
  private struct ReadingRows {
    let x, normed, statistics, hidden, joined, room: Int
  }

  private let c: Configuration
  private var working: Storage
  private(set) var products: Products?

  /// - Throws: `TransformerError.memory`.
  init(_ configuration: Configuration) throws {
    let working = try Storage(bytes: 0)
    c = configuration
    self.working = working
  }

  private func floats(_ offset: Int) -> UnsafeMutablePointer<Float> {
    (working.base + offset).assumingMemoryBound(to: Float.self)
  }

  /// Computes one piece.
  /// - Parameter places: one place per token; see `ReadingShape.isAlone`.
  /// - Throws: `ProductError`, or `TransformerError` when memory is short.
  mutating func run(
    _ input: ReadingInput, at places: [ReadingPlace], _ piece: ReadingPiece, through path: ReadingBlocks,
    of model: Transformer
  ) throws -> ReadingOutput {
    let shape = ReadingShape(
      rows: piece.rows, isAlone: piece.isAlone, precision: model.precision, threads: model.threads)
    let rows = try reserve(shape, path.blocks)
    let reading = reading(shape, places, stride: path.stride, room: rows.room, of: model)
    let x = Matrix(floats(rows.x), rows: shape.rows, columns: c.width)
    put(input, into: floats(rows.x), at: places, of: model)
    reading.clearUnused(x)
    let normed = Matrix(
      working.base + rows.normed, rows: shape.rows, columns: c.width, precision: shape.precision)
    var output = ReadingOutput()
    var cache = path.cache
    for (index, block) in path.blocks.enumerated() {
      if index == path.tap { output.stream = kept(rows.x, places.count) }
      try block.read(reading, x: x, normed: normed, statistics: floats(rows.statistics), cache: cache)
      cache += block.cacheSize
    }
    if path.tap == path.blocks.count { output.stream = kept(rows.x, places.count) }
    model.trunk.norm.with(threads: shape.rowThreads).forward(
      reading.parameters, x, adding: nil, sum: x, y: Matrix(floats(rows.hidden), rows: shape.rows, columns: c.width),
      statistics: floats(rows.statistics))
    output.hidden = kept(rows.hidden, places.count)
    return output
  }

  private func kept(_ offset: Int, _ count: Int) -> [Float] {
    Array(UnsafeBufferPointer(start: floats(offset), count: count * c.width))
  }

  private func reading(
    _ shape: ReadingShape, _ places: [ReadingPlace], stride: Int, room: Int, of model: Transformer
  ) -> Reading {
    Reading(
      shape: shape, parameters: model.parameters.view, arena: model.trunk.arena, precision: model.precision,
      places: places, cacheStride: stride, products: products, room: working.base + room)
  }

  private func put(
    _ input: ReadingInput, into x: UnsafeMutablePointer<Float>, at places: [ReadingPlace],
    of model: Transformer
  ) {
    switch input {
    case .stream(let stream):
      stream.withUnsafeBufferPointer { x.update(from: $0.baseAddress!, count: $0.count) }
    case .tokens(let tokens):
      let (weights, layout) = (model.parameters.weights, model.parameters.layout)
      for (row, (token, place)) in zip(tokens, places).enumerated() {
        let row = x + row * c.width
        row.update(from: weights + layout.embedding + Int(token) * c.width, count: c.width)
        guard let positions = layout.positions else { continue }
        Embedding.addPositions(
          weights + positions + place.position * c.width, context: 1, x: Matrix(row, rows: 1, columns: c.width),
          threads: 1)
      }
    }
  }

  /// The input of a sequential head's block, M [RMSNorm(h) ; RMSNorm(Emb(x))], for a few rows (DeepSeek-V3, equation 21).
  /// - Parameters:
  ///   - stream: h, the stream of the depth before: [n, d].
  ///   - tokens: x, n tokens.
  /// - Returns: [n, d].
  mutating func join(
    _ stream: ArraySlice<Float>, _ tokens: [Int32], by joint: FurtherHead.Joint, of model: Transformer
  ) throws -> [Float] {
    let shape = ReadingShape(rows: tokens.count, isAlone: true, precision: .fp32, threads: model.threads)
    let rows = try reserve(shape, [])
    let places = tokens.indices.map { ReadingPlace(text: 0, position: $0) }
    let reading = reading(shape, places, stride: 0, room: rows.room, of: model)
    let joined = Matrix(floats(rows.joined), rows: shape.rows, columns: 2 * c.width)
    let x = Matrix(floats(rows.x), rows: shape.rows, columns: c.width)
    func norm(_ norm: Norm, _ columns: Int) {
      norm.with(threads: 1).forward(
        reading.parameters, x, adding: nil, sum: x, y: joined.columns(columns, count: c.width),
        statistics: floats(rows.statistics))
    }
    put(.stream(stream), into: floats(rows.x), at: places, of: model)
    norm(joint.hiddenNorm, 0)
    // These embeddings are without positions.
    let table = model.parameters.weights + model.parameters.layout.embedding
    for (row, token) in tokens.enumerated() {
      (floats(rows.x) + row * c.width).update(from: table + Int(token) * c.width, count: c.width)
    }
    norm(joint.embeddingNorm, c.width)
    try joint.projection.read(reading, joined, into: x)
    return kept(rows.x, tokens.count)
  }

  /// Allocates memory and products for the rows of a shape, unless they are there.
  private mutating func reserve(_ shape: ReadingShape, _ blocks: [Block]) throws -> ReadingRows {
    if !shape.isAlone, products == nil { products = try Products(threads: shape.threads) }
    var layout = ArenaLayout()
    let rows = ReadingRows(
      x: layout.place(shape.rows * c.width, width: 4), normed: layout.place(shape.rows * c.width, width: 4),
      statistics: layout.place(shape.rows * Norm.statistics(c), width: 4),
      hidden: layout.place(shape.rows * c.width, width: 4),
      joined: layout.place(c.multiToken == .sequential ? 2 * shape.rows * c.width : 0, width: 4),
      room: layout.place(blocks.map { $0.roomSize(shape) }.max() ?? 0, width: 1))
    if layout.bytes > working.bytes { working = try Storage(bytes: layout.bytes) }
    return rows
  }
}
