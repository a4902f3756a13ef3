// Numbers at an address that stays.

/// Numbers in memory of their own, whose address does not change; freed with this object.
package final class FixedArray<Number: BitwiseCopyable> {
  package let start: UnsafeMutablePointer<Number>
  package let count: Int

  package init(repeating number: Number, count: Int) {
    self.count = count
    start = .allocate(capacity: count)
    start.initialize(repeating: number, count: count)
  }

  deinit { start.deallocate() }

  package subscript(index: Int) -> Number {
    get { start[index] }
    set { start[index] = newValue }
  }
}
