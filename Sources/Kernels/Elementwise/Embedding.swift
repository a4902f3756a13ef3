// Token embedding: x[t] = E[token t];  dE[v] = Σ over t with token v of dx[t]. And learned absolute positions, where the
// network has them: x[t] += P[t];  dP[t] = Σ over rows of dx[t].

package enum Embedding {
  /// - Parameters:
  ///   - table: [V, d] fp32.
  ///   - tokens: one a row of x, at `tokens[row / context · stride + row % context]`; a negative one reads as token 0.
  ///   - x: [rows, d] fp32, written.
  package static func forward(
    _ table: UnsafePointer<Float>, tokens: UnsafePointer<Int32>, context: Int, stride: Int, x: Matrix, threads: Int
  ) {
    Team.split(x.rows, threads: threads) { _, rows in
      for t in rows {
        let token = max(0, Int(tokens[t / context * stride + t % context]))
        x.row(t, as: Float.self).update(from: table + token * x.columns, count: x.columns)
      }
    }
  }

  /// Adds every row of dx to its token's row. Threads share out columns, not rows, so that the order of every sum is that
  /// of the positions, whatever the number of threads.
  package static func backward(
    _ dx: Matrix, tokens: UnsafePointer<Int32>, context: Int, stride: Int, dTable: UnsafeMutablePointer<Float>,
    threads: Int
  ) {
    let d = dx.columns
    Team.split(d, threads: threads, grain: 16) { _, columns in
      for t in 0..<dx.rows {
        let token = Int(tokens[t / context * stride + t % context])
        if token < 0 { continue }
        let sum = dTable + token * d + columns.lowerBound
        let row = dx.row(t, as: Float.self) + columns.lowerBound
        eachLanes(columns.count) { i, lanes in store(load(sum, i, lanes) + load(row, i, lanes), sum, i, lanes) }
      }
    }
  }

  /// Adds a position's vector to every row of x.
  /// - Parameters:
  ///   - table: [context, d] fp32.
  ///   - x: [rows · context, d] fp32, added to.
  ///   - starts: as Rotary's.
  package static func addPositions(
    _ table: UnsafePointer<Float>, context: Int, starts: UnsafePointer<Int32>? = nil, x: Matrix, threads: Int
  ) {
    let d = x.columns
    Team.split(x.rows, threads: threads) { _, rows in
      for t in rows {
        let row = x.row(t, as: Float.self)
        let position = table + (t % context - (starts.map { Int($0[t]) } ?? 0)) * d
        eachLanes(d) { i, lanes in store(load(row, i, lanes) + load(position, i, lanes), row, i, lanes) }
      }
    }
  }

  /// Adds every row of dx to its position's row. Threads share out positions (columns where documents begin inside of
  /// rows), so that every sum has its order.
  package static func backwardPositions(
    _ dx: Matrix, context: Int, starts: UnsafePointer<Int32>? = nil, dTable: UnsafeMutablePointer<Float>, threads: Int
  ) {
    let d = dx.columns
    if let starts {
      Team.split(d, threads: threads, grain: 16) { _, columns in
        for t in 0..<dx.rows {
          let sum = dTable + (t % context - Int(starts[t])) * d + columns.lowerBound
          let row = dx.row(t, as: Float.self) + columns.lowerBound
          eachLanes(columns.count) { i, lanes in store(load(sum, i, lanes) + load(row, i, lanes), sum, i, lanes) }
        }
      }
      return
    }
    Team.split(context, threads: threads) { _, positions in
      for position in positions {
        let sum = dTable + position * d
        for t in stride(from: position, to: dx.rows, by: context) {
          let row = dx.row(t, as: Float.self)
          eachLanes(d) { i, lanes in store(load(sum, i, lanes) + load(row, i, lanes), sum, i, lanes) }
        }
      }
    }
  }
}
