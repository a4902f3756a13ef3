// Causal attention of one block, a tile of query rows at a time: no T × T matrix is ever kept, and backward makes the
// weights again from queries and keys.
//   S = Q·Kᵀ,  P = softmax(S/√h) over the past,  O = P·V
//   dV = Pᵀ·dO,  dP = dO·Vᵀ,  dS = P∘(dP − D)/√h,  dQ = dS·K,  dK = dSᵀ·Q
// Letters: a tile has m query rows from `first` on and sees n = first + m keys; h head width; E operand precision.
import Kernels

struct Attention {
  /// The products of one tile.
  private struct Tile {
    let first: Int
    let rows: Int
    var keys: Int { first + rows }
    let scores: Product  // S [m, n] = Q [m, h] · K [n, h]ᵀ
    let output: Product  // O [m, h] = P [m, n] · V [n, h]
    let gradients: Gradients?

    struct Gradients {
      let weights: Product  // dP [m, n] = dO [m, h] · V [n, h]ᵀ
      let queries: Product  // dQ [m, h] = dS [m, n] · K [n, h]
      let keys: Accumulation  // dK [n, h] (+)= dS [m, n]ᵀ · Q [m, h]
      let values: Accumulation  // dV [n, h] (+)= P [m, n]ᵀ · dO [m, h]
    }
  }

  /// A product that writes its result, and the same one adding it.
  private struct Accumulation {
    let writing: Product
    let adding: Product

    func callAsFunction(
      _ a: UnsafeMutableRawPointer, _ b: UnsafeMutableRawPointer, into c: UnsafeMutableRawPointer, adds: Bool,
      worker: Int
    ) {
      (adds ? adding : writing)(a, b, into: c, worker: worker)
    }
  }

  /// A worker's own memory.
  private struct Scratch {
    let scores: UnsafeMutablePointer<Float>  // [tile, stride]
    let dWeights: UnsafeMutablePointer<Float>  // [tile, stride]
    let weights: UnsafeMutableRawPointer  // E [tile, stride]
    let dScores: UnsafeMutableRawPointer  // E [tile, stride]
    let dQueries: UnsafeMutablePointer<Float>  // [tile, h]
    let dKeys: UnsafeMutablePointer<Float>  // [T, h]
    let dValues: UnsafeMutablePointer<Float>  // [T, h]
    let dots: UnsafeMutablePointer<Float>  // [tile]
  }

  private let configuration: Configuration
  private let precision: Precision
  private let threads: Int
  private let tiles: [Tile]
  private let tileRows: Int
  /// Row stride of scores.
  private let stride: Int
  private let scratchPlan: ScratchPlan

  /// Query rows of a tile: few enough that the scores of a tile stay in a core's cache.
  private static func tileRows(_ context: Int) -> Int { min(context, 64) }

  /// A little more than T, so that rows do not share cache sets.
  private static func stride(_ context: Int) -> Int { (context + 15) / 16 * 16 + 16 }

  init(_ configuration: Configuration, precision: Precision, isTrained: Bool, products: Products) throws(ProductError) {
    typealias Operand = ProductShape.Operand
    self.configuration = configuration
    self.precision = precision
    threads = products.threads
    let context = configuration.context
    let h = configuration.headWidth
    let stride = Self.stride(context)
    self.stride = stride
    tileRows = Self.tileRows(context)
    let inRow = Operand(stride: configuration.queryWidth + 2 * configuration.keyWidth, precision: precision)
    let inRowTransposed = Operand(stride: inRow.stride, precision: precision, isTransposed: true)
    let outRow = Operand(stride: configuration.queryWidth, precision: precision)
    let sums = Operand(stride: stride, precision: .fp32)
    let weights = Operand(stride: stride, precision: precision)
    let weightsTransposed = Operand(stride: stride, precision: precision, isTransposed: true)
    let gradient = Operand(stride: h, precision: .fp32)
    var tiles: [Tile] = []
    for first in Swift.stride(from: 0, to: context, by: tileRows) {
      let m = min(tileRows, context - first)
      let n = first + m
      func product(
        _ m: Int, _ n: Int, _ k: Int, _ a: Operand, _ b: Operand, _ c: Operand, accumulates: Bool = false
      ) throws(ProductError) -> Product {
        try products[ProductShape(m: m, n: n, k: k, a: a, b: b, c: c, accumulates: accumulates, isSingle: true)]
      }
      var gradients: Tile.Gradients?
      if isTrained {
        gradients = Tile.Gradients(
          weights: try product(m, n, h, outRow, inRowTransposed, sums),
          queries: try product(m, h, n, weights, inRow, gradient),
          keys: Accumulation(
            writing: try product(n, h, m, weightsTransposed, inRow, gradient),
            adding: try product(n, h, m, weightsTransposed, inRow, gradient, accumulates: true)),
          values: Accumulation(
            writing: try product(n, h, m, weightsTransposed, outRow, gradient),
            adding: try product(n, h, m, weightsTransposed, outRow, gradient, accumulates: true)))
      }
      tiles.append(
        Tile(
          first: first, rows: m, scores: try product(m, n, h, inRow, inRowTransposed, sums),
          output: try product(m, h, n, weights, inRow, outRow), gradients: gradients))
    }
    self.tiles = tiles
    scratchPlan = ScratchPlan(configuration, precision: precision)
  }

