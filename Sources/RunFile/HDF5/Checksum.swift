// The two checksums of run files: CRC32C over rows, checkpoints and journal, and the one that HDF5 puts on a superblock.
import CHDF5

/// CRC32C (Castagnoli polynomial), as iSCSI and ext4 use it.
struct Checksum {
  private(set) var value: UInt32 = 0

  init() {}

  init(of bytes: [UInt8]) { add(bytes) }

  mutating func add(_ bytes: UnsafeRawBufferPointer) { value = crc32c(value, bytes.baseAddress, bytes.count) }

  mutating func add(_ bytes: [UInt8]) { bytes.withUnsafeBytes { add($0) } }

  mutating func add(_ number: UInt64) { withUnsafeBytes(of: number.littleEndian) { add($0) } }

  mutating func add(_ number: UInt32) { withUnsafeBytes(of: number.littleEndian) { add($0) } }
}

/// Bob Jenkins's lookup3 (`hashlittle`, start value 0), which HDF5 checks its metadata with.
func lookup3(_ bytes: some Collection<UInt8>) -> UInt32 {
  let bytes = Array(bytes)
  var a = 0xdead_beef &+ UInt32(bytes.count)
  var b = a
  var c = a
  func word(_ start: Int) -> UInt32 {
    var word: UInt32 = 0
    for (place, byte) in bytes.dropFirst(start).prefix(4).enumerated() { word |= UInt32(byte) << UInt32(8 * place) }
    return word
  }
  func rotated(_ x: UInt32, _ bits: UInt32) -> UInt32 { x << bits | x >> (32 - bits) }

  var start = 0
  while bytes.count - start > 12 {
    a &+= word(start)
    b &+= word(start + 4)
    c &+= word(start + 8)
    a &-= c; a ^= rotated(c, 4); c &+= b
    b &-= a; b ^= rotated(a, 6); a &+= c
    c &-= b; c ^= rotated(b, 8); b &+= a
    a &-= c; a ^= rotated(c, 16); c &+= b
    b &-= a; b ^= rotated(a, 19); a &+= c
    c &-= b; c ^= rotated(b, 4); b &+= a
    start += 12
  }
  guard start < bytes.count else { return c }
  a &+= word(start)
  b &+= word(start + 4)
  c &+= word(start + 8)
  c ^= b; c &-= rotated(b, 14)
  a ^= c; a &-= rotated(c, 11)
  b ^= a; b &-= rotated(a, 25)
  c ^= b; c &-= rotated(b, 16)
  a ^= c; a &-= rotated(c, 4)
  b ^= a; b &-= rotated(a, 14)
  c ^= b; c &-= rotated(b, 24)
  return c
}
