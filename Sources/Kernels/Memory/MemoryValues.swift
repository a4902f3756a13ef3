// What the picked rows of a table come to, and the way back. Letters as in MemoryShape; T positions of a whole step.
//   dS_i,j = t_j ⟨V_j[i], dp[i]⟩,  dt_j = Σ_i S_i,j ⟨V_j[i], dp[i]⟩,  dz = Σ_j dt_j P_j
//   dC_i += Σ_j dS_i R[a] L[b]ᵀ,  dR[a] += Σ_i dS_i C_i L[b],  dL[b] += Σ_i dS_i C_iᵀ R[a]
// The gradient of the table is not made here: what it follows from is recorded (TableGradient).
import CLanes

/// What the gradient of a table follows from, of all positions of a step.
package struct PickRecords {
  /// [T, P]: rows of the table.
  package let rows: UnsafeMutablePointer<Int32>
  /// [T, P, h]: S_i · t, what the gradient at a value's part is the product of with dp.
  package let weights: UnsafeMutablePointer<Float>
  /// [T, P]: dt; only where there are pre-values.
  package let factors: UnsafeMutablePointer<Float>
  /// [T, D_v]: dp, and [T, D_p]: z.
  package let dPooled: UnsafeMutablePointer<Float>
  package let z: UnsafeMutablePointer<Float>

  package init(
    rows: UnsafeMutablePointer<Int32>, weights: UnsafeMutablePointer<Float>, factors: UnsafeMutablePointer<Float>,
    dPooled: UnsafeMutablePointer<Float>, z: UnsafeMutablePointer<Float>
  ) {
    self.rows = rows
    self.weights = weights
    self.factors = factors
    self.dPooled = dPooled
    self.z = z
  }

  /// Those of the positions from `first` on.
  package func from(_ first: Int, _ shape: MemoryShape) -> PickRecords {
    PickRecords(
      rows: rows + first * shape.picks, weights: weights + first * shape.picks * shape.weights,
      factors: factors + first * (shape.preWidth > 0 ? shape.picks : 0), dPooled: dPooled + first * shape.valueWidth,
      z: z + first * shape.preWidth)
  }
}