  /// Bytes that `forward` and `backward` need at `scratch`.
  static func scratchSize(_ c: Configuration, precision: Precision, threads: Int) -> Int {
    ScratchPlan(c, precision: precision).bytes * threads
  }

  /// Where a worker's memory has its parts, in bytes from its beginning.
  private struct ScratchPlan {
    let scores, dWeights, weights, dScores, dQueries, dKeys, dValues, dots: Int
    let bytes: Int

    init(_ c: Configuration, precision: Precision) {
      var plan = Plan()
      let tile = tileRows(c.context)
      let stride = Attention.stride(c.context)
      scores = plan.place(tile * stride, width: 4)
      dWeights = plan.place(tile * stride, width: 4)
      weights = plan.place(tile * stride, width: precision.bytes)
      dScores = plan.place(tile * stride, width: precision.bytes)
      dQueries = plan.place(tile * c.headWidth, width: 4)
      dKeys = plan.place(c.context * c.headWidth, width: 4)
      dValues = plan.place(c.context * c.headWidth, width: 4)
      dots = plan.place(tile, width: 4)
      bytes = plan.bytes
    }
  }

  private func scratch(_ base: UnsafeMutableRawPointer, worker: Int) -> Scratch {
    let plan = scratchPlan
    let base = base + worker * plan.bytes
    func floats(_ offset: Int) -> UnsafeMutablePointer<Float> { (base + offset).assumingMemoryBound(to: Float.self) }
    return Scratch(
      scores: floats(plan.scores), dWeights: floats(plan.dWeights), weights: base + plan.weights,
      dScores: base + plan.dScores, dQueries: floats(plan.dQueries), dKeys: floats(plan.dKeys),
      dValues: floats(plan.dValues), dots: floats(plan.dots))
  }

  private var alpha: Float { 1 / Float(configuration.headWidth).squareRoot() }

  /// Where a row's first query, key or value of a head lies.
  private func place(_ x: UnsafeMutableRawPointer, row: Int, stride: Int, column: Int) -> Matrix {
    Matrix(
      x + (row * configuration.context * stride + column) * precision.bytes, rows: configuration.context,
      columns: configuration.headWidth, stride: stride, precision: precision)
  }

