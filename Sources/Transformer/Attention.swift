// Causal attention of one block, a tile of query rows and a block of keys at a time: no T × T matrix is ever kept, what a tile
// works on stays in a core's cache however long the context is, and backward makes the weights again from queries and keys.
//   S = Q·Kᵀ,  P = softmax(S/√h) over the past,  O = P·V
//   dV = Pᵀ·dO,  dP = dO·Vᵀ,  dS = P∘(dP − D)/√h,  dQ = dS·K,  dK = dSᵀ·Q
// Letters: a tile has m query rows from `first` on, a block n keys from `from` on; h head width; E operand precision.
import Kernels

struct Attention {
  /// The products of a tile and a block.
  private struct Operations {
    let scores: Product  // S [m, n] = Q [m, h] · K [n, h]ᵀ
    let output: Accumulation  // O [m, h] (+)= P [m, n] · V [n, h]
    let gradients: Gradients?

    struct Gradients {
      let weights: Product  // dP [m, n] = dO [m, h] · V [n, h]ᵀ
      let queries: Accumulation  // dQ [m, h] (+)= dS [m, n] · K [n, h]
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
    let sums: UnsafeMutablePointer<Float>  // [tile, h] of O, or of dQ
    let dKeys: UnsafeMutablePointer<Float>  // [T, h]
    let dValues: UnsafeMutablePointer<Float>  // [T, h]
    let dots: UnsafeMutablePointer<Float>  // [tile]
    let running: AttentionRows.Running  // [tile] each
  }

  private let configuration: Configuration
  private let precision: Precision
  private let threads: Int
  /// Of whole tiles, by how many times m keys a block has, less one.
  private let ofWhole: [Operations]
  /// Of a shorter last tile, by how many whole tiles of keys a block has beside its own; and for a whole block.
  private let ofLast: [Operations]
  private let ofLastWithWhole: Operations?
  private let tileRows: Int
  /// Row stride of scores.
  private let stride: Int
  private let scratchPlan: ScratchPlan

  /// Query rows of a tile, and keys of a block: few enough that the scores of both, and their gradients, stay in a core's
  /// second-level cache. A block is a whole number of tiles.
  private static func tileRows(_ context: Int) -> Int { min(context, 64) }
  private static var blockKeys: Int { 512 }

  /// A little more than a block, so that rows do not share cache sets.
  private static func stride(_ context: Int) -> Int { (min(context, blockKeys) + 15) / 16 * 16 + 16 }

  init(_ configuration: Configuration, precision: Precision, isTrained: Bool, products: Products) throws(ProductError) {
    typealias Operand = ProductShape.Operand
    self.configuration = configuration
    self.precision = precision
    threads = products.threads
    let context = configuration.context
    let h = configuration.headWidth
    let stride = Self.stride(context)
    let tileRows = Self.tileRows(context)
    self.stride = stride
    self.tileRows = tileRows
    let inRow = Operand(stride: configuration.queryWidth + 2 * configuration.keyWidth, precision: precision)
    let inRowTransposed = Operand(stride: inRow.stride, precision: precision, isTransposed: true)
    let outRow = Operand(stride: configuration.queryWidth, precision: precision)
    let scores = Operand(stride: stride, precision: .fp32)
    let weights = Operand(stride: stride, precision: precision)
    let weightsTransposed = Operand(stride: stride, precision: precision, isTransposed: true)
    let sums = Operand(stride: h, precision: .fp32)
    func product(
      _ m: Int, _ n: Int, _ k: Int, _ a: Operand, _ b: Operand, _ c: Operand, accumulates: Bool = false
    ) throws(ProductError) -> Product {
      try products[ProductShape(m: m, n: n, k: k, a: a, b: b, c: c, accumulates: accumulates, isSingle: true)]
    }
    func accumulation(_ m: Int, _ n: Int, _ k: Int, _ a: Operand, _ b: Operand) throws(ProductError) -> Accumulation {
      Accumulation(
        writing: try product(m, n, k, a, b, sums), adding: try product(m, n, k, a, b, sums, accumulates: true))
    }
    func operations(_ m: Int, _ n: Int) throws(ProductError) -> Operations {
      Operations(
        scores: try product(m, n, h, inRow, inRowTransposed, scores), output: try accumulation(m, h, n, weights, inRow),
        gradients: isTrained
          ? Operations.Gradients(
            weights: try product(m, n, h, outRow, inRowTransposed, scores),
            queries: try accumulation(m, h, n, weights, inRow),
            keys: try accumulation(n, h, m, weightsTransposed, inRow),
            values: try accumulation(n, h, m, weightsTransposed, outRow)) : nil)
    }
    let last = context % tileRows
    let most = min(context, Self.blockKeys)
    var (ofWhole, ofLast): ([Operations], [Operations]) = ([], [])
    for n in Swift.stride(from: tileRows, through: most, by: tileRows) { ofWhole.append(try operations(tileRows, n)) }
    if last > 0 {
      for n in Swift.stride(from: last, through: most, by: tileRows) { ofLast.append(try operations(last, n)) }
    }
    self.ofWhole = ofWhole
    self.ofLast = ofLast
    ofLastWithWhole = last > 0 && context > Self.blockKeys ? try operations(last, Self.blockKeys) : nil
    scratchPlan = ScratchPlan(configuration, precision: precision)
  }

