// Attention among the few slots of each position, which sees no other position: slot j of position t is the state at t with the token
// x[t+j], j = 0 … D. States and tokens are projected apart, and added here:
//   [q|k|v]_j = own[t] + coming[t + j];   a_i = Σ_{j ≤ i} softmax_j(q_i · k_j / √d) v_j,  i = 1 … D
// The way back makes the weights again. Letters: T positions of a row, M all positions, N tokens: T + D a row, d width, E operand
// precision.
import Foundation

package struct SlotAttention {
  /// Rows, T, D and d.
  package var rows, context, slots, width: Int

  package init(rows: Int, context: Int, slots: Int, width: Int) {
    (self.rows, self.context, self.slots, self.width) = (rows, context, slots, width)
  }

  /// M and N / rows.
  private var positions: Int { rows * context }
  private var tokensOfRow: Int { context + slots }

  /// The rows that are projected, and the states as each slot's output begins.
  /// - Parameters:
  ///   - hidden: E [M, d].
  ///   - table: E [V, d], the embeddings; a negative token reads as token 0.
  ///   - tokens: row r's are from `tokens[r · stride]` on, T + D of them.
  ///   - inputs: E [M + N, d], written: γ · hidden, then embeddings.
  ///   - states: E [D · M, d], written: `hidden` once for each slot from the first on.
  package func gather(
    _ hidden: Matrix, table: UnsafeMutableRawPointer, tokens: UnsafePointer<Int32>, stride: Int, gamma: Float,
    into inputs: Matrix, states: Matrix, threads: Int
  ) {
    let bytes = width * hidden.precision.bytes
    Team.split(positions, threads: threads) { _, range in
      for m in range {
        switch hidden.precision {
        case .fp32: scaled(hidden.row(m, as: Float.self), by: gamma, into: inputs.row(m, as: Float.self))
        case .bf16: scaled(hidden.row(m, as: BFloat16.self), by: gamma, into: inputs.row(m, as: BFloat16.self))
        }
        for slot in 0..<slots {
          states.at(slot * positions + m, 0).copyMemory(from: hidden.at(m, 0), byteCount: bytes)
        }
      }
    }
    Team.split(rows * tokensOfRow, threads: threads) { _, range in
      for n in range {
        let token = max(0, Int(tokens[n / tokensOfRow * stride + n % tokensOfRow]))
        inputs.at(positions + n, 0).copyMemory(from: table + token * bytes, byteCount: bytes)
      }
    }
  }

  @inline(__always)
  private func scaled<E: Element>(_ x: UnsafePointer<E>, by c: Float, into y: UnsafeMutablePointer<E>) {
    for (i, lanes) in sixteens(width) { store(load(x, i, lanes) * c, y, i, lanes) }
  }

  /// - Parameters:
  ///   - projected: [M + N, 3d] fp32: own, then coming.
  ///   - out: E [D · M, d], written: row (i − 1) · M + m is slot i of position m.
  package func forward(_ projected: Matrix, into out: Matrix, threads: Int) {
    Team.split(positions, threads: threads) { _, range in
      withRoom { room in
        for m in range {
          fill(room, projected, m)
          for i in 1...slots {
            weigh(room, i)
            switch out.precision {
            case .fp32: sum(room, i, into: out.row((i - 1) * positions + m, as: Float.self))
            case .bf16: sum(room, i, into: out.row((i - 1) * positions + m, as: BFloat16.self))
            }
          }
        }
      }
    }
  }

  /// - Parameters:
  ///   - projected: as in `forward`.
  ///   - dOut: E [D · M, d].
  ///   - dProjected: E [M + N, 3d], written.
  ///   - ring: [threads, D + 1, 3d] floats of room: a token's gradient has parts from the D + 1 positions that it is a slot of.
  package func backward(
    _ projected: Matrix, _ dOut: Matrix, into dProjected: Matrix, ring: UnsafeMutablePointer<Float>, threads: Int
  ) {
    let columns = 3 * width
    Team.split(rows, threads: threads) { worker, range in
      let ring = ring + worker * (slots + 1) * columns
      withRoom { room in
        for row in range {
          ring.update(repeating: 0, count: (slots + 1) * columns)
          for t in 0..<context {
            let m = row * context + t
            fill(room, projected, m)
            room.gradients.update(repeating: 0, count: (slots + 1) * columns)
            for i in 1...slots {
              weigh(room, i)
              switch dOut.precision {
              case .fp32: differentiate(room, i, dOut.row((i - 1) * positions + m, as: Float.self))
              case .bf16: differentiate(room, i, dOut.row((i - 1) * positions + m, as: BFloat16.self))
              }
            }
            for j in 0...slots {
              let sum = ring + (t + j) % (slots + 1) * columns
              let part = room.gradients + j * columns
              for (k, lanes) in sixteens(columns) { store(load(sum, k, lanes) + load(part, k, lanes), sum, k, lanes) }
              guard j > 0 else { continue }
              let own = room.gradients
              for (k, lanes) in sixteens(columns) { store(load(own, k, lanes) + load(part, k, lanes), own, k, lanes) }
            }
            put(room.gradients, dProjected, m)
            // Later positions have no part in this token.
            let done = ring + t % (slots + 1) * columns
            put(done, dProjected, positions + row * tokensOfRow + t)
            done.update(repeating: 0, count: columns)
          }
          for t in context..<tokensOfRow {
            put(ring + t % (slots + 1) * columns, dProjected, positions + row * tokensOfRow + t)
          }
        }
      }
    }
  }

  /// Adds to the gradient at the states what goes past Fetch and through it, and leaves that at the embeddings.
  /// - Parameters:
  ///   - dStates: E [D · M, d].
  ///   - dInputs: E [M, d], or [M + N, d] with `embedded`.
  ///   - dHidden: E [M, d], added to.
  ///   - embedded: [N, d] fp32, written; nil where embeddings do not learn.
  package func addGradients(
    _ dStates: Matrix, _ dInputs: Matrix, gamma: Float, to dHidden: Matrix, embedded: Matrix?, threads: Int
  ) {
    switch dStates.precision {
    case .fp32: addGradients(dStates, dInputs, as: Float.self, gamma, dHidden, embedded, threads)
    case .bf16: addGradients(dStates, dInputs, as: BFloat16.self, gamma, dHidden, embedded, threads)
    }
  }

  private func addGradients<E: Element>(
    _ dStates: Matrix, _ dInputs: Matrix, as type: E.Type, _ gamma: Float, _ dHidden: Matrix, _ embedded: Matrix?,
    _ threads: Int
  ) {
    Team.split(positions, threads: threads) { _, range in
      for m in range {
        let sum = dHidden.row(m, as: E.self)
        let through = dInputs.row(m, as: E.self)
        for (i, lanes) in sixteens(width) {
          var total = load(sum, i, lanes) + load(through, i, lanes) * gamma
          for slot in 0..<slots { total += load(dStates.row(slot * positions + m, as: E.self), i, lanes) }
          store(total, sum, i, lanes)
        }
      }
    }
    guard let embedded else { return }
    Team.split(embedded.rows, threads: threads) { _, range in
      for n in range {
        let (from, to) = (dInputs.row(positions + n, as: E.self), embedded.row(n, as: Float.self))
        for (i, lanes) in sixteens(width) { store(load(from, i, lanes), to, i, lanes) }
      }
    }
  }

  // MARK: One position

  /// Room of a thread: the slots' queries, keys and values and their gradients, [D + 1, 3d] each, and a slot's weights, [D + 1] twice.
  private struct SlotRoom {
    let values, gradients, weights, slopes: UnsafeMutablePointer<Float>
  }

  private func withRoom(_ body: (SlotRoom) -> Void) {
    let count = (slots + 1) * 3 * width
    withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * count + 2 * (slots + 1)) { room in
      let base = room.baseAddress!
      body(
        SlotRoom(
          values: base, gradients: base + count, weights: base + 2 * count, slopes: base + 2 * count + slots + 1))
    }
  }

  /// The queries, keys and values of a position's slots.
  @inline(__always)
  private func fill(_ room: SlotRoom, _ projected: Matrix, _ m: Int) {
    let own = projected.row(m, as: Float.self)
    let first = positions + m / context * tokensOfRow + m % context
    for j in 0...slots {
      let coming = projected.row(first + j, as: Float.self)
      let sum = room.values + j * 3 * width
      for (i, lanes) in sixteens(3 * width) { store(load(own, i, lanes) + load(coming, i, lanes), sum, i, lanes) }
    }
  }

  private func query(_ base: UnsafeMutablePointer<Float>, _ j: Int) -> UnsafeMutablePointer<Float> {
    base + j * 3 * width
  }
  private func key(_ base: UnsafeMutablePointer<Float>, _ j: Int) -> UnsafeMutablePointer<Float> {
    base + (3 * j + 1) * width
  }
  private func value(_ base: UnsafeMutablePointer<Float>, _ j: Int) -> UnsafeMutablePointer<Float> {
    base + (3 * j + 2) * width
  }
  private var scale: Float { 1 / Float(width).squareRoot() }

  /// Slot i's weights of the slots up to it.
  @inline(__always)
  private func weigh(_ room: SlotRoom, _ i: Int) {
    var most = -Float.infinity
    for j in 0...i {
      let score = product(query(room.values, i), key(room.values, j)) * scale
      room.weights[j] = score
      most = max(most, score)
    }
    var total: Float = 0
    for j in 0...i {
      room.weights[j] = exp(room.weights[j] - most)
      total += room.weights[j]
    }
    for j in 0...i { room.weights[j] /= total }
  }

  @inline(__always)
  private func sum<E: Element>(_ room: SlotRoom, _ i: Int, into out: UnsafeMutablePointer<E>) {
    for (c, lanes) in sixteens(width) {
      var total = Lanes(repeating: 0)
      for j in 0...i { total += load(value(room.values, j), c, lanes) * room.weights[j] }
      store(total, out, c, lanes)
    }
  }

  /// Adds to the gradients of the slots what comes of slot i's output, whose weights are there.
  @inline(__always)
  private func differentiate<E: Element>(_ room: SlotRoom, _ i: Int, _ dOut: UnsafePointer<E>) {
    var mean: Float = 0
    for j in 0...i {
      var slope = Lanes(repeating: 0)
      let (v, dv) = (value(room.values, j), value(room.gradients, j))
      let weight = room.weights[j]
      for (c, lanes) in sixteens(width) {
        let d = load(dOut, c, lanes)
        slope += d * load(v, c, lanes)
        store(load(dv, c, lanes) + d * weight, dv, c, lanes)
      }
      room.slopes[j] = slope.folded
      mean += weight * room.slopes[j]
    }
    let (q, dq) = (query(room.values, i), query(room.gradients, i))
    for j in 0...i {
      let ds = room.weights[j] * (room.slopes[j] - mean) * scale
      let (k, dk) = (key(room.values, j), key(room.gradients, j))
      for (c, lanes) in sixteens(width) {
        store(load(dq, c, lanes) + load(k, c, lanes) * ds, dq, c, lanes)
        store(load(dk, c, lanes) + load(q, c, lanes) * ds, dk, c, lanes)
      }
    }
  }

  @inline(__always)
  private func product(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>) -> Float {
    var total = Lanes(repeating: 0)
    for (c, lanes) in sixteens(width) { total += load(a, c, lanes) * load(b, c, lanes) }
    return total.folded
  }

  @inline(__always)
  private func put(_ x: UnsafePointer<Float>, _ out: Matrix, _ row: Int) {
    switch out.precision {
    case .fp32: Kernels.scale(x, out.columns, by: 1, into: out.row(row, as: Float.self))
    case .bf16: Kernels.scale(x, out.columns, by: 1, into: out.row(row, as: BFloat16.self))
    }
  }
}
