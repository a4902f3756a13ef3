// A memory layer where a text is read on: nothing is kept of a token.
import Kernels

/// Where a layer's numbers lie while tokens are read, in bytes from the start of the room.
private struct MemoryReadingPlaces {
  let q, scale, normed, scores, rows, weights, sides, factors, z, pooled, room: Int
  let bytes: Int

  init(_ shape: MemoryShape, _ reading: ReadingShape) {
    var layout = ArenaLayout()
    let (rows, P, E) = (reading.rows, shape.picks, reading.precision.bytes)
    q = layout.place(rows * shape.sides * shape.keyWidth, width: 4)
    scale = layout.place(rows * shape.sides, width: 4)
    normed = layout.place(rows * shape.sides * shape.keyWidth, width: E)
    scores = layout.place(shape.scoreMatrices * rows * shape.keys, width: 4)
    self.rows = layout.place(rows * P, width: 4)
    weights = layout.place(rows * P * shape.weights, width: 4)
    sides = layout.place(rows * P * shape.sides, width: 4)
    factors = layout.place(rows * P, width: 4)
    z = layout.place(rows * shape.preWidth, width: 4)
    pooled = layout.place(rows * shape.valueWidth, width: E)
    room = layout.place(reading.threads * MemoryPassingPlaces.room(shape), width: 4)
    bytes = layout.bytes
  }
}

extension MemoryLayer {
  func roomSize(_ reading: ReadingShape) -> Int { MemoryReadingPlaces(shape, reading).bytes }

  /// - Parameters:
  ///   - x: [rows, d] in the reading's precision.
  ///   - stream: [rows, d] fp32, added to.
  func read(_ reading: Reading, x: Matrix, into stream: Matrix) throws(ProductError) {
    let places = MemoryReadingPlaces(shape, reading.shape)
    let (parameters, rows, threads) = (reading.parameters, reading.shape.rows, reading.shape.rowThreads)
    func floats(_ offset: Int) -> UnsafeMutablePointer<Float> {
      (reading.room + offset).assumingMemoryBound(to: Float.self)
    }
    func queries(_ offset: Int, _ precision: Precision) -> Matrix {
      Matrix(
        reading.room + offset, rows: rows * shape.sides, columns: shape.keyWidth, precision: precision)
    }
    try query.read(reading, x, into: reading.matrix(at: places.q, columns: shape.sides * shape.keyWidth, .fp32))
    normQueries(
      parameters, queries(places.q, .fp32), into: queries(places.normed, x.precision), scale: floats(places.scale),
      threads: threads)
    let normed = reading.matrix(at: places.normed, columns: shape.sides * shape.keyWidth, x.precision)
    for matrix in 0..<shape.scoreMatrices {
      try score(
        reading, normed.columns(matrix % shape.sides * shape.keyWidth, count: shape.keyWidth), matrix: matrix,
        into: Matrix(floats(places.scores) + matrix * rows * shape.keys, rows: rows, columns: shape.keys))
    }
    let lists = PickLists(
      rows: (reading.room + places.rows).assumingMemoryBound(to: Int32.self), weights: floats(places.weights),
      sides: floats(places.sides), factors: floats(places.factors))
    MemoryPicks.find(
      shape, scores: floats(places.scores), count: reading.count, stride: rows, cores: cores(parameters),
      filter: parameters.weights + tensors.filter, into: lists, room: floats(places.room), threads: threads)
    bringUpToDate(lists, positions: reading.count, parameters, threads: threads)
    try pre?.read(reading, x, into: reading.matrix(at: places.z, columns: shape.preWidth, .fp32))
    let pooled = reading.matrix(at: places.pooled, columns: shape.valueWidth, x.precision)
    reading.clearUnused(pooled)
    MemoryValues.forward(
      shape, table: parameters.weights + tensors.table, lists: lists, z: floats(places.z),
      pooled: pooled.rows(0, count: reading.count), room: floats(places.room), threads: threads)
    try out.read(reading, pooled, into: stream, accumulates: true)
  }

  /// One matrix of scores.
  private func score(_ reading: Reading, _ queries: Matrix, matrix: Int, into scores: Matrix) throws(ProductError) {
    let place = keys(reading.parameters) + matrix * shape.keys * shape.keyWidth * reading.precision.bytes
    guard !reading.shape.isAlone, let products = reading.products else {
      MatrixVector.multiply(
        Matrix(place, rows: shape.keys, columns: shape.keyWidth, precision: reading.precision), queries, into: scores,
        threads: reading.shape.threads)
      return
    }
    let product = try products[
      ProductShape(
        m: queries.rows, n: shape.keys, k: shape.keyWidth,
        a: ProductShape.Operand(stride: queries.stride, precision: queries.precision),
        b: ProductShape.Operand(stride: shape.keyWidth, precision: reading.precision, isTransposed: true),
        c: ProductShape.Operand(stride: scores.stride, precision: .fp32))]
    product(queries.base, place, into: scores.base)
  }
}
