// Decompression, piece by piece: gzip by zlib, zstd by libzstd. A file may consist of several compressed members, as “cat”
// makes them.
import CCompression

/// A compression format.
enum Packing: Sendable, CaseIterable {
  case gzip, zstd

  /// The first bytes of a file in this format.
  private var beginning: [UInt8] { self == .gzip ? [0x1F, 0x8B, 8] : [0x28, 0xB5, 0x2F, 0xFD] }

  /// The format of a file with these first bytes; nil if it is neither.
  init?(_ first: some Collection<UInt8>) {
    guard let packing = Self.allCases.first(where: { first.starts(with: $0.beginning) }) else { return nil }
    self = packing
  }

  /// The command that decompresses such a file.
  var tool: String { self == .gzip ? "gunzip" : "unzstd" }

  func unpacker() -> any Unpacker { self == .gzip ? GzipUnpacker() : ZstdUnpacker() }
}

/// The reason why bytes cannot be decompressed.
struct UnpackingDamage: Error { let reason: String }

/// Decompresses one file.
protocol Unpacker: AnyObject {
  /// True if the file may end here.
  var isComplete: Bool { get }
  /// Decompresses bytes.
  /// - Returns: the number of bytes read, and of bytes written; both are 0 only if `packed` is empty.
  func unpack(_ packed: UnsafeRawBufferPointer, into room: UnsafeMutableRawBufferPointer) throws(UnpackingDamage)
    -> (taken: Int, written: Int)
}

final class GzipUnpacker: Unpacker {
  // zlib's state has a pointer to the stream, which must not move.
  private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
  private(set) var isComplete = false

  init() {
    stream.initialize(to: z_stream())
    gzip_begin(stream)
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
  }

  func unpack(
    _ packed: UnsafeRawBufferPointer, into room: UnsafeMutableRawBufferPointer
  ) throws(UnpackingDamage) -> (taken: Int, written: Int) {
    if packed.isEmpty && isComplete { return (0, 0) }
    if isComplete {
      // Another member follows. Zeros are the padding of tapes.
      guard let start = packed.firstIndex(where: { $0 != 0 }) else { return (packed.count, 0) }
      if start > 0 { return (start, 0) }
      inflateReset(stream)
      isComplete = false
    }
    let bytes = packed.bindMemory(to: UInt8.self)
    stream.pointee.next_in = UnsafeMutablePointer(mutating: bytes.baseAddress)
    stream.pointee.avail_in = UInt32(bytes.count)
    stream.pointee.next_out = room.bindMemory(to: UInt8.self).baseAddress
    stream.pointee.avail_out = UInt32(room.count)
    let status = inflate(stream, Z_NO_FLUSH)
    isComplete = status == Z_STREAM_END
    guard isComplete || status == Z_OK || status == Z_BUF_ERROR else {
      let reason = stream.pointee.msg.map { String(cString: $0) } ?? "status \(status)"
      throw UnpackingDamage(reason: "gzip's data are wrong (\(reason))")
    }
    return (bytes.count - Int(stream.pointee.avail_in), room.count - Int(stream.pointee.avail_out))
  }
}

final class ZstdUnpacker: Unpacker {
  private let stream = ZSTD_createDStream()
  private(set) var isComplete = false

  deinit { ZSTD_freeDStream(stream) }

  func unpack(
    _ packed: UnsafeRawBufferPointer, into room: UnsafeMutableRawBufferPointer
  ) throws(UnpackingDamage) -> (taken: Int, written: Int) {
    var input = ZSTD_inBuffer(src: packed.baseAddress, size: packed.count, pos: 0)
    var output = ZSTD_outBuffer(dst: room.baseAddress, size: room.count, pos: 0)
    let wanted = ZSTD_decompressStream(stream, &output, &input)
    guard ZSTD_isError(wanted) == 0 else {
      throw UnpackingDamage(reason: "zstd's data are wrong (\(String(cString: ZSTD_getErrorName(wanted))))")
    }
    // After a call without progress, libzstd's result does not say whether a frame has ended.
    if input.pos > 0 || output.pos > 0 { isComplete = wanted == 0 }
    return (input.pos, output.pos)
  }
}
