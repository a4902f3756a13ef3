// The m largest of n numbers, without sorting the others: a heap of the best so far, whose worst is what sixteen numbers at a
// time are compared with.
import CLanes

package enum TopScores {
  /// Finds the `m` largest of `n` numbers; of equal ones those that come first. Where numbers are not finite, places are still
  /// below n.
  /// - Parameters:
  ///   - m: at most n.
  ///   - heap, places: room for m numbers each.
  ///   - indices: [m], written: their places, ascending.
  package static func find(
    _ x: UnsafePointer<Float>, count n: Int, most m: Int, heap: UnsafeMutablePointer<Float>,
    places: UnsafeMutablePointer<Int32>, into indices: UnsafeMutablePointer<Int32>
  ) {
    if m == n {
      for i in 0..<n { indices[i] = Int32(i) }
      return
    }
    for i in 0..<m {
      heap[i] = x[i]
      places[i] = Int32(i)
    }
    for i in stride(from: m / 2 - 1, through: 0, by: -1) { sink(i, heap, places, m) }
    var i = m
    while i + 16 <= n {
      var bits = lanes_above(x + i, heap[0])
      while bits != 0 {
        let place = i + bits.trailingZeroBitCount
        bits &= bits - 1
        if x[place] > heap[0] { replaceWorst(x[place], place, heap, places, m) }
      }
      i += 16
    }
    while i < n {
      if x[i] > heap[0] { replaceWorst(x[i], i, heap, places, m) }
      i += 1
    }
    collect(x, n, worst: heap[0], last: Int(places[0]), m, into: indices)
  }

  /// The places of all that is above the worst, or equal to it and not behind `last`.
  private static func collect(
    _ x: UnsafePointer<Float>, _ n: Int, worst: Float, last: Int, _ m: Int, into indices: UnsafeMutablePointer<Int32>
  ) {
    var found = 0
    for i in 0..<n where x[i] > worst || (x[i] == worst && i <= last) {
      if found == m { break }
      indices[found] = Int32(i)
      found += 1
    }
    // Only numbers that are not finite leave places open.
    while found < m {
      indices[found] = 0
      found += 1
    }
  }

  @inline(__always)
  private static func replaceWorst(
    _ value: Float, _ place: Int, _ heap: UnsafeMutablePointer<Float>, _ places: UnsafeMutablePointer<Int32>, _ m: Int
  ) {
    heap[0] = value
    places[0] = Int32(place)
    sink(0, heap, places, m)
  }

  /// Whether i is worse than j: smaller, or as large and behind it.
  @inline(__always)
  private static func isWorse(
    _ i: Int, _ j: Int, _ heap: UnsafeMutablePointer<Float>, _ places: UnsafeMutablePointer<Int32>
  ) -> Bool {
    heap[i] < heap[j] || (heap[i] == heap[j] && places[i] > places[j])
  }

  @inline(__always)
  private static func sink(
    _ start: Int, _ heap: UnsafeMutablePointer<Float>, _ places: UnsafeMutablePointer<Int32>, _ m: Int
  ) {
    var i = start
    while true {
      var worst = i
      let (left, right) = (2 * i + 1, 2 * i + 2)
      if left < m, isWorse(left, worst, heap, places) { worst = left }
      if right < m, isWorse(right, worst, heap, places) { worst = right }
      if worst == i { return }
      swap(&heap[i], &heap[worst])
      swap(&places[i], &places[worst])
      i = worst
    }
  }
}
