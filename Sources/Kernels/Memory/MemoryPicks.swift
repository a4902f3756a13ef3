// Which rows of its table a token reads: the best keys of each side, then the best of their pairs.

/// A thread's room for picking.
struct PickRoom {
  let side: UnsafeMutablePointer<Float>  // [n]
  let pairs: UnsafeMutablePointer<Float>  // [c, c]
  let heap: UnsafeMutablePointer<Float>  // [max(c, m)]
  let rowScores: UnsafeMutablePointer<Float>  // [c, r]
  let columnScores: UnsafeMutablePointer<Float>  // [r, c]
  let products: UnsafeMutablePointer<Float>  // [h, r]: R[a]ᵀ C_i
  let places: UnsafeMutablePointer<Int32>  // [max(c, m)]
  let picked: UnsafeMutablePointer<Int32>  // [m]
  let candidates: (rows: UnsafeMutablePointer<Int32>, columns: UnsafeMutablePointer<Int32>)  // [c] each

  /// Floats that it takes.
  static func size(_ shape: MemoryShape) -> Int {
    let (c, r) = (shape.candidates, shape.rank)
    return vectors(shape.keys) + vectors(c * c) + 2 * vectors(max(c, shape.top)) + 2 * vectors(c * r)
      + vectors(shape.weights * r) + vectors(shape.top) + 2 * vectors(c)
  }

  private static func vectors(_ count: Int) -> Int { (count + 15) / 16 * 16 }

  init(_ shape: MemoryShape, at base: UnsafeMutablePointer<Float>) {
    let (c, r) = (shape.candidates, shape.rank)
    var next = base
    func take(_ count: Int) -> UnsafeMutablePointer<Float> {
      defer { next += Self.vectors(count) }
      return next
    }
    func integers(_ count: Int) -> UnsafeMutablePointer<Int32> {
      UnsafeMutableRawPointer(take(count)).assumingMemoryBound(to: Int32.self)
    }
    side = take(shape.keys)
    pairs = take(c * c)
    heap = take(max(c, shape.top))
    rowScores = take(c * r)
    columnScores = take(c * r)
    products = take(shape.weights * r)
    places = integers(max(c, shape.top))
    picked = integers(shape.top)
    candidates = (integers(c), integers(c))
  }
}

package enum MemoryPicks {
  /// Floats of room for each thread.
  package static func room(_ shape: MemoryShape) -> Int { PickRoom.size(shape) }

  /// Picks rows of the table for each position.
  /// - Parameters:
  ///   - scores: the matrices of scores, [stride, n] fp32 each, one behind the other.
  ///   - count: positions.
  ///   - stride: positions of a matrix.
  ///   - cores: [H, h, r, r].
  ///   - filter: [H, 2, r].
  ///   - lists: rows, weights and sides are written.
  ///   - room: [threads] times `room(shape)`.
  package static func find(
    _ shape: MemoryShape, scores: UnsafePointer<Float>, count: Int, stride: Int, cores: UnsafePointer<Float>,
    filter: UnsafePointer<Float>, into lists: PickLists, room: UnsafeMutablePointer<Float>, threads: Int
  ) {
    Team.split(count, threads: threads) { worker, range in
      let room = PickRoom(shape, at: room + worker * PickRoom.size(shape))
      for t in range {
        for head in 0..<shape.heads { find(shape, head, t, scores, stride, cores, filter, lists, room) }
      }
    }
  }

  static func find(
    _ shape: MemoryShape, _ head: Int, _ t: Int, _ scores: UnsafePointer<Float>, _ stride: Int,
    _ cores: UnsafePointer<Float>, _ filter: UnsafePointer<Float>, _ lists: PickLists, _ room: PickRoom
  ) {
    let (n, c, r, h, m) = (shape.keys, shape.candidates, shape.rank, shape.cores, shape.top)
    @inline(__always) func row(_ side: Int, _ s: Int) -> UnsafePointer<Float> {
      scores + (shape.matrix(head: head, side: side, rank: s) * stride + t) * n
    }
    let filter = filter + head * 2 * r
    for (side, found) in [(0, room.candidates.rows), (1, room.candidates.columns)] {
      let weights = filter + side * r
      let first = row(side, 0)
      eachLanes(n) { i, lanes in store(load(first, i, lanes) * weights[0], room.side, i, lanes) }
      for s in 1..<max(1, r) where s < r {
        let next = row(side, s)
        eachLanes(n) { i, lanes in
          let sum = load(room.side, i, lanes).addingProduct(load(next, i, lanes), Lanes(repeating: weights[s]))
          store(sum, room.side, i, lanes)
        }
      }
      TopScores.find(room.side, count: n, most: c, heap: room.heap, places: room.places, into: found)
    }
    for s in 0..<r {
      let (rows, columns) = (row(0, s), row(1, s))
      for i in 0..<c {
        room.rowScores[i * r + s] = rows[Int(room.candidates.rows[i])]
        room.columnScores[s * c + i] = columns[Int(room.candidates.columns[i])]
      }
    }
    let cores = cores + head * h * r * r
    for i in 0..<c {
      let pairs = room.pairs + i * c
      if h == 0 {
        let own = Lanes(repeating: room.rowScores[i])
        eachLanes(c) { j, lanes in store(load(room.columnScores, j, lanes) + own, pairs, j, lanes) }
        continue
      }
      multiply(room.rowScores + i * r, cores, h, r, into: room.products)
      for s in 0..<r {
        var sum: Float = 0
        for core in 0..<h { sum += room.products[core * r + s] }
        let (column, weight) = (room.columnScores + s * c, Lanes(repeating: sum))
        eachLanes(c) { j, lanes in
          let before = s == 0 ? Lanes(repeating: 0) : load(pairs, j, lanes)
          store(before.addingProduct(load(column, j, lanes), weight), pairs, j, lanes)
        }
      }
    }
    TopScores.find(room.pairs, count: c * c, most: m, heap: room.heap, places: room.places, into: room.picked)
    let first = (t * shape.heads + head) * m
    for pick in 0..<m {
      let place = first + pick
      let (i, j) = (Int(room.picked[pick]) / c, Int(room.picked[pick]) % c)
      lists.rows[place] = room.candidates.rows[i] * Int32(n) + room.candidates.columns[j]
      let sides = lists.sides + place * 2 * r
      for s in 0..<r {
        sides[s] = room.rowScores[i * r + s]
        sides[r + s] = room.columnScores[s * c + j]
      }
      let weights = lists.weights + place * shape.weights
      if h == 0 {
        weights[0] = sides[0] + sides[1]
        continue
      }
      multiply(sides, cores, h, r, into: room.products)
      for core in 0..<h {
        var sum: Float = 0
        for s in 0..<r { sum += room.products[core * r + s] * sides[r + s] }
        weights[core] = sum
      }
    }
  }

  /// R[a]ᵀ C_i for all cores.
  @inline(__always)
  private static func multiply(
    _ x: UnsafePointer<Float>, _ cores: UnsafePointer<Float>, _ h: Int, _ r: Int,
    into products: UnsafeMutablePointer<Float>
  ) {
    for core in 0..<h {
      for s in 0..<r {
        var sum: Float = 0
        for a in 0..<r { sum += x[a] * cores[(core * r + a) * r + s] }
        products[core * r + s] = sum
      }
    }
  }
}