  /// - Parameters:
  ///   - qkv: E [rows · T, queries + 2 keys], turned by their positions already.
  ///   - output: E [rows · T, queries], written.
  ///   - lse: [rows · heads · T], written: what backward makes the weights from.
  ///   - starts: [rows · T]: where the document of each position begins in its row, never falling; nil where every row is
  ///     one document.
  ///   - dropout: of the weights; a row of them has the number that its `lse` has.
  func forward(
    qkv: UnsafeMutableRawPointer, output: UnsafeMutableRawPointer, lse: UnsafeMutablePointer<Float>, rows: Int,
    starts: UnsafePointer<Int32>? = nil, scratch base: UnsafeMutableRawPointer, dropout: Dropout? = nil
  ) {
    let c = configuration
    let inStride = c.queryWidth + 2 * c.keyWidth
    Team.split(rows * c.heads, threads: threads) { worker, pairs in
      let scratch = scratch(base, worker: worker)
      for pair in pairs {
        let (row, head) = (pair / c.heads, pair % c.heads)
        let group = head / (c.heads / c.keyValueHeads)
        let q = place(qkv, row: row, stride: inStride, column: head * c.headWidth)
        let k = place(qkv, row: row, stride: inStride, column: c.queryWidth + group * c.headWidth)
        let v = place(qkv, row: row, stride: inStride, column: c.queryWidth + c.keyWidth + group * c.headWidth)
        let o = place(output, row: row, stride: c.queryWidth, column: head * c.headWidth)
        for index in tiles.indices {
          let (first, firstKey, sight) = sight(index, starts.map { $0 + row * c.context })
          // What has as many keys in sight as an earlier tile has keys is that tile's product.
          let tile = tiles[index - firstKey / tileRows]
          let weights = Matrix(
            scratch.weights, rows: tile.rows, columns: tile.keys, stride: stride, precision: precision)
          tile.scores(q.at(first, 0), k.at(firstKey, 0), into: scratch.scores, worker: worker)
          AttentionRows.forward(
            Matrix(scratch.scores, rows: tile.rows, columns: tile.keys, stride: stride, precision: .fp32),
            weights: weights, lse: lse + pair * c.context + first, first: tile.first, alpha: alpha, sight: sight)
          dropout?.apply(weights, first: pair * c.context + first, threads: 1)
          tile.output(scratch.weights, v.at(firstKey, 0), into: o.at(first, 0), worker: worker)
        }
      }
    }
  }

  /// - Parameters:
  ///   - dOutput: E [rows · T, queries].
  ///   - dQKV: E [rows · T, queries + 2 keys], written, turned back.
  ///   - angles: the rotary table; nil where nothing was turned.
  ///   - starts: those of forward.
  ///   - dropout: that of forward.
  func backward(
    dOutput: UnsafeMutableRawPointer, qkv: UnsafeMutableRawPointer, output: UnsafeMutableRawPointer,
    lse: UnsafePointer<Float>, dQKV: UnsafeMutableRawPointer, angles: UnsafePointer<Float>?, rows: Int,
    starts: UnsafePointer<Int32>? = nil, scratch base: UnsafeMutableRawPointer, dropout: Dropout? = nil
  ) {
    let c = configuration
    let inStride = c.queryWidth + 2 * c.keyWidth
    let groupSize = c.heads / c.keyValueHeads
    // A worker has all heads of a group, so that nobody else adds to its keys and values.
    Team.split(rows * c.keyValueHeads, threads: threads) { worker, pairs in
      let scratch = scratch(base, worker: worker)
      for pair in pairs {
        let (row, group) = (pair / c.keyValueHeads, pair % c.keyValueHeads)
        let keyColumn = c.queryWidth + group * c.headWidth
        let valueColumn = keyColumn + c.keyWidth
        let k = place(qkv, row: row, stride: inStride, column: keyColumn)
        let v = place(qkv, row: row, stride: inStride, column: valueColumn)
        let starts = starts.map { $0 + row * c.context }
        if starts != nil {
          // Keys out of the last tile's sight are written by nobody first.
          scratch.dKeys.update(repeating: 0, count: c.context * c.headWidth)
          scratch.dValues.update(repeating: 0, count: c.context * c.headWidth)
        }
        for head in group * groupSize..<(group + 1) * groupSize {
          backward(
            head: head, row: row, isFirst: head == group * groupSize, k: k, v: v, qkv: qkv, dOutput: dOutput,
            output: output, lse: lse, dQKV: dQKV, angles: angles, starts: starts, dropout: dropout,
            scratch: scratch, worker: worker)
        }
        let dKeys = Matrix(scratch.dKeys, rows: c.context, columns: c.headWidth)
        let dValues = Matrix(scratch.dValues, rows: c.context, columns: c.headWidth)
        AttentionRows.unload(
          dKeys, into: place(dQKV, row: row, stride: inStride, column: keyColumn), angles: angles, context: c.context,
          starts: starts)
        AttentionRows.unload(
          dValues, into: place(dQKV, row: row, stride: inStride, column: valueColumn), angles: nil, context: c.context)
      }
    }
  }

