// Causal attention of one block, a tile of query rows and a block of keys at a time: no T × T matrix is ever kept, what a tile
// works on stays in a core's cache however long the context is, and backward makes the weights again from queries and keys.
//   S = Q·Kᵀ,  P = softmax(S/√h) over the past,  O = P·V
//   dV = Pᵀ·dO,  dP = dO·Vᵀ,  dS = P∘(dP − D)/√h,  dQ = dS·K,  dK = dSᵀ·Q
// Letters: a tile has m query rows from `first` on, a block n keys from `from` on; h head width, hs the same in whole
// vectors; E operand precision. Words are operands as TileProduct takes them: laid out along what is summed up.
import Kernels

struct Attention {
  let configuration: Configuration
  let precision: Precision
  let threads: Int
  let scratchLayout: ScratchLayout
  /// How threads share groups on the way back; nil where each takes whole groups.
  let cut: AttentionCut?

  /// Query rows of a tile, where the context has as many, and keys of a block: few enough that the scores of both, and
  /// their gradients, stay in a core's second-level cache. A block is a whole number of tiles.
  static var tileQueries: Int { 64 }
  static var blockKeys: Int { 512 }
  var tileRows: Int { scratchLayout.tile }

  /// Whole vectors, and one more, so that rows do not share cache sets.
  static func spread(_ columns: Int) -> Int { wholeVectors(columns) + 16 }

  /// - Parameter rows: that go back; nil where nothing does.
  init(_ configuration: Configuration, precision: Precision, threads: Int, rows: Int? = nil) {
    self.configuration = configuration
    self.precision = precision
    self.threads = threads
    let cut = Self.sharing(configuration, threads: threads, rows: rows)
    scratchLayout = ScratchLayout(configuration, precision: precision, cut: cut)
    self.cut = cut
  }

  private static func sharing(_ c: Configuration, threads: Int, rows: Int?) -> AttentionCut? {
    rows.flatMap { AttentionCut(groups: $0 * c.keyValueHeads, context: c.context, threads: threads) }
  }

  /// What scores cost as a matrix would that every token is multiplied with: queries · keys and weights · values, over half
  /// the context, as a causal mask needs it.
  static func scoreWeights(_ c: Configuration) -> Int { c.queryWidth * (c.context + 1) }

  /// Bytes that `forward` and `backward` need at `scratch`.
  /// - Parameter rows: that go back; nil where nothing does.
  static func scratchSize(_ c: Configuration, precision: Precision, threads: Int, rows: Int? = nil) -> Int {
    ScratchLayout(c, precision: precision, cut: sharing(c, threads: threads, rows: rows)).bytes * threads
  }

  /// Scores, or their gradients: C [m, n] = A [m, h] · Bᵀ, as far as keys are seen.
  /// - Parameters:
  ///   - b: words along h, from the block's first key on.
  ///   - offset: how far the tile's first query is behind the block's first key.
  func multiply(
    _ a: Matrix, byWidth b: UnsafeMutablePointer<UInt32>, into c: UnsafeMutablePointer<Float>, n: Int, offset: Int,
    room: UnsafeMutablePointer<UInt32>
  ) {
    TileProduct.run(
      PackedOperands.left(a, room: room), b, stride: scratchLayout.widthStride, into: c, cStride: scratchLayout.stride,
      m: a.rows,
      n: n, k: PackedOperands.count(configuration.headWidth, precision), part: .columns(offset: offset),
      accumulates: false,
      precision: precision)
  }

  /// What is as wide as a head: C [m, h] (+)= A [m, n] · B.
  /// - Parameter b: words along the n rows of B.
  func multiply(
    _ a: TileProduct.Left, by b: UnsafeMutablePointer<UInt32>, into c: UnsafeMutablePointer<Float>, m: Int, n: Int,
    part: TileProduct.Triangle, accumulates: Bool
  ) {
    let headStride = scratchLayout.headStride
    TileProduct.run(
      a, b, stride: headStride, into: c, cStride: headStride, m: m, n: configuration.headWidth,
      k: PackedOperands.count(n, precision), part: part, accumulates: accumulates, precision: precision)
  }

  var alpha: Float { 1 / Float(configuration.headWidth).squareRoot() }

  /// Where a row's first query, key or value of a head lies.
  func place(_ x: UnsafeMutableRawPointer, row: Int, stride: Int, column: Int) -> Matrix {
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
    let layout = scratchLayout
    let tiles = tiles
    Team.run(threads) { worker in
      let own = Self.tiles(of: worker, threads: threads, pairs: rows * c.heads, tiles: tiles)
      if own.isEmpty { return }
      let scratch = scratch(base, worker: worker)
      var laidOut = -1
      for pair in own.lowerBound / tiles...(own.upperBound - 1) / tiles {
        let (row, head) = (pair / c.heads, pair % c.heads)
        let group = head / (c.heads / c.keyValueHeads)
        if laidOut != row * c.keyValueHeads + group {
          laidOut = row * c.keyValueHeads + group
          let keyColumn = c.queryWidth + group * c.headWidth
          let k = place(qkv, row: row, stride: inStride, column: keyColumn)
          let v = place(qkv, row: row, stride: inStride, column: keyColumn + c.keyWidth)
          PackedOperands.along(columns: k, into: scratch.keysByWidth, stride: layout.widthStride)
          PackedOperands.along(rows: v, into: scratch.values, stride: layout.headStride)
        }
        let q = place(qkv, row: row, stride: inStride, column: head * c.headWidth)
        let o = place(output, row: row, stride: c.queryWidth, column: head * c.headWidth)
        for tile in own.clamped(to: pair * tiles..<(pair + 1) * tiles) {
          let first = (tile - pair * tiles) * tileRows
          let m = min(tileRows, c.context - first)
          let firstRow = pair * c.context + first
          attend(
            q.rows(first, count: m), at: first, starts: starts.map { $0 + row * c.context + first }, scratch: scratch,
            dropout: dropout.map { ($0, firstRow) }, output: o.rows(first, count: m), lse: lse + firstRow)
        }
      }
    }
  }