package enum MemoryValues {
  /// Floats of room for each thread.
  package static func room(_ shape: MemoryShape) -> Int {
    vectors(shape.valueWidth) + vectors(shape.preWidth) + vectors(shape.keys) * shape.sides
      + vectors(shape.coreElements)
  }

  /// Bytes that forward must move, each counted once: the picked rows, what else it reads, and what it writes.
  /// - Parameter operandBytes: of an element of `pooled`.
  package static func forwardBytes(_ shape: MemoryShape, positions: Int, operandBytes: Int) -> Int {
    // Row, weights and factor of a pick; z and pooled.
    let pick = 1 + shape.weights + (shape.preWidth > 0 ? 1 : 0)
    return positions
      * (4 * (shape.picks * (shape.rowWidth + pick) + shape.preWidth) + operandBytes * shape.valueWidth)
  }

  /// The same of backward. More is moved where a cache line is read before it is written.
  /// - Parameter operandBytes: of an element of `dPooled`, `dz` and scores' gradients.
  package static func backwardBytes(_ shape: MemoryShape, positions: Int, operandBytes: Int) -> Int {
    // Row, weights and factor of a pick are read, and others are recorded; its scores are read. z and dp are read and recorded,
    // dz and scores' gradients are written.
    let pick = 2 * (1 + shape.weights + (shape.preWidth > 0 ? 1 : 0)) + shape.sides
    let floats = shape.picks * (shape.rowWidth + pick) + 2 * shape.preWidth + shape.valueWidth
    let operands = shape.valueWidth + shape.scoreMatrices * shape.keys + shape.preWidth
    return positions * (4 * floats + operandBytes * operands)
  }

  /// The row that is fetched while one is used, in picks after it: several fetches are under way at a time.
  static let ahead = 4

  private static func vectors(_ count: Int) -> Int { (count + 15) / 16 * 16 }

  /// Sums the picked values.
  /// - Parameters:
  ///   - table: [N, D_p + D_v].
  ///   - lists: of `MemoryPicks.find`; the factors are written.
  ///   - z: [M, D_p] fp32; not read where values are plain.
  ///   - pooled: [M, D_v] in any precision, written.
  ///   - room: [threads] times `room(shape)`.
  package static func forward(
    _ shape: MemoryShape, table: UnsafePointer<Float>, lists: PickLists, z: UnsafePointer<Float>, pooled: Matrix,
    room: UnsafeMutablePointer<Float>, threads: Int
  ) {
    let (P, D, Dp, part) = (shape.picks, shape.rowWidth, shape.preWidth, shape.partWidth)
    let size = Self.room(shape)
    Team.split(pooled.rows, threads: threads) { worker, range in
      let sum = room + worker * size
      let end = range.upperBound * P
      for t in range {
        sum.update(repeating: 0, count: shape.valueWidth)
        for pick in t * P..<(t + 1) * P {
          if pick + ahead < end { prefetch(table + Int(lists.rows[pick + ahead]) * D, D) }
          let row = table + Int(lists.rows[pick]) * D
          var factor: Float = 1
          if Dp > 0 {
            factor = dot(row, z + t * Dp, Dp)
            lists.factors[pick] = factor
          }
          for core in 0..<shape.weights {
            let weight = Lanes(repeating: lists.weights[pick * shape.weights + core] * factor)
            let (value, place) = (row + Dp + core * part, sum + core * part)
            eachLanes(part) { i, lanes in
              store(load(place, i, lanes).addingProduct(load(value, i, lanes), weight), place, i, lanes)
            }
          }
        }
        switch pooled.precision {
        case .fp32: scale(sum, shape.valueWidth, by: 1, into: pooled.row(t, as: Float.self))
        case .bf16: scale(sum, shape.valueWidth, by: 1, into: pooled.row(t, as: BFloat16.self))
        }
      }
    }
  }

  /// The gradients at scores, cores and z, and the records of what the table's follows from.
  /// - Parameters:
  ///   - lists: of forward.
  ///   - dPooled: [M, D_v] in any precision.
  ///   - cores: [H, h, r, r].
  ///   - dScores: the matrices of scores' gradients, [M, n] in the precision of `dPooled` each, one behind the other, written.
  ///   - dz: [M, D_p], written.
  ///   - dCores: as `cores`, added to.
  ///   - records: of these positions, written.
  ///   - room: [threads] times `room(shape)`.
  package static func backward(
    _ shape: MemoryShape, table: UnsafePointer<Float>, lists: PickLists, z: UnsafePointer<Float>, dPooled: Matrix,
    cores: UnsafePointer<Float>, dScores: UnsafeMutableRawPointer, dz: Matrix?, dCores: UnsafeMutablePointer<Float>,
    records: PickRecords, room: UnsafeMutablePointer<Float>, threads: Int
  ) {
    let size = Self.room(shape)
    let dCoreOffset = vectors(shape.valueWidth) + vectors(shape.preWidth) + vectors(shape.keys) * shape.sides
    for worker in 0..<threads {
      (room + worker * size + dCoreOffset).update(repeating: 0, count: shape.coreElements)
    }
    Team.split(dPooled.rows, threads: threads) { worker, range in
      switch dPooled.precision {
      case .fp32:
        backward(
          range, shape, table, lists, z, dPooled, Float.self, cores, dScores, dz, records, room + worker * size)
      case .bf16:
        backward(
          range, shape, table, lists, z, dPooled, BFloat16.self, cores, dScores, dz, records, room + worker * size)
      }
    }
    for worker in 0..<threads {
      let sums = room + worker * size + dCoreOffset
      for i in 0..<shape.coreElements { dCores[i] += sums[i] }
    }
  }

  @inline(__always)
  private static func backward<E: Element>(
    _ range: Range<Int>, _ shape: MemoryShape, _ table: UnsafePointer<Float>, _ lists: PickLists,
    _ z: UnsafePointer<Float>, _ dPooled: Matrix, _: E.Type, _ cores: UnsafePointer<Float>,
    _ dScores: UnsafeMutableRawPointer, _ dz: Matrix?, _ records: PickRecords, _ room: UnsafeMutablePointer<Float>
  ) {
    let (P, D, Dp, Dv, part) = (shape.picks, shape.rowWidth, shape.preWidth, shape.valueWidth, shape.partWidth)
    let (n, r, h, width) = (shape.keys, shape.rank, shape.cores, vectors(shape.keys))
    let dzSum = room + vectors(Dv)
    let sides = dzSum + vectors(Dp)  // [2r, n]
    let dCores = sides + width * shape.sides
    let scores = dScores.assumingMemoryBound(to: E.self)
    let end = range.upperBound * P
    for t in range {
      let dp = records.dPooled + t * Dv
      let given = dPooled.row(t, as: E.self)
      eachLanes(Dv) { i, lanes in store(load(given, i, lanes), dp, i, lanes) }
      (records.z + t * Dp).update(from: z + t * Dp, count: Dp)
      dzSum.update(repeating: 0, count: Dp)
      for head in 0..<shape.heads {
        sides.update(repeating: 0, count: width * shape.sides)
        let cores = cores + head * h * r * r
        let dCores = dCores + head * h * r * r
        let first = (t * shape.heads + head) * shape.top
        for pick in first..<first + shape.top {
          if pick + ahead < end { prefetch(table + Int(lists.rows[pick + ahead]) * D, D) }
          let place = Int(lists.rows[pick])
          let row = table + place * D
          let factor = Dp > 0 ? lists.factors[pick] : 1
          let pickSides = lists.sides + pick * 2 * r
          let (dRow, dColumn) = (sides + place / n, sides + r * width + place % n)
          var dFactor: Float = 0
          records.rows[pick] = lists.rows[pick]
          for core in 0..<shape.weights {
            let weight = lists.weights[pick * shape.weights + core]
            let product = dot(row + Dp + core * part, dp + core * part, part)
            dFactor += weight * product
            records.weights[pick * shape.weights + core] = weight * factor
            let g = factor * product
            if h == 0 {
              dRow[0] += g
              dColumn[0] += g
              continue
            }
            for a in 0..<r {
              for b in 0..<r {
                let place = (core * r + a) * r + b
                let (R, L) = (pickSides[a], pickSides[r + b])
                dCores[place] += g * R * L
                dRow[a * width] += g * cores[place] * L
                dColumn[b * width] += g * cores[place] * R
              }
            }
          }
          if Dp > 0 {
            records.factors[pick] = dFactor
            let weight = Lanes(repeating: dFactor)
            eachLanes(Dp) { i, lanes in
              store(load(dzSum, i, lanes).addingProduct(load(row, i, lanes), weight), dzSum, i, lanes)
            }
          }
        }
        for side in 0..<shape.sides {
          let place = scores + ((head * shape.sides + side) * dPooled.rows + t) * n
          scale(sides + side * width, n, by: 1, into: place)
        }
      }
      if let dz { scale(dzSum, Dp, by: 1, into: dz.row(t, as: E.self)) }
    }
  }

  @inline(__always)
  static func prefetch(_ row: UnsafePointer<Float>, _ count: Int) {
    var i = 0
    while i < count {
      lanes_prefetch(row + i)
      i += 16
    }
  }

  @inline(__always)
  private static func dot(_ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, _ count: Int) -> Float {
    var sum = Lanes(repeating: 0)
    eachLanes(count) { i, lanes in sum = sum.addingProduct(load(x, i, lanes), load(y, i, lanes)) }
    return sum.folded
  }
}
