// A copy of a table that is made row by row while training goes on. Each row is copied when its turn comes, or before it
// changes (PostponedUpdates), so that all rows of the copy are as they were after the same update. This is for tables whose
// updates are lazy: a step changes few of their rows. Letters: N rows of D_p + D_v elements.

/// A copy of a table with its moments, as they were after some update. A view: valid as long as the memory is.
package struct RowCopy {
  /// The number of updates that the rows of the copy have.
  package let updates: Int
  /// [N, D_p + D_v]: weights.
  private let w: UnsafeMutablePointer<Float>
  /// [N, D_p + D_v] each; nil where the copy leaves moments out.
  private let moments: (first: UnsafeMutablePointer<Float>, second: UnsafeMutablePointer<Float>)?
  /// [N]: 1 for a row that the copy has, otherwise 0.
  private let taken: UnsafeMutablePointer<UInt8>

  package init(
    updates: Int, w: UnsafeMutablePointer<Float>,
    moments: (first: UnsafeMutablePointer<Float>, second: UnsafeMutablePointer<Float>)?,
    taken: UnsafeMutablePointer<UInt8>
  ) {
    self.updates = updates
    self.w = w
    self.moments = moments
    self.taken = taken
  }

  @inline(__always)
  func has(_ row: Int) -> Bool { taken[row] != 0 }

  /// Takes a row, of which no other thread changes anything meanwhile.
  /// - Parameters:
  ///   - w, m, v: the row's weights and moments, after `updates` updates.
  ///   - width: D_p + D_v.
  func take(
    _ row: Int, _ w: UnsafePointer<Float>, _ m: UnsafePointer<Float>, _ v: UnsafePointer<Float>, width: Int
  ) {
    (self.w + row * width).update(from: w, count: width)
    if let moments {
      (moments.first + row * width).update(from: m, count: width)
      (moments.second + row * width).update(from: v, count: width)
    }
    taken[row] = 1
  }
}
