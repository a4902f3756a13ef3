// How the rows of a memory layer's table are used: counted after each update from the sorted picks of its step.

/// The counts of one table, which training adds to.
package struct TableUse {
  /// [N]: picks of each row since they were last cleared.
  package let picks: UnsafeMutablePointer<UInt32>
  /// [N]: the number of the counted step that last picked a row; 0 where none did.
  package let last: UnsafeMutablePointer<UInt32>

  package init(picks: UnsafeMutablePointer<UInt32>, last: UnsafeMutablePointer<UInt32>) {
    self.picks = picks
    self.last = last
  }

  /// Adds the picks of a step.
  /// - Parameters:
  ///   - ends: [N], of `TableGradient.sort`: where the picks of a row end.
  ///   - step: the number of the counted step, from 1 on.
  func add(_ ends: UnsafePointer<Int32>, step: UInt32, rows: Int, threads: Int) {
    Team.split(rows, threads: threads) { _, range in
      var before = range.lowerBound == 0 ? 0 : ends[range.lowerBound - 1]
      for row in range {
        let count = UInt32(bitPattern: ends[row] &- before)
        before = ends[row]
        let sum = picks[row] &+ count
        // Years of training without an evaluation stop at the largest number.
        picks[row] = sum < count ? .max : sum
        last[row] = count > 0 ? step : last[row]
      }
    }
  }
}

extension TableGradient {
  /// Counts the picks of the step that was sorted.
  /// - Parameter step: the number of the counted step, from 1 on.
  package func count(into use: TableUse, step: UInt32, threads: Int) {
    use.add(ends, step: step, rows: shape.rows, threads: threads)
  }
}

/// How far the last row that a head picks is from the first one that it leaves out.
package struct PickEdge: Sendable {
  /// The score of the worst pick above that of the best pair of candidates that was left out.
  package var gap: Float = 0
  /// The score of the best pick above that of the worst.
  package var spread: Float = 0

  package init() {}
}

extension MemoryPicks {
  /// Picks rows once more, for each position and head, and says how clear the choice was.
  /// - Parameters:
  ///   - scores, cores, filter, lists, room: those of `find`, which wrote the lists; the same is written once more.
  ///   - count: positions, from the first one on.
  ///   - edges: [count, H], written. Where all pairs of candidates are picked, the gap is not a number.
  package static func measureEdges(
    _ shape: MemoryShape, scores: UnsafePointer<Float>, count: Int, stride: Int, cores: UnsafePointer<Float>,
    filter: UnsafePointer<Float>, into lists: PickLists, edges: UnsafeMutablePointer<PickEdge>,
    room: UnsafeMutablePointer<Float>, threads: Int
  ) {
    Team.split(count, threads: threads) { worker, range in
      let room = PickRoom(shape, at: room + worker * PickRoom.size(shape))
      for t in range {
        for head in 0..<shape.heads {
          find(shape, head, t, scores, stride, cores, filter, lists, room)
          edges[t * shape.heads + head] = edge(shape, room)
        }
      }
    }
  }

  /// What the pairs' scores that `find` left in its room say.
  private static func edge(_ shape: MemoryShape, _ room: PickRoom) -> PickEdge {
    let (pairs, m) = (shape.candidates * shape.candidates, shape.top)
    var (best, worst, out) = (-Float.infinity, Float.infinity, -Float.infinity)
    var next = 0
    for pair in 0..<pairs {
      let score = room.pairs[pair]
      // Picks are in ascending order.
      if next < m, Int(room.picked[next]) == pair {
        best = max(best, score)
        worst = min(worst, score)
        next += 1
      } else {
        out = max(out, score)
      }
    }
    var edge = PickEdge()
    edge.gap = m < pairs ? worst - out : .nan
    edge.spread = best - worst
    return edge
  }
}
