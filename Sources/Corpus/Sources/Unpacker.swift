// Compressed files as the bytes that were compressed, a piece at a time: gzip by zlib, zstd by libzstd. A file may be several
// compressed pieces behind each other, as “cat” makes them.
import CCompression

/// How a file is compressed.
enum Packing: Sendable, CaseIterable {
  case gzip, zstd

  /// The first bytes of a file that is packed so.
  private var beginning: [UInt8] { self == .gzip ? [0x1F, 0x8B, 8] : [0x28, 0xB5, 0x2F, 0xFD] }

  /// - Returns: nil where the first bytes of a file are of neither.
  init?(_ first: some Collection<UInt8>) {
    guard let packing = Self.allCases.first(where: { first.starts(with: $0.beginning) }) else { return nil }
    self = packing
  }

  /// The command that unpacks it.
  var tool: String { self == .gzip ? "gunzip" : "unzstd" }

  func unpacker() -> any Unpacker { self == .gzip ? GzipUnpacker() : ZstdUnpacker() }
}

/// Why packed bytes cannot be unpacked.
struct UnpackingDamage: Error { let reason: String }

/// Unpacks one file.
protocol Unpacker: AnyObject {
  /// Whether the file may end here.
  var isComplete: Bool { get }
  /// Takes packed bytes, and writes unpacked ones.
  /// - Returns: how many bytes were taken, and how many written; both are 0 only where `packed` is empty.
  func unpack(_ packed: UnsafeRawBufferPointer, into room: UnsafeMutableRawBufferPointer) throws(UnpackingDamage)
    -> (taken: Int, written: Int)
}

final class GzipUnpacker: Unpacker {
  // zlib's state points back to it: it stays where it is.
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
      // Another member follows; zeros are what tapes are filled up with.
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
    // Without anything to do it would say that it wants the next piece.
    if input.pos > 0 || output.pos > 0 { isComplete = wanted == 0 }
    return (input.pos, output.pos)
  }
}
