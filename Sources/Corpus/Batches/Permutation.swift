// A random permutation in constant memory: the order of the training windows in one pass.

/// A permutation of 0 ..< count, drawn from a seed. Its value at an index is computed in constant memory and in constant
/// time on average: a Feistel network over the next power of four, walked until it lands inside (Black & Rogaway 2002,
/// "Ciphers with arbitrary finite domains", method 2: cycle walking).
package struct Permutation: Sendable {
  /// Number of permuted indices; at least 1.
  package let count: Int
  private let halfBits: UInt64
  private let keys: SIMD8<UInt64>

  /// - Parameters:
  ///   - seed: The run's seed.
  ///   - pass: the number of the pass over the data; every pass has its own order.
  package init(count: Int, seed: UInt64, pass: Int) {
    precondition(count > 0, "a permutation needs at least one index to permute")
    self.count = count
    let bits = UInt64(Int.bitWidth - (count - 1).leadingZeroBitCount)
    halfBits = max(1, (bits + 1) / 2)
    let start = mixed(seed &+ mixed(UInt64(bitPattern: Int64(pass)) &+ 0x6A09_E667_F3BC_C908))
    var keys = SIMD8<UInt64>()
    for round in keys.indices { keys[round] = mixed(start &+ UInt64(round + 1) &* 0x9E37_79B9_7F4A_7C15) }
    self.keys = keys
  }

  /// The index that comes at place `index`, both in 0 ..< count.
  package subscript(index: Int) -> Int {
    precondition(0 <= index && index < count, "place \(index) is not among the \(count) of the permutation")
    var value = UInt64(index)
    repeat { value = enciphered(value) } while value >= UInt64(count)
    return Int(value)
  }

  private func enciphered(_ value: UInt64) -> UInt64 {
    let mask = (1 << halfBits) - 1 as UInt64
    var (left, right) = (value >> halfBits, value & mask)
    for round in keys.indices { (left, right) = (right, left ^ mixed(right ^ keys[round]) & mask) }
    return left << halfBits | right
  }
}

/// The finalizer of SplitMix64 (Steele, Lea & Flood 2014): every bit of the result depends on every bit of `value`.
func mixed(_ value: UInt64) -> UInt64 {
  var z = value
  z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
  z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
  return z ^ z >> 31
}
