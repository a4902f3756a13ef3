// Memory with one owner. What the network needs is planned first, allocated once, and reused every step.
import Glibc

/// A block of zeroed, page-aligned memory, freed when its owner goes.
package struct Storage: ~Copyable {
  package let base: UnsafeMutableRawPointer
  package let bytes: Int

  /// - Throws: `TransformerError.memory` when the machine has not that much.
  package init(bytes: Int) throws {
    let bytes = max(bytes, 4096)
    let memory = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let memory, memory != MAP_FAILED else { throw TransformerError.memory(bytes: bytes) }
    madvise(memory, bytes, Self.hugePages)
    base = memory
    self.bytes = bytes
  }

  /// MADV_HUGEPAGE, a macro: a pass over hundreds of megabytes should not wait for page tables.
  private static let hugePages: Int32 = 14

  deinit { munmap(base, bytes) }

  package var floats: UnsafeMutablePointer<Float> { base.assumingMemoryBound(to: Float.self) }
}

/// The elements of as many whole vectors of sixteen as `count` elements take up.
func wholeVectors(_ count: Int) -> Int { (count + 15) / 16 * 16 }

/// Hands out places in a block that is allocated afterwards.
struct Plan {
  private(set) var bytes = 0
  /// What the places from here on are for, and how many bytes each part has.
  var part = MemoryPart.working
  private(set) var parts: [MemoryPart: Int] = [:]

  /// Room for `count` elements of `width` bytes, at a multiple of 64; the offset in bytes.
  mutating func place(_ count: Int, width: Int) -> Int {
    let offset = bytes
    let room = (count * width + 63) / 64 * 64
    bytes += room
    parts[part, default: 0] += room
    return offset
  }
}

/// What can be wrong with a network before it runs.
package enum TransformerError: Error, CustomStringConvertible {
  /// The shape does not work out; the sentence says which numbers to change.
  case shape(String)
  case memory(bytes: Int)
  /// The kernels' library refused.
  case kernels(String)

  package var description: String {
    switch self {
    case .shape(let sentence): sentence
    case .memory(let bytes):
      "this network needs \((bytes + 999_999) / 1_000_000) MB more than the machine gives: make model.width, model.blocks, "
        + "tokenizer.vocabulary or batch.rows smaller (batch.accumulation makes up for rows)"
    case .kernels(let sentence): sentence
    }
  }
}
