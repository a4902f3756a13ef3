// SHA-256, which identifies texts, so that a changed file never gets another file's tokens; and a checksum, which finds
// damage. SHA-256 is implemented here because neither Foundation nor a library that is linked anyway has it.

/// A SHA-256 hash (FIPS 180-4), computed piece by piece.
package struct Digest {
  private var state: [UInt32] = [
    0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
  ]
  private var block: [UInt8] = []
  private var length: UInt64 = 0
  private var schedule = [UInt32](repeating: 0, count: 64)

  package init() { block.reserveCapacity(128) }

  /// The 32 bytes of the hash of `bytes`.
  package static func of(_ bytes: [UInt8]) -> [UInt8] {
    var digest = Digest()
    bytes.withUnsafeBytes { digest.add($0) }
    return digest.finished()
  }

  /// Adds bytes and their length, so that ("ab", "c") and ("a", "bc") differ.
  mutating func add(field: [UInt8]) {
    add(number: field.count)
    field.withUnsafeBytes { add($0) }
  }

  mutating func add(field: String) { add(field: Array(field.utf8)) }

  mutating func add(number: Int) {
    withUnsafeBytes(of: UInt64(truncatingIfNeeded: number).littleEndian) { add($0) }
  }

  package mutating func add(_ bytes: UnsafeRawBufferPointer) {
    length += UInt64(bytes.count)
    var index = 0
    if !block.isEmpty {
      index = min(64 - block.count, bytes.count)
      block.append(contentsOf: bytes[..<index])
      guard block.count == 64 else { return }
      let full = block
      full.withUnsafeBytes { compress($0, from: 0) }
      block.removeAll(keepingCapacity: true)
    }
    while index + 64 <= bytes.count {
      compress(bytes, from: index)
      index += 64
    }
    block.append(contentsOf: bytes[index...])
  }

  /// The 32 bytes of the hash of all that was added. Nothing can be added afterwards.
  package consuming func finished() -> [UInt8] {
    let bits = length &* 8
    block.append(0x80)
    while block.count % 64 != 56 { block.append(0) }
    for shift in stride(from: UInt64(56), through: 0, by: -8) { block.append(UInt8(truncatingIfNeeded: bits >> shift)) }
    let padded = block
    padded.withUnsafeBytes { bytes in
      for start in stride(from: 0, to: bytes.count, by: 64) { compress(bytes, from: start) }
    }
    return state.flatMap { word in [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: word >> UInt32($0)) } }
  }

  private mutating func compress(_ bytes: UnsafeRawBufferPointer, from start: Int) {
    Self.constants.withUnsafeBufferPointer { k in
      schedule.withUnsafeMutableBufferPointer { w in
        for i in 0..<16 { w[i] = bytes.loadUnaligned(fromByteOffset: start + 4 * i, as: UInt32.self).bigEndian }
        for i in 16..<64 {
          let s0 = w[i - 15].rotated(7) ^ w[i - 15].rotated(18) ^ w[i - 15] >> 3
          let s1 = w[i - 2].rotated(17) ^ w[i - 2].rotated(19) ^ w[i - 2] >> 10
          w[i] = w[i - 16] &+ s0 &+ w[i - 7] &+ s1
        }
        var (a, b, c, d) = (state[0], state[1], state[2], state[3])
        var (e, f, g, h) = (state[4], state[5], state[6], state[7])
        for i in 0..<64 {
          let s1 = e.rotated(6) ^ e.rotated(11) ^ e.rotated(25)
          let t1 = h &+ s1 &+ (e & f ^ ~e & g) &+ k[i] &+ w[i]
          let s0 = a.rotated(2) ^ a.rotated(13) ^ a.rotated(22)
          let t2 = s0 &+ (a & b ^ a & c ^ b & c)
          (h, g, f, e, d, c, b, a) = (g, f, e, d &+ t1, c, b, a, t1 &+ t2)
        }
        for (i, value) in [a, b, c, d, e, f, g, h].enumerated() { state[i] &+= value }
      }
    }
  }

  /// The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
  private static let constants: [UInt32] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
    0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
    0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
    0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
  ]
}

extension UInt32 {
  fileprivate func rotated(_ bits: UInt32) -> UInt32 { self >> bits | self << (32 - bits) }
}

/// A fast checksum, which any change of one 8-byte word alters: it finds damage, not malice. Every piece but the last
/// must be a whole number of words.
struct CacheChecksum {
  // An odd factor makes each round invertible, so that two contents that differ in one word never end alike.
  private static let factor: UInt64 = 0x9E37_79B9_7F4A_7C15
  private var sum: UInt64
  private var rest: UInt64 = 0

  /// - Parameter count: bytes of all pieces.
  init(of count: Int) { sum = UInt64(count) &* Self.factor }

  mutating func add(_ bytes: UnsafeRawBufferPointer) {
    var (sum, index) = (sum, 0)
    while index + 8 <= bytes.count {
      sum = Self.taking(UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)), sum)
      index += 8
    }
    self.sum = sum
    while index < bytes.count {
      rest = rest << 8 | UInt64(bytes[index])
      index += 1
    }
  }

  var finished: UInt64 { Self.taking(rest, sum) }

  private static func taking(_ word: UInt64, _ sum: UInt64) -> UInt64 {
    let product = (sum ^ word) &* factor
    return product ^ product >> 29
  }
}

/// Bytes as lowercase hexadecimal digits.
func hexadecimal(_ bytes: [UInt8]) -> String {
  let digits = Array("0123456789abcdef")
  return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
}
