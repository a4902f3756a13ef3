// The backward pass of attention: weights are made again from queries, keys and the forward pass's `lse`.
import Kernels

/// What the way back reads and writes.
struct AttentionGradients {
  let dOutput: UnsafeMutableRawPointer  // E [rows · T, queries]
  let qkv: UnsafeMutableRawPointer  // E [rows · T, queries + 2 keys]
  let output: UnsafeMutableRawPointer  // E [rows · T, queries]
  let lse: UnsafePointer<Float>  // [rows · heads · T]
  let dQKV: UnsafeMutableRawPointer  // E [rows · T, queries + 2 keys], written, turned back
  /// The rotary table; nil where nothing was turned.
  let angles: UnsafePointer<Float>?
  /// Those of forward, and its dropout.
  let starts: UnsafePointer<Int32>?
  let dropout: Dropout?
}

/// One head of one row, on the way back.
struct HeadGradients {
  let q, dQ, output, dOutput: Matrix  // [T, h]
  let lse: UnsafePointer<Float>  // [T]
  let starts: UnsafePointer<Int32>?  // [T]
  /// The number of its first row of weights.
  let firstRow: Int
}

extension Attention {
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
    let all = AttentionGradients(
      dOutput: dOutput, qkv: qkv, output: output, lse: lse, dQKV: dQKV, angles: angles, starts: starts, dropout: dropout
    )
    let groups = rows * configuration.keyValueHeads
    // Where documents begin in rows, blocks of keys begin elsewhere for every tile.
    if let cut, starts == nil { return backward(all, groups: groups, by: cut, scratch: base) }
    // A worker has all heads of a group, so that nobody else adds to its keys and values.
    Team.split(groups, threads: threads) { worker, groups in
      let scratch = scratch(base, worker: worker)
      for group in groups { backward(all, group: group, scratch: scratch) }
    }
  }

  /// One group of one row.
  /// - Parameter group: its number among those of all rows.
  private func backward(_ all: AttentionGradients, group: Int, scratch: Scratch) {
    let c = configuration
    let (row, ofRow) = group.quotientAndRemainder(dividingBy: c.keyValueHeads)
    layOutKeys(all, row: row, group: ofRow, 0..<c.context, scratch)
    if all.starts != nil {
      // Keys out of the last tile's sight are written by nobody first.
      scratch.dKeys.update(repeating: 0, count: c.context * scratchLayout.headStride)
      scratch.dValues.update(repeating: 0, count: c.context * scratchLayout.headStride)
    }
    for number in heads(ofGroup: ofRow) {
      let head = head(number, row: row, of: all)
      for tile in (0..<tiles).reversed() {
        layOutQueries(tile, of: head, scratch)
        let begin = firstKey(head.starts.map { $0 + tile * tileRows })
        for from in Swift.stride(from: begin, to: end(of: tile), by: Self.blockKeys) {
          // The last tile sees all keys and comes first: for a group's first head it writes, everything after adds.
          multiply(
            tile, from: from, of: head, scratch, dropout: all.dropout, into: scratch.sums, addsToSums: from > begin,
            addsToKeys: number > ofRow * groupSize || tile < tiles - 1 || all.starts != nil)
        }
        unloadQueries(tile, of: head, scratch.sums, angles: all.angles)
      }
    }
    unloadKeys(all, row: row, group: ofRow, 0..<c.context, scratch)
  }

  // MARK: Parts

  /// Heads that share keys and values.
  var groupSize: Int { configuration.heads / configuration.keyValueHeads }

  func heads(ofGroup group: Int) -> Range<Int> { group * groupSize..<(group + 1) * groupSize }

  /// The position after a tile's last query.
  func end(of tile: Int) -> Int { min((tile + 1) * tileRows, configuration.context) }

  func head(_ head: Int, row: Int, of all: AttentionGradients) -> HeadGradients {
    let c = configuration
    let (inStride, column) = (c.queryWidth + 2 * c.keyWidth, head * c.headWidth)
    let firstRow = (row * c.heads + head) * c.context
    return HeadGradients(
      q: place(all.qkv, row: row, stride: inStride, column: column),
      dQ: place(all.dQKV, row: row, stride: inStride, column: column),
      output: place(all.output, row: row, stride: c.queryWidth, column: column),
      dOutput: place(all.dOutput, row: row, stride: c.queryWidth, column: column), lse: all.lse + firstRow,
      starts: all.starts.map { $0 + row * c.context }, firstRow: firstRow)
  }

  /// Lays out keys and values of a group as operands.
  /// - Parameter range: of positions: whole blocks.
  func layOutKeys(_ all: AttentionGradients, row: Int, group: Int, _ range: Range<Int>, _ scratch: Scratch) {
    let c = configuration
    let (inStride, column) = (c.queryWidth + 2 * c.keyWidth, c.queryWidth + group * c.headWidth)
    let (first, layout) = (range.lowerBound, scratchLayout)
    let k = place(all.qkv, row: row, stride: inStride, column: column).rows(first, count: range.count)
    let v = place(all.qkv, row: row, stride: inStride, column: column + c.keyWidth).rows(first, count: range.count)
    PackedOperands.along(columns: k, into: scratch.keysByWidth + first, stride: layout.widthStride)
    PackedOperands.along(columns: v, into: scratch.valuesByWidth + first, stride: layout.widthStride)
    PackedOperands.along(rows: k, into: words(scratch.keys, from: first), stride: layout.headStride)
  }

  /// Lays out a tile's queries and the gradient at its output as operands, and computes D.
  func layOutQueries(_ tile: Int, of head: HeadGradients, _ scratch: Scratch) {
    let first = tile * tileRows
    let m = end(of: tile) - first
    let dO = head.dOutput.rows(first, count: m)
    AttentionRows.dots(dO, head.output.rows(first, count: m), into: scratch.dots)
    PackedOperands.along(rows: head.q.rows(first, count: m), into: scratch.queries, stride: scratchLayout.headStride)
    PackedOperands.along(rows: dO, into: scratch.dOutput, stride: scratchLayout.headStride)
  }

  /// What a tile of queries and a block of keys, which both are laid out, have to do with each other.
  /// - Parameters:
  ///   - from: the block's first key.
  ///   - scratch: has the gradients at keys and values, too.
  ///   - dQ: [m, hs], without the turn.
  ///   - addsToSums, addsToKeys: whether dQ, or dK and dV, are added to what is there.
  func multiply(
    _ tile: Int, from: Int, of head: HeadGradients, _ scratch: Scratch, dropout: Dropout?,
    into dQ: UnsafeMutablePointer<Float>, addsToSums: Bool, addsToKeys: Bool
  ) {
    let first = tile * tileRows
    let m = end(of: tile) - first
    let n = min(Self.blockKeys, first + m - from)
    let (offset, firstRow, headStride) = (first - from, head.firstRow + first, scratchLayout.headStride)
    let sight = AttentionRows.Sight(firstRow: first, firstKey: from, starts: head.starts.map { $0 + first })
    let weights = self.tile(scratch.weights, m, n, precision)
    let dScores = self.tile(scratch.dScores, m, n, precision)
    let dWeights = self.tile(scratch.dWeights, m, n, .fp32)
    multiply(
      head.q.rows(first, count: m), byWidth: scratch.keysByWidth + from, into: scratch.scores, n: n, offset: offset,
      room: scratch.left)
    multiply(
      head.dOutput.rows(first, count: m), byWidth: scratch.valuesByWidth + from, into: scratch.dWeights, n: n,
      offset: offset, room: scratch.left)
    // Through the mask: dP here, and P below, where it meets the values' gradient.
    dropout?.apply(dWeights, first: firstRow, firstColumn: from, threads: 1)
    AttentionRows.backward(
      self.tile(scratch.scores, m, n, .fp32), dWeights: dWeights, weights: weights, dScores: dScores,
      lse: head.lse + first, dots: scratch.dots, sight: sight, alpha: alpha)
    dropout?.apply(weights, first: firstRow, firstColumn: from, threads: 1)
    multiply(
      PackedOperands.left(dScores, room: scratch.left), by: words(scratch.keys, from: from), into: dQ, m: m, n: n,
      part: .upTo(offset: offset), accumulates: addsToSums)
    multiply(
      PackedOperands.leftTransposed(dScores, room: scratch.left), by: scratch.queries,
      into: scratch.dKeys + from * headStride, m: n, n: m, part: .from(offset: offset), accumulates: addsToKeys)
    multiply(
      PackedOperands.leftTransposed(weights, room: scratch.left), by: scratch.dOutput,
      into: scratch.dValues + from * headStride, m: n, n: m, part: .from(offset: offset), accumulates: addsToKeys)
  }

  /// Writes the gradient at a tile's queries, turned back.
  func unloadQueries(
    _ tile: Int, of head: HeadGradients, _ dQ: UnsafeMutablePointer<Float>, angles: UnsafePointer<Float>?
  ) {
    let first = tile * tileRows
    let m = end(of: tile) - first
    AttentionRows.unload(
      sums(dQ, rows: m), into: head.dQ.rows(first, count: m),
      angles: angles.map { $0 + first * (configuration.headWidth / 2) }, context: configuration.context,
      starts: head.starts.map { $0 + first })
  }

  /// Writes the gradients at keys, turned back, and at values.
  /// - Parameter range: of positions.
  func unloadKeys(_ all: AttentionGradients, row: Int, group: Int, _ range: Range<Int>, _ scratch: Scratch) {
    let c = configuration
    let (inStride, column) = (c.queryWidth + 2 * c.keyWidth, c.queryWidth + group * c.headWidth)
    let first = range.lowerBound
    func out(_ column: Int) -> Matrix {
      place(all.dQKV, row: row, stride: inStride, column: column).rows(first, count: range.count)
    }
    func sums(_ base: UnsafeMutablePointer<Float>) -> Matrix {
      self.sums(base + first * scratchLayout.headStride, rows: range.count)
    }
    AttentionRows.unload(
      sums(scratch.dKeys), into: out(column), angles: all.angles.map { $0 + first * (c.headWidth / 2) },
      context: c.context, starts: all.starts.map { $0 + row * c.context + first })
    AttentionRows.unload(sums(scratch.dValues), into: out(column + c.keyWidth), angles: nil, context: c.context)
  }
}
