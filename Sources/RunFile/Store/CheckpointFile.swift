// One checkpoint's names and trailer. The trailer is checked before libhdf5 sees the file: libhdf5 alone reads most
// damaged files as wrong numbers.
import CHDF5
import Foundation
import Run

enum CheckpointFile {
  static let format = "foretop-checkpoint"
  static let formatVersion: UInt64 = 1

  static let readme = """
    A checkpoint of foretop: weights in /model under their Hugging Face Llama names with “/” for “.”, fp32, [out, in]; \
    AdamW's moments in /optimizer. After the HDF5 data come 32 bytes: “foretop CRC32C  ”, the data's length (u64), its \
    CRC32C (u32) and the CRC32C of those 28 bytes (u32).
    """

  /// The three blocks of a checkpoint and the groups they are stored in.
  static let blocks = ["/model", "/optimizer/exp_avg", "/optimizer/exp_avg_sq"]

  /// What a checkpoint says of the run that it is of, so that a lost run.h5 can begin anew from it.
  struct Origin: Sendable {
    /// When the run began, which tells it from others; nil in a checkpoint that does not say so.
    var created: Double?
    /// As the session began with them that wrote it; empty and 0 in checkpoints of older foretops.
    var precision = ""
    var corpus = ""
    var trainingTokens = 0
    var heldOutTokens = 0
    /// Of the corpus, nats.
    var unigramEntropy = 0.0

    init(_ beginning: Beginning, created: Double?) {
      self.created = created
      precision = beginning.precision
      corpus = beginning.corpus
      trainingTokens = beginning.trainingTokens
      heldOutTokens = beginning.heldOutTokens
      unigramEntropy = beginning.unigramEntropy
    }

    /// Reads it back; the caller has the library.
    init(of file: File) throws {
      created = try HDF5Group.fraction("created", on: "/state", in: file)
      precision = try HDF5Group.text("precision", on: "/state", in: file) ?? ""
      corpus = try HDF5Group.text("corpus", on: "/state", in: file) ?? ""
      trainingTokens = Int(clamping: try HDF5Group.number("trainingTokens", on: "/state", in: file) ?? 0)
      heldOutTokens = Int(clamping: try HDF5Group.number("heldOutTokens", on: "/state", in: file) ?? 0)
      unigramEntropy = try HDF5Group.fraction("unigramEntropy", on: "/state", in: file) ?? 0
    }

    func write(to file: File) throws {
      for (name, text) in [("precision", precision), ("corpus", corpus)] {
        try HDF5Group.set(name, text, on: "/state", in: file)
      }
      for (name, number) in [("trainingTokens", trainingTokens), ("heldOutTokens", heldOutTokens)] {
        try HDF5Group.set(name, UInt64(number), on: "/state", in: file)
      }
      try HDF5Group.set("unigramEntropy", unigramEntropy, on: "/state", in: file)
      if let created { try HDF5Group.set("created", created, on: "/state", in: file) }
    }
  }

  /// What the trailer says.
  struct Trailer {
    static let size = 32
    private static let magic = Array("foretop CRC32C  ".utf8)

    /// Bytes of HDF5 data before it.
    var length: Int
    var sum: UInt32

    var bytes: [UInt8] {
      var bytes = Self.magic
      withUnsafeBytes(of: UInt64(length).littleEndian) { bytes += $0 }
      withUnsafeBytes(of: sum.littleEndian) { bytes += $0 }
      withUnsafeBytes(of: Checksum(of: bytes).value.littleEndian) { bytes += $0 }
      return bytes
    }

    /// Reads and checks the trailer and everything before it.
    /// - Throws: `UserError` when a single bit is not as it was written.
    init(verifying path: String) throws {
      let file = try FileDescriptor(opening: path, O_RDONLY)
      try file.requireStored()
      let size = try file.size()
      let damaged = UserError(.data, "\(path) is damaged: its checksum does not hold")
      guard size > Self.size else { throw UserError(.data, "\(path) is damaged: it was truncated to \(size) bytes") }
      let bytes = try file.read(at: size - Self.size, count: Self.size)
      let length = bytes[16..<24].reversed().reduce(0) { $0 << 8 | UInt64($1) }
      let sum = bytes[24..<28].reversed().reduce(0) { $0 << 8 | UInt32($1) }
      self.init(length: Int(truncatingIfNeeded: length), sum: sum)
      guard self.length == size - Self.size, bytes == self.bytes else {
        throw UserError(
          .data,
          "\(path) is damaged: its end is missing, since it was truncated or changed: put it back from a copy"
        )
      }
      guard try Self.checksum(of: file, length: self.length) == sum else { throw damaged }
    }

    init(length: Int, sum: UInt32) {
      self.length = length
      self.sum = sum
    }

    /// The checksum of a file's first bytes.
    static func checksum(of file: borrowing FileDescriptor, length: Int) throws -> UInt32 {
      var sum = Checksum()
      let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 4 << 20, alignment: 4096)
      defer { buffer.deallocate() }
      var offset = 0
      while offset < length {
        let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(buffer.count, length - offset)])
        guard try file.read(into: piece, at: offset) == piece.count else {
          throw UserError(.inputOutput, "\(file.path) became shorter while it was read")
        }
        sum.add(UnsafeRawBufferPointer(piece))
        offset += piece.count
      }
      return sum.value
    }
  }

  /// The small facts in a checkpoint that retention, resuming and recovery need.
  struct Summary {
    var isBest: Bool
    /// Whether its loss, or a tensor, was far above what it was: the weights are not to be trusted.
    var isSpoilt: Bool
    /// The number of the first event of the run that came after it.
    var sequence: Int
    var origin: Origin
  }

  static func summary(_ path: String) throws -> Summary {
    // Another process may take a second for that; the metrics do not wait for it.
    try Sandbox.require(.hdf5(path))
    return try HDF5.alone { try readSummary(path) }
  }

  private static func readSummary(_ path: String) throws -> Summary {
    let file = try File(opening: path, .still)
    try check(file)
    try HDF5Group.requireHardLinks(to: "/state", in: file)
    let isBest = try HDF5Group.number("isBest", on: "/state", in: file) ?? 0
    let sequence = try HDF5Group.number("sequence", on: "/state", in: file) ?? 0
    let isSpoilt = try HDF5Group.number("isSpoilt", on: "/state", in: file) ?? 0
    return Summary(
      isBest: isBest == 1, isSpoilt: isSpoilt == 1, sequence: Int(truncatingIfNeeded: sequence),
      origin: try Origin(of: file))
  }

  /// - Throws: `UserError` if the file is not a checkpoint of a format version that this foretop reads.
  static func check(_ file: File) throws {
    guard try HDF5Group.text("format", on: "/", in: file) == format else {
      throw UserError(.data, "\(file.path) is not a checkpoint of foretop: its attribute “format” is not “\(format)”")
    }
    let version = try HDF5Group.number("formatVersion", on: "/", in: file) ?? 0
    guard version == formatVersion else {
      throw UserError(
        .data, "\(file.path) has format version \(version), but this foretop reads \(formatVersion)")
    }
  }
}