  /// The products of m query rows and n keys.
  private func operations(_ m: Int, _ n: Int) -> Operations {
    m == tileRows ? ofWhole[n / tileRows - 1] : n == Self.blockKeys ? ofLastWithWhole! : ofLast[n / tileRows]
  }

  /// Bytes that `forward` and `backward` need at `scratch`.
  static func scratchSize(_ c: Configuration, precision: Precision, threads: Int) -> Int {
    ScratchPlan(c, precision: precision).bytes * threads
  }

  /// Where a worker's memory has its parts, in bytes from its beginning.
  private struct ScratchPlan {
    let scores, dWeights, weights, dScores, sums, dKeys, dValues, dots, running: Int
    let tile: Int
    let bytes: Int

    init(_ c: Configuration, precision: Precision) {
      var plan = Plan()
      tile = tileRows(c.context)
      let stride = Attention.stride(c.context)
      scores = plan.place(tile * stride, width: 4)
      dWeights = plan.place(tile * stride, width: 4)
      weights = plan.place(tile * stride, width: precision.bytes)
      dScores = plan.place(tile * stride, width: precision.bytes)
      sums = plan.place(tile * c.headWidth, width: 4)
      dKeys = plan.place(c.context * c.headWidth, width: 4)
      dValues = plan.place(c.context * c.headWidth, width: 4)
      dots = plan.place(tile, width: 4)
      running = plan.place(3 * tile, width: 4)
      bytes = plan.bytes
    }
  }

