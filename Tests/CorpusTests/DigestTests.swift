// Fingerprints against known values.
import Testing

@testable import Corpus

struct DigestTests {
  @Test(arguments: [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
    (
      String(repeating: "a", count: 1_000_000), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
    ),
  ])
  func `the hash is SHA-256`(text: String, hash: String) {
    #expect(hexadecimal(Digest.of(Array(text.utf8))) == hash)
  }

  @Test func `text in parts has the hash of the whole`() {
    let text = Array(SampleText.verses(20).utf8)
    for length in [1, 7, 63, 64, 65, 200] {
      var digest = Digest()
      for start in stride(from: 0, to: text.count, by: length) {
        Array(text[start..<min(start + length, text.count)]).withUnsafeBytes { digest.add($0) }
      }
      #expect(digest.finished() == Digest.of(text))
    }
  }

  @Test func `a checksum finds every changed bit`() {
    var bytes = Array("In the beginning God created".utf8)
    func checksum(in pieces: [Range<Int>]) -> UInt64 {
      var sum = CacheChecksum(of: bytes.count)
      for piece in pieces { bytes[piece].withUnsafeBytes { sum.add($0) } }
      return sum.finished
    }
    let whole = 0..<bytes.count
    let sum = checksum(in: [whole])
    #expect(checksum(in: [0..<8, 8..<24, 24..<bytes.count]) == sum)
    for index in bytes.indices {
      for bit in 0..<8 {
        bytes[index] ^= 1 << UInt8(bit)
        #expect(checksum(in: [whole]) != sum)
        bytes[index] ^= 1 << UInt8(bit)
      }
    }
  }
}
