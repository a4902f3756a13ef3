// The backward pass of attention: weights are made again from queries, keys and the forward pass's `lse`.
import Kernels

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
    let c = configuration
    let inStride = c.queryWidth + 2 * c.keyWidth
    let groupSize = c.heads / c.keyValueHeads
    let layout = scratchLayout
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
          scratch.dKeys.update(repeating: 0, count: c.context * layout.headStride)
          scratch.dValues.update(repeating: 0, count: c.context * layout.headStride)
        }
        PackedOperands.along(columns: k, into: scratch.keysByWidth, stride: layout.widthStride)
        PackedOperands.along(columns: v, into: scratch.valuesByWidth, stride: layout.widthStride)
        PackedOperands.along(rows: k, into: scratch.keys, stride: layout.headStride)
        for head in group * groupSize..<(group + 1) * groupSize {
          backward(
            head: head, row: row, isFirst: head == group * groupSize, qkv: qkv, dOutput: dOutput, output: output,
            lse: lse, dQKV: dQKV, angles: angles, starts: starts, dropout: dropout, scratch: scratch)
        }
        AttentionRows.unload(
          sums(scratch.dKeys, rows: c.context),
          into: place(dQKV, row: row, stride: inStride, column: keyColumn), angles: angles, context: c.context,
          starts: starts)
        AttentionRows.unload(
          sums(scratch.dValues, rows: c.context),
          into: place(dQKV, row: row, stride: inStride, column: valueColumn), angles: nil, context: c.context)
      }
    }
  }

  /// One head: its queries' gradient, and its part of its group's keys and values, which are laid out in `scratch`.
  private func backward(
    head: Int, row: Int, isFirst: Bool, qkv: UnsafeMutableRawPointer, dOutput: UnsafeMutableRawPointer,
    output: UnsafeMutableRawPointer, lse: UnsafePointer<Float>, dQKV: UnsafeMutableRawPointer,
    angles: UnsafePointer<Float>?, starts: UnsafePointer<Int32>?, dropout: Dropout?, scratch: Scratch
  ) {
    let c = configuration
    let inStride = c.queryWidth + 2 * c.keyWidth
    let column = head * c.headWidth
    let q = place(qkv, row: row, stride: inStride, column: column)
    let dq = place(dQKV, row: row, stride: inStride, column: column)
    let o = place(output, row: row, stride: c.queryWidth, column: column)
    let dO = place(dOutput, row: row, stride: c.queryWidth, column: column)
    let half = c.headWidth / 2
    let headStride = scratchLayout.headStride
    let tiles = (c.context + tileRows - 1) / tileRows
    for index in (0..<tiles).reversed() {
      let first = index * tileRows
      let m = min(tileRows, c.context - first)
      let firstRow = (row * c.heads + head) * c.context + first
      let starts = starts.map { $0 + first }
      let begin = firstKey(starts)
      let (qTile, dOTile) = (q.rows(first, count: m), dO.rows(first, count: m))
      AttentionRows.dots(dOTile, o.rows(first, count: m), into: scratch.dots)
      PackedOperands.along(rows: qTile, into: scratch.queries, stride: headStride)
      PackedOperands.along(rows: dOTile, into: scratch.dOutput, stride: headStride)
      for from in Swift.stride(from: begin, to: first + m, by: Self.blockKeys) {
        let n = min(Self.blockKeys, first + m - from)
        let offset = first - from
        let (weights, dScores) = (tile(scratch.weights, m, n, precision), tile(scratch.dScores, m, n, precision))
        let dWeights = tile(scratch.dWeights, m, n, .fp32)
        multiply(
          qTile, byWidth: scratch.keysByWidth + from, into: scratch.scores, n: n, offset: offset, room: scratch.left)
        multiply(
          dOTile, byWidth: scratch.valuesByWidth + from, into: scratch.dWeights, n: n, offset: offset,
          room: scratch.left)
        // Through the mask: dP here, and P below, where it meets the values' gradient.
        dropout?.apply(dWeights, first: firstRow, firstColumn: from, threads: 1)
        AttentionRows.backward(
          tile(scratch.scores, m, n, .fp32), dWeights: dWeights, weights: weights, dScores: dScores,
          lse: lse + firstRow, dots: scratch.dots,
          sight: AttentionRows.Sight(firstRow: first, firstKey: from, starts: starts), alpha: alpha)
        dropout?.apply(weights, first: firstRow, firstColumn: from, threads: 1)
        multiply(
          PackedOperands.left(dScores, room: scratch.left), by: words(scratch.keys, from: from), into: scratch.sums,
          m: m, n: n,
          part: .upTo(offset: offset), accumulates: from > begin)
        // The last tile sees all keys and comes first: for a group's first head it writes, everything after adds.
        let accumulates = !isFirst || index < tiles - 1 || starts != nil
        multiply(
          PackedOperands.leftTransposed(dScores, room: scratch.left), by: scratch.queries,
          into: scratch.dKeys + from * headStride,
          m: n, n: m, part: .from(offset: offset), accumulates: accumulates)
        multiply(
          PackedOperands.leftTransposed(weights, room: scratch.left), by: scratch.dOutput,
          into: scratch.dValues + from * headStride, m: n, n: m, part: .from(offset: offset), accumulates: accumulates)
      }
      AttentionRows.unload(
        sums(scratch.sums, rows: m), into: dq.rows(first, count: m), angles: angles.map { $0 + first * half },
        context: c.context, starts: starts)
    }
  }
}