  private func scratch(_ base: UnsafeMutableRawPointer, worker: Int) -> Scratch {
    let plan = scratchPlan
    let base = base + worker * plan.bytes
    func floats(_ offset: Int) -> UnsafeMutablePointer<Float> { (base + offset).assumingMemoryBound(to: Float.self) }
    return Scratch(
      scores: floats(plan.scores), dWeights: floats(plan.dWeights), weights: base + plan.weights,
      dScores: base + plan.dScores, sums: floats(plan.sums), dKeys: floats(plan.dKeys),
      dValues: floats(plan.dValues), dots: floats(plan.dots),
      running: AttentionRows.Running(
        maximum: floats(plan.running), sum: floats(plan.running) + plan.tile,
        factor: floats(plan.running) + 2 * plan.tile))
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
        for first in Swift.stride(from: 0, to: c.context, by: tileRows) {
          let m = min(tileRows, c.context - first)
          let firstRow = pair * c.context + first
          let starts = starts.map { $0 + row * c.context + first }
          let begin = firstKey(starts)
          let sums = Matrix(scratch.sums, rows: m, columns: c.headWidth)
          for from in Swift.stride(from: begin, to: first + m, by: Self.blockKeys) {
            let n = min(Self.blockKeys, first + m - from)
            let operations = operations(m, n)
            let weights = Matrix(scratch.weights, rows: m, columns: n, stride: stride, precision: precision)
            operations.scores(q.at(first, 0), k.at(from, 0), into: scratch.scores, worker: worker)
            AttentionRows.forward(
              Matrix(scratch.scores, rows: m, columns: n, stride: stride, precision: .fp32), weights: weights,
              running: scratch.running, isFirst: from == begin,
              sight: AttentionRows.Sight(firstRow: first, firstKey: from, starts: starts), alpha: alpha)
            dropout?.apply(weights, first: firstRow, firstColumn: from, threads: 1)
            if from > begin { AttentionRows.rescale(sums, by: scratch.running) }
            operations.output(scratch.weights, v.at(from, 0), into: scratch.sums, adds: from > begin, worker: worker)
          }
          AttentionRows.finish(sums, running: scratch.running, output: o.rows(first, count: m), lse: lse + firstRow)
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
    let tiles = (c.context + tileRows - 1) / tileRows
    for index in (0..<tiles).reversed() {
      let first = index * tileRows
      let m = min(tileRows, c.context - first)
      let firstRow = (row * c.heads + head) * c.context + first
      let starts = starts.map { $0 + first }
      let begin = firstKey(starts)
      let dOTile = dO.rows(first, count: m)
      AttentionRows.dots(dOTile, o.rows(first, count: m), into: scratch.dots)
      for from in Swift.stride(from: begin, to: first + m, by: Self.blockKeys) {
        let n = min(Self.blockKeys, first + m - from)
        let operations = operations(m, n)
        guard let gradients = operations.gradients else {
          preconditionFailure("this network was made for reading only")
        }
        func matrix(_ base: UnsafeMutableRawPointer, _ precision: Precision) -> Matrix {
          Matrix(base, rows: m, columns: n, stride: stride, precision: precision)
        }
        operations.scores(q.at(first, 0), k.at(from, 0), into: scratch.scores, worker: worker)
        gradients.weights(dOTile.base, v.at(from, 0), into: scratch.dWeights, worker: worker)
        // Through the mask: dP here, and P below, where it meets the values' gradient.
        dropout?.apply(matrix(scratch.dWeights, .fp32), first: firstRow, firstColumn: from, threads: 1)
        AttentionRows.backward(
          matrix(scratch.scores, .fp32), dWeights: matrix(scratch.dWeights, .fp32),
          weights: matrix(scratch.weights, precision), dScores: matrix(scratch.dScores, precision),
          lse: lse + firstRow, dots: scratch.dots,
          sight: AttentionRows.Sight(firstRow: first, firstKey: from, starts: starts), alpha: alpha)
        dropout?.apply(matrix(scratch.weights, precision), first: firstRow, firstColumn: from, threads: 1)
        gradients.queries(scratch.dScores, k.at(from, 0), into: scratch.sums, adds: from > begin, worker: worker)
        // The last tile sees all keys and comes first: for a group's first head it writes, everything after adds.
        let adds = !isFirst || index < tiles - 1 || starts != nil
        let place = from * c.headWidth
        gradients.keys(scratch.dScores, q.at(first, 0), into: scratch.dKeys + place, adds: adds, worker: worker)
        gradients.values(scratch.weights, dOTile.base, into: scratch.dValues + place, adds: adds, worker: worker)
      }
      AttentionRows.unload(
        Matrix(scratch.sums, rows: m, columns: c.headWidth), into: dq.rows(first, count: m),
        angles: angles.map { $0 + first * half }, context: c.context, starts: starts)
    }
  }

  /// The first key in sight of a tile: whole tiles of keys before the document of its first row are passed over.
  /// - Parameter starts: of the tile's rows.
  private func firstKey(_ starts: UnsafePointer<Int32>?) -> Int {
    starts.map { Int($0[0]) / tileRows * tileRows } ?? 0
  }
}
