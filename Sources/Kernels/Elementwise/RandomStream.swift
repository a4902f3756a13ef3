// Random numbers by counting: number i of a stream is a function of (seed, purpose, i), so that there is no state to save
// and threads may draw in any order.
import Foundation

package struct RandomStream: Sendable {
  private let key: UInt64

  /// - Parameter purpose: what the numbers are for, so that two uses of one seed differ.
  package init(seed: UInt64, purpose: String) {
    // FNV-1a over the purpose, then mixed with the seed.
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in purpose.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    key = Self.mixed(Self.mixed(seed) ^ hash)
  }

  private init(key: UInt64) { self.key = key }

  /// A stream of its own for one of many uses: each step, each place.
  package func branch(_ i: UInt64) -> RandomStream { RandomStream(key: bits(i)) }

  /// SplitMix64's finalizer (Steele, Lea & Flood 2014).
  @inline(__always)
  private static func mixed(_ z: UInt64) -> UInt64 {
    var z = z &+ 0x9E37_79B9_7F4A_7C15
    z = (z ^ (z &>> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z &>> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z &>> 31)
  }

  /// 64 random bits.
  @inline(__always)
  package func bits(_ i: UInt64) -> UInt64 { Self.mixed(key ^ Self.mixed(i)) }

  /// Uniform in (0, 1].
  @inline(__always)
  package func uniform(_ i: UInt64) -> Double { Double((bits(i) &>> 11) + 1) * 0x1p-53 }

  /// Standard normal, by Box and Muller.
  package func normal(_ i: UInt64) -> Double {
    (-2 * log(uniform(2 &* i))).squareRoot() * cos(2 * .pi * uniform(2 &* i &+ 1))
  }
}
