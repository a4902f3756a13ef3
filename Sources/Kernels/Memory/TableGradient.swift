// The gradient of a memory layer's table, a row at a time and never stored: the picks of a step are sorted by row, and each
// row's gradient is summed in the order of positions and picks. Threads, shards and micro-batches do not change that order.
//   dV[row][i] = Σ S_i t · dp[i],  dP[row] = Σ dt · z
// Every row gets every update, as by AdamW on a dense gradient, and comes to the same bits; rows without picks may get it later
// (PostponedUpdates).

/// The picks of one table in one step, sorted.
package struct TableGradient {
  let shape: MemoryShape
  private let records: PickRecords
  /// [N]: where the picks of a row end in `order`.
  let ends: UnsafeMutablePointer<Int32>
  /// [T · P]: picks, by row and then by their place.
  private let order: UnsafeMutablePointer<Int32>

  package init(
    _ shape: MemoryShape, records: PickRecords, ends: UnsafeMutablePointer<Int32>, order: UnsafeMutablePointer<Int32>
  ) {
    self.shape = shape
    self.records = records
    self.ends = ends
    self.order = order
  }

  /// Sorts the picks of all positions of a step by their rows; equal rows keep their order (counting sort). Each thread sorts the
  /// picks of its own range of rows, so that the order is the same for any number of threads.
  /// - Returns: the number of rows that have picks.
  @discardableResult
  package func sort(positions: Int, threads: Int = 1) -> Int {
    withUnsafeTemporaryAllocation(of: Int.self, capacity: threads) { picked in
      picked.initialize(repeating: 0)
      Team.split(shape.rows, threads: threads) { worker, rows in
        picked[worker] = sort(positions * shape.picks, of: rows)
      }
      return picked.reduce(0, +)
    }
  }

  /// Sorts those picks whose rows lie in a range. Every thread reads all picks: to read a few bytes twice takes less time than to
  /// hand picks from thread to thread.
  /// - Parameter count: the number of all picks.
  /// - Returns: how many of the rows have picks.
  private func sort(_ count: Int, of rows: Range<Int>) -> Int {
    let (first, last) = (Int32(rows.lowerBound), Int32(rows.upperBound))
    (ends + rows.lowerBound).update(repeating: 0, count: rows.count)
    var place: Int32 = 0
    for pick in 0..<count {
      let row = records.rows[pick]
      if row < first {
        place += 1
      } else if row < last {
        ends[Int(row)] += 1
      }
    }
    var picked = 0
    for row in rows {
      let picks = ends[row]
      ends[row] = place
      place += picks
      picked += picks > 0 ? 1 : 0
    }
    for pick in 0..<count {
      let row = records.rows[pick]
      guard row >= first, row < last else { continue }
      order[Int(ends[Int(row)])] = Int32(pick)
      ends[Int(row)] += 1
    }
    return picked
  }

  @inline(__always)
  private func picks(of row: Int) -> Range<Int> { (row == 0 ? 0 : Int(ends[row - 1]))..<Int(ends[row]) }

  /// How many picks a row had.
  package func count(of row: Int) -> Int { picks(of: row).count }

  /// The gradient of a row.
  /// - Parameter g: [D_p + D_v], written.
  package func sum(row: Int, into g: UnsafeMutablePointer<Float>) {
    let (Dp, Dv, part, h) = (shape.preWidth, shape.valueWidth, shape.partWidth, shape.weights)
    g.update(repeating: 0, count: shape.rowWidth)
    for place in picks(of: row) {
      let pick = Int(order[place])
      let position = pick / shape.picks
      if Dp > 0 {
        let (z, weight) = (records.z + position * Dp, Lanes(repeating: records.factors[pick]))
        eachLanes(Dp) { i, lanes in store(load(g, i, lanes).addingProduct(load(z, i, lanes), weight), g, i, lanes) }
      }
      for core in 0..<h {
        let weight = Lanes(repeating: records.weights[pick * h + core])
        let (dp, place) = (records.dPooled + position * Dv + core * part, g + Dp + core * part)
        eachLanes(part) { i, lanes in
          store(load(place, i, lanes).addingProduct(load(dp, i, lanes), weight), place, i, lanes)
        }
      }
    }
  }

  private static let pieceLength = 256

  /// How many partial sums a norm takes.
  package static func pieces(_ shape: MemoryShape) -> Int { (shape.rows + pieceLength - 1) / pieceLength }

  /// The sum of all squares of the gradient, added in pieces of fixed size, so that threads do not change it.
  /// - Parameters:
  ///   - room: [threads, D_p + D_v] floats.
  ///   - partial: [pieces] doubles.
  package func squares(
    room: UnsafeMutablePointer<Float>, partial: UnsafeMutablePointer<Double>, threads: Int
  ) -> Double {
    let pieces = Self.pieces(shape)
    let width = shape.rowWidth
    Team.split(pieces, threads: threads) { worker, range in
      let g = room + worker * width
      for piece in range {
        var sum = 0.0
        for row in piece * Self.pieceLength..<min(shape.rows, (piece + 1) * Self.pieceLength) {
          if picks(of: row).isEmpty { continue }
          self.sum(row: row, into: g)
          var squares = Lanes(repeating: 0)
          eachLanes(width) { i, lanes in
            let x = load(g, i, lanes)
            squares = squares.addingProduct(x, x)
          }
          sum += Double(squares.folded)
        }
        partial[piece] = sum
      }
    }
    var sum = 0.0
    for piece in 0..<pieces { sum += partial[piece] }
    return sum
  }

  /// Updates every row of the table and its moments at once.
  /// - Parameters:
  ///   - w, m, v: [N, D_p + D_v].
  ///   - room: [threads, D_p + D_v] floats.
  package func update(
    w: UnsafeMutablePointer<Float>, m: UnsafeMutablePointer<Float>, v: UnsafeMutablePointer<Float>, adam: AdamW,
    room: UnsafeMutablePointer<Float>, threads: Int
  ) {
    let width = shape.rowWidth
    Team.split(shape.rows, threads: threads) { worker, range in
      let g = room + worker * width
      var isZero = false
      for row in range {
        if !picks(of: row).isEmpty {
          sum(row: row, into: g)
          isZero = false
        } else if !isZero {
          g.update(repeating: 0, count: width)
          isZero = true
        }
        let first = row * width
        adam.update(w: w + first, g: g, m: m + first, v: v + first, rounded: nil, count: width, threads: 1)
      }
    }
  }
}
