// Memory with one owner. What the network needs is planned first, allocated once, and reused every step.
import Glibc
import Kernels

/// A block of zeroed, page-aligned memory, freed when its owner goes.
package struct Storage: ~Copyable {
  package let base: UnsafeMutableRawPointer
  package let bytes: Int

  /// - Parameter isSparse: whether only some pages of it will ever be used: the others then take no memory.
  /// - Throws: `TransformerError.memory` when the machine has not that much.
  package init(bytes: Int, isSparse: Bool = false) throws(TransformerError) {
    let bytes = max(bytes, 4096)
    let memory = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let memory, memory != MAP_FAILED else { throw TransformerError.memory(bytes: bytes) }
    madvise(memory, bytes, isSparse ? Self.smallPages : Self.hugePages)
    base = memory
    self.bytes = bytes
  }

  /// MADV_HUGEPAGE, a macro: a pass over hundreds of megabytes should not wait for page tables.
  private static let hugePages: Int32 = 14
  /// MADV_NOHUGEPAGE.
  private static let smallPages: Int32 = 15

  deinit { munmap(base, bytes) }

  package var floats: UnsafeMutablePointer<Float> { base.assumingMemoryBound(to: Float.self) }
}

/// The elements of as many whole vectors of sixteen as `count` elements take up.
func wholeVectors(_ count: Int) -> Int { (count + 15) / 16 * 16 }

/// A place for floats, and one for elements of the operands' precision, in an arena that is allocated afterwards.
struct FloatPlace: Sendable {
  fileprivate let offset: Int
  fileprivate var isPassing = false
}

struct OperandPlace: Sendable {
  fileprivate let offset: Int
  fileprivate var isPassing = false
}

/// Hands out places in memory that is allocated afterwards.
struct ArenaLayout: Sendable {
  private(set) var bytes = 0
  /// What the places from here on are for, and how many bytes each part has.
  var part = MemoryPart.working
  private(set) var parts: [MemoryPart: Int] = [:]
  /// Bytes that are needed only inside of a pass through blocks, and where they begin.
  private var passingBytes = 0
  private(set) var passingStart = 0

  /// Room for `count` elements of `width` bytes, at a multiple of 64; the offset in bytes.
  mutating func place(_ count: Int, width: Int) -> Int {
    let offset = bytes
    let room = Self.room(count, width)
    bytes += room
    parts[part, default: 0] += room
    return offset
  }

  mutating func floats(_ count: Int) -> FloatPlace { FloatPlace(offset: place(count, width: 4)) }

  mutating func operands(_ count: Int, _ precision: Precision) -> OperandPlace {
    OperandPlace(offset: place(count, width: precision.bytes))
  }

  /// Room that nobody needs before a pass through the blocks or after it, where logits take its place.
  mutating func passing(_ count: Int, _ precision: Precision) -> OperandPlace {
    let offset = passingBytes
    passingBytes += Self.room(count, precision.bytes)
    return OperandPlace(offset: offset, isPassing: true)
  }

  /// Makes the room for all that is passing, and for what takes its place; nothing that is passing is placed afterwards.
  /// - Returns: the offset of both.
  mutating func closePassing(shared bytes: Int) -> Int {
    passingStart = place(passingBytes, width: 1)
    let before = part
    part = .logits
    _ = place(max(0, bytes - passingBytes), width: 1)
    part = before
    return passingStart
  }

  private static func room(_ count: Int, _ width: Int) -> Int { (count * width + 63) / 64 * 64 }
}

/// The memory that an `ArenaLayout` describes. A view: valid as long as the memory is.
struct Arena {
  let base: UnsafeMutableRawPointer
  private let passing: UnsafeMutableRawPointer

  init(_ base: UnsafeMutableRawPointer, _ layout: ArenaLayout) {
    self.init(base, passingStart: layout.passingStart)
  }

  init(_ base: UnsafeMutableRawPointer, passingStart: Int) {
    self.base = base
    passing = base + passingStart
  }

  subscript(place: FloatPlace) -> UnsafeMutablePointer<Float> {
    ((place.isPassing ? passing : base) + place.offset).assumingMemoryBound(to: Float.self)
  }

  subscript(place: OperandPlace) -> UnsafeMutableRawPointer { (place.isPassing ? passing : base) + place.offset }
}

extension FloatPlace {
  /// The same place, where operands are floats.
  var asOperand: OperandPlace { OperandPlace(offset: offset, isPassing: isPassing) }
}

/// An error that prevents a network from running.
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