  /// One head: its queries' gradient, and its part of its group's keys and values.
  private func backward(
    head: Int, row: Int, isFirst: Bool, k: Matrix, v: Matrix, qkv: UnsafeMutableRawPointer,
    dOutput: UnsafeMutableRawPointer, output: UnsafeMutableRawPointer, lse: UnsafePointer<Float>,
    dQKV: UnsafeMutableRawPointer, angles: UnsafePointer<Float>?, starts: UnsafePointer<Int32>?, dropout: Dropout?,
    scratch: Scratch, worker: Int
  ) {
    let c = configuration
    let inStride = c.queryWidth + 2 * c.keyWidth
    let column = head * c.headWidth
    let q = place(qkv, row: row, stride: inStride, column: column)
    let dq = place(dQKV, row: row, stride: inStride, column: column)
    let o = place(output, row: row, stride: c.queryWidth, column: column)
    let dO = place(dOutput, row: row, stride: c.queryWidth, column: column)
    let half = c.headWidth / 2
    for index in tiles.indices.reversed() {
      let (first, firstKey, sight) = sight(index, starts)
      let tile = tiles[index - firstKey / tileRows]
      guard let gradients = tile.gradients else { preconditionFailure("this network was made for reading only") }
      func rows(_ base: UnsafeMutableRawPointer, _ precision: Precision) -> Matrix {
        Matrix(base, rows: tile.rows, columns: tile.keys, stride: stride, precision: precision)
      }
      let dOTile = dO.rows(first, count: tile.rows)
      AttentionRows.dots(dOTile, o.rows(first, count: tile.rows), into: scratch.dots)
      tile.scores(q.at(first, 0), k.at(firstKey, 0), into: scratch.scores, worker: worker)
      gradients.weights(dOTile.base, v.at(firstKey, 0), into: scratch.dWeights, worker: worker)
      // Through the mask: dP here, and P below, where it meets the values' gradient.
      let firstRow = (row * c.heads + head) * c.context + first
      dropout?.apply(rows(scratch.dWeights, .fp32), first: firstRow, threads: 1)
      AttentionRows.backward(
        rows(scratch.scores, .fp32), dWeights: rows(scratch.dWeights, .fp32),
        weights: rows(scratch.weights, precision), dScores: rows(scratch.dScores, precision),
        lse: lse + firstRow, dots: scratch.dots, first: tile.first, alpha: alpha, sight: sight)
      dropout?.apply(rows(scratch.weights, precision), first: firstRow, threads: 1)
      gradients.queries(scratch.dScores, k.at(firstKey, 0), into: scratch.dQueries, worker: worker)
      AttentionRows.unload(
        Matrix(scratch.dQueries, rows: tile.rows, columns: c.headWidth), into: dq.rows(first, count: tile.rows),
        angles: angles.map { $0 + first * half }, context: c.context, starts: starts.map { $0 + first })
      // The last tile sees all keys and comes first: for a group's first head it writes, everything after adds.
      let adds = !isFirst || index < tiles.count - 1 || starts != nil
      let from = firstKey * c.headWidth
      gradients.keys(scratch.dScores, q.at(first, 0), into: scratch.dKeys + from, adds: adds, worker: worker)
      gradients.values(scratch.weights, dOTile.base, into: scratch.dValues + from, adds: adds, worker: worker)
    }
  }

  /// Where a tile's queries and the first keys in their sight are. Whole tiles of keys before that are passed over, where
  /// the tile is a whole one itself.
  private func sight(
    _ index: Int, _ starts: UnsafePointer<Int32>?
  ) -> (first: Int, firstKey: Int, sight: AttentionRows.Sight?) {
    let tile = tiles[index]
    guard let starts else { return (tile.first, 0, nil) }
    let firstKey = tile.rows == tileRows ? Int(starts[tile.first]) / tileRows * tileRows : 0
    return (tile.first, firstKey, AttentionRows.Sight(starts: starts + tile.first, firstKey: firstKey))
  }
}
