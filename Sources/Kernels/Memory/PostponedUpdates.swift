// Lazy updates of a memory layer's table. In a step, a row without picks has gradient 0, and its update is postponed until
// somebody reads the row. The missed updates are then made one after the other, by the same arithmetic as in dense AdamW
// (AdamWFactors): the row comes to the same bits, but goes through memory once instead of once in each step.
// Letters: N rows of D_p + D_v elements.
import COpenMP

/// A table whose rows may lack updates. A view: valid as long as the memory is.
package struct PostponedUpdates {
  /// The largest number of updates that a row lacks, and the number of updates that `history` holds.
  package static let most = 64

  private let rows, width: Int
  /// [N, D_p + D_v] each: weights and both moments.
  fileprivate let w, m, v: UnsafeMutablePointer<Float>
  /// [N]: how many updates a row has; −1 while a thread brings it up to date.
  private let applied: UnsafeMutablePointer<Int32>
  /// [most]: the u-th update, counted from 0, is at u mod `most`.
  private let history: UnsafePointer<AdamWFactors>
  /// The number of updates so far: a row with as many is up to date.
  fileprivate let count: Int
  /// A copy of the table that is being made; nil without one.
  private let rowCopy: RowCopy?

  /// - Parameter rowCopy: begun after at most `count` updates; it has every row that was changed since then.
  package init(
    _ shape: MemoryShape, w: UnsafeMutablePointer<Float>, m: UnsafeMutablePointer<Float>,
    v: UnsafeMutablePointer<Float>, applied: UnsafeMutablePointer<Int32>, history: UnsafePointer<AdamWFactors>,
    count: Int, rowCopy: RowCopy? = nil
  ) {
    (rows, width) = (shape.rows, shape.rowWidth)
    (self.w, self.m, self.v) = (w, m, v)
    self.applied = applied
    self.history = history
    self.count = count
    self.rowCopy = rowCopy
  }

  /// Makes every row count as up to date.
  package func begin(threads: Int) {
    Team.split(rows, threads: threads) { _, range in
      (applied + range.lowerBound).update(repeating: Int32(truncatingIfNeeded: count), count: range.count)
    }
  }

  /// The largest number of updates that a row lacks now.
  package var mostMissing: Int { (0..<rows).reduce(0) { max($0, count - Int(applied[$1])) } }

  // MARK: Bringing rows up to date

  /// Brings all rows up to date, or the first of every `step` rows. Meanwhile no other thread may look at the table.
  package func bringUpToDate(every step: Int = 1, threads: Int) {
    Team.split((rows + step - 1) / step, threads: threads) { _, range in
      for index in range { bringUpToDate(own: index * step, to: count) }
    }
  }

  /// Brings rows up to date. Several threads may call this at the same time, also for the same rows: one thread makes a row's
  /// updates, and every call returns only when all of its rows are up to date.
  /// - Parameters:
  ///   - picked: [picks] rows in any order, some of them more than once.
  ///   - picks: the number of rows in the list.
  package func bringUpToDate(_ picked: UnsafePointer<Int32>, picks: Int, threads: Int) {
    let all = Int32(truncatingIfNeeded: count)
    Team.split(picks, threads: threads) { _, range in
      for pick in range {
        let row = Int(picked[pick])
        if foretop_counter(applied + row) != all { bringUpToDate(shared: row, to: all) }
      }
    }
  }

  /// Brings a row up to date that other threads may want as well.
  @inline(never)
  private func bringUpToDate(shared row: Int, to all: Int32) {
    let counter = applied + row
    var turns = WaitingTurns()
    while true {
      let before = foretop_counter(counter)
      if before == all { return }
      if before >= 0 && foretop_claim_counter(counter, before) != 0 {
        advance(row, Int(before), to: Int(all))
        foretop_set_counter(counter, all)
        return
      }
      // Another thread makes the updates.
      turns.take()
    }
  }

  /// Makes the updates that a row lacks of the first `last`. Meanwhile no other thread may look at the row.
  /// - Parameter last: at least the number of updates that a copy under way has.
  @inline(__always)
  fileprivate func bringUpToDate(own row: Int, to last: Int) {
    let first = Int(applied[row])
    guard first < last else { return }
    advance(row, first, to: last)
    applied[row] = Int32(truncatingIfNeeded: last)
  }

  /// Makes the updates from `first` up to `last` of a row. A copy that lacks the row takes it on the way.
  private func advance(_ row: Int, _ first: Int, to last: Int) {
    var first = first
    if let rowCopy, !rowCopy.has(row) {
      if first < rowCopy.updates {
        replay(row, first..<rowCopy.updates)
        first = rowCopy.updates
      }
      take(row, into: rowCopy)
    }
    if first < last { replay(row, first..<last) }
  }

  private func take(_ row: Int, into copy: RowCopy) {
    copy.take(row, w + row * width, m + row * width, v + row * width, width: width)
  }

  /// Gives a row that is about to change to the copy, if the copy lacks it. The row has all of the copy's updates. If more
  /// updates are noted for it, these left the table as it was (`begin`).
  @inline(__always)
  fileprivate func copyBeforeChange(_ row: Int) {
    if let rowCopy, !rowCopy.has(row) { take(row, into: rowCopy) }
  }

  /// Gives some rows to the copy, except those that the copy has; does nothing without a copy. Meanwhile no other thread may
  /// look at the table.
  package func copy(_ rows: Range<Int>, threads: Int) {
    guard let rowCopy else { return }
    Team.split(rows.count, threads: threads) { _, range in
      for index in range {
        let row = rows.lowerBound + index
        bringUpToDate(own: row, to: rowCopy.updates)
        copyBeforeChange(row)
      }
    }
  }

  /// Notes that a row has all updates.
  @inline(__always)
  fileprivate func note(row: Int) { applied[row] = Int32(truncatingIfNeeded: count) }

  /// Makes updates of a row with gradient 0. Sixteen elements stay in registers for all of them.
  /// - Parameter updates: at most `most`, of which the last is one of the last `most` of all.
  private func replay(_ row: Int, _ updates: Range<Int>) {
    let (w, m, v) = (w + row * width, m + row * width, v + row * width)
    let zero = Lanes(repeating: 0)
    for (i, lanes) in sixteens(width) {
      var (wi, mi, vi) = (load(w, i, lanes), load(m, i, lanes), load(v, i, lanes))
      // Without a gradient, moments that are 0 stay 0. Unless ε is 0, weights then only decay: what is subtracted is 0.
      let isAtRest = areZero(mi, vi)
      for update in updates {
        let factors = history[update % Self.most]
        if isAtRest && factors.epsilon > 0 {
          wi = wi * factors.keep
        } else {
          factors.update(&wi, &mi, &vi, g: zero)
        }
      }
      store(wi, w, i, lanes)
      store(mi, m, i, lanes)
      store(vi, v, i, lanes)
    }
  }

  /// Whether all bits of both are 0.
  @inline(__always)
  private func areZero(_ x: Lanes, _ y: Lanes) -> Bool {
    let all = unsafeBitCast(x, to: SIMD16<UInt32>.self) | unsafeBitCast(y, to: SIMD16<UInt32>.self)
    let a = all.lowHalf | all.highHalf
    let b = a.lowHalf | a.highHalf
    let c = b.lowHalf | b.highHalf
    return c.x | c.y == 0
  }
}

extension TableGradient {
  /// Updates the rows that have picks, and postpones the update of the others. Each update brings another part of the others up
  /// to date, so that a row lacks at most `PostponedUpdates.most` updates.
  /// - Parameters:
  ///   - postponed: its newest update is this one.
  ///   - adam: that update.
  ///   - room: [threads, D_p + D_v] floats.
  package func update(
    _ postponed: PostponedUpdates, adam: AdamW, room: UnsafeMutablePointer<Float>, threads: Int
  ) {
    let (width, count, part) = (shape.rowWidth, postponed.count, PostponedUpdates.most - 1)
    Team.split(shape.rows, threads: threads) { worker, range in
      let g = room + worker * width
      for row in range {
        if self.count(of: row) > 0 {
          // A forward pass has read the row: usually there is nothing to do.
          postponed.bringUpToDate(own: row, to: count - 1)
          postponed.copyBeforeChange(row)
          sum(row: row, into: g)
          let first = row * width
          adam.update(
            w: postponed.w + first, g: g, m: postponed.m + first, v: postponed.v + first, rounded: nil, count: width,
            threads: 1)
          postponed.note(row: row)
        } else if row & part == count & part {
          postponed.bringUpToDate(own: row, to: count)
        }
      }
    }
  }
}