  /// A tile of one head's query rows over all keys in sight, which are laid out in `scratch`.
  /// - Parameters:
  ///   - first: the position of the tile's first row.
  ///   - starts: of the tile's rows.
  ///   - dropout: with the number of the tile's first row of weights.
  func attend(
    _ queries: Matrix, at first: Int, starts: UnsafePointer<Int32>?, scratch: Scratch,
    dropout: (Dropout, firstRow: Int)?, output: Matrix, lse: UnsafeMutablePointer<Float>
  ) {
    let m = queries.rows
    let begin = firstKey(starts)
    let sums = sums(scratch.sums, rows: m)
    for from in Swift.stride(from: begin, to: first + m, by: Self.blockKeys) {
      let n = min(Self.blockKeys, first + m - from)
      let weights = tile(scratch.weights, m, n, precision)
      multiply(
        queries, byWidth: scratch.keysByWidth + from, into: scratch.scores, n: n, offset: first - from,
        room: scratch.left)
      AttentionRows.forward(
        tile(scratch.scores, m, n, .fp32), weights: weights, running: scratch.running, isFirst: from == begin,
        sight: AttentionRows.Sight(firstRow: first, firstKey: from, starts: starts), alpha: alpha)
      if let (dropout, firstRow) = dropout { dropout.apply(weights, first: firstRow, firstColumn: from, threads: 1) }
      if from > begin { AttentionRows.rescale(sums, by: scratch.running) }
      multiply(
        PackedOperands.left(weights, room: scratch.left), by: words(scratch.values, from: from), into: scratch.sums,
        m: m,
        n: n, part: .upTo(offset: first - from), accumulates: from > begin)
    }
    AttentionRows.finish(sums, running: scratch.running, output: output, lse: lse)
  }

  /// New positions of one text over all positions before them and their own.
  /// - Parameters:
  ///   - queries: [n, ≥ queries] of the precision that this attention was made for, turned already.
  ///   - position: that of the first.
  ///   - keys, values: [position + n, keys] in that precision.
  ///   - output: [n, queries] in any precision, written.
  func read(
    _ queries: Matrix, at position: Int, keys: Matrix, values: Matrix, output: Matrix,
    scratch base: UnsafeMutableRawPointer
  ) {
    let c = configuration
    let end = position + queries.rows
    Team.split(c.heads, threads: threads) { worker, heads in
      let scratch = scratch(base, worker: worker)
      var laidOut = -1
      for head in heads {
        let group = head / (c.heads / c.keyValueHeads)
        if laidOut != group {
          laidOut = group
          let column = group * c.headWidth
          PackedOperands.along(
            columns: keys.columns(column, count: c.headWidth), into: scratch.keysByWidth,
            stride: scratchLayout.widthStride)
          PackedOperands.along(
            rows: values.columns(column, count: c.headWidth), into: scratch.values, stride: scratchLayout.headStride)
        }
        let column = head * c.headWidth
        // A tile does not go over the bounds of those that a whole row has.
        var first = position
        while first < end {
          let m = min(tileRows - first % tileRows, end - first)
          attend(
            queries.columns(column, count: c.headWidth).rows(first - position, count: m), at: first, starts: nil,
            scratch: scratch, dropout: nil,
            output: output.columns(column, count: c.headWidth).rows(
              first - position, count: m), lse: scratch.dots)
          first += m
        }
      }
    }
  }

  /// A tile's scores, or what is made of them, in whole vectors.
  func tile(_ base: UnsafeMutableRawPointer, _ m: Int, _ n: Int, _ precision: Precision) -> Matrix {
    Matrix(base, rows: m, columns: wholeVectors(n), stride: scratchLayout.stride, precision: precision)
  }

  /// Results as wide as a head.
  func sums(_ base: UnsafeMutablePointer<Float>, rows: Int) -> Matrix {
    Matrix(
      base, rows: rows, columns: configuration.headWidth, stride: scratchLayout.headStride, precision: .fp32)
  }

  /// Keys or values that are laid out along their rows, from one row on.
  func words(_ base: UnsafeMutablePointer<UInt32>, from row: Int) -> UnsafeMutablePointer<UInt32> {
    base + row / PackedOperands.elements(precision) * scratchLayout.headStride
  }

  /// The first key in sight of a tile: whole tiles of keys before the document of its first row are passed over.
  /// - Parameter starts: of the tile's rows.
  func firstKey(_ starts: UnsafePointer<Int32>?) -> Int {
    starts.map { Int($0[0]) / tileRows * tileRows } ?? 0
  }
}
