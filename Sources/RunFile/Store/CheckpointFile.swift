// A checkpoint's file: names and trailer. The trailer's checksum is verified before libhdf5 opens the file, since
// libhdf5 alone would read wrong numbers from most damaged files.
import CHDF5
import Foundation
import Run

enum CheckpointFile {
  static let format = "foretop-checkpoint"
  static let formatVersion: UInt64 = 1

  static let readme = """
    A checkpoint of foretop: weights in /model under their Hugging Face Llama names with “/” for “.”, fp32, [out, in]; \
    the optimizer's moments in /optimizer; in /drawing the weights of the frozen copy that draws inputs, if the recipe has one. \
    After the HDF5 data come 32 bytes: “foretop CRC32C  ”, the data's length (u64), its \
    CRC32C (u32) and the CRC32C of those 28 bytes (u32).
    """

  /// The three blocks of a checkpoint and the groups they are stored in.
  static let blocks = ["/model", "/optimizer/exp_avg", "/optimizer/exp_avg_sq"]
  /// A fourth one, of recipes with `data.drawn.share`.
  static let drawing = "/drawing"

  static func blocks(of recipe: Recipe) -> [String] { blocks + (recipe.data.drawn.isOn ? [drawing] : []) }

  /// A checkpoint's information about its run, from which a lost run.h5 can be made again.
  struct Origin: Sendable {
    /// When the run began, which identifies the run; nil in an old checkpoint without it.
    var created: Double?
    /// Values of the session that wrote the checkpoint; empty or 0 in checkpoints of older foretops.
    var precision = ""
    var corpus = ""
    var trainingTokens = 0
    var heldOutTokens = 0
    /// Unigram entropy of the corpus, in nats.
    var unigramEntropy = 0.0

    init(_ beginning: Beginning, created: Double?) {
      self.created = created
      precision = beginning.precision
      corpus = beginning.corpus
      trainingTokens = beginning.trainingTokens
      heldOutTokens = beginning.heldOutTokens
      unigramEntropy = beginning.unigramEntropy
    }

    /// Reads the origin from a checkpoint; the caller holds the library's lock.
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

  /// The trailer of a checkpoint's file.
  struct Trailer {
    static let size = 32
    private static let magic = Array("foretop CRC32C  ".utf8)

    /// Bytes of HDF5 data before the trailer.
    var length: Int
    var sum: UInt32

    var bytes: [UInt8] {
      var bytes = Self.magic
      withUnsafeBytes(of: UInt64(length).littleEndian) { bytes += $0 }
      withUnsafeBytes(of: sum.littleEndian) { bytes += $0 }
      withUnsafeBytes(of: Checksum(of: bytes).value.littleEndian) { bytes += $0 }
      return bytes
    }

    /// Reads the trailer, and verifies everything before it.
    /// - Throws: `UserError` when any bit has changed.
    init(verifying path: String) throws {
      let file = try FileDescriptor(opening: path, O_RDONLY)
      try file.requireStored()
      let size = try file.size()
      let damaged = UserError(.data, "\(path) is damaged: its checksum is wrong")
      guard size > Self.size else { throw UserError(.data, "\(path) is damaged: it was truncated to \(size) bytes") }
      let bytes = try file.read(at: size - Self.size, count: Self.size)
      let length = bytes[16..<24].reversed().reduce(0) { $0 << 8 | UInt64($1) }
      let sum = bytes[24..<28].reversed().reduce(0) { $0 << 8 | UInt32($1) }
      self.init(length: Int(truncatingIfNeeded: length), sum: sum)
      guard self.length == size - Self.size, bytes == self.bytes else {
        throw UserError(.data, "\(path) is damaged: \(Self.cause(of: file, size: size)); put it back from a copy")
      }
      guard try Self.checksum(of: file, length: self.length) == sum else { throw damaged }
    }

    /// What happened to a file without its trailer. A program that opens one with libhdf5 to write cuts the trailer off: then the file
    /// ends where its superblock, of version 0, says.
    private static func cause(of file: borrowing FileDescriptor, size: Int) -> String {
      let block = (try? file.read(at: 0, count: 48)) ?? []
      let end = block.dropFirst(40).reversed().reduce(0) { $0 << 8 | UInt64($1) }
      guard block.count == 48, block[8] == 0, end == UInt64(size) else {
        return "its end is missing, since it was truncated or changed"
      }
      return "another program, such as h5py, changed it after foretop wrote it, and checkpoints are not to be edited"
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

  /// The small attributes of a checkpoint that retention, resuming and recovery need.
  struct Summary {
    var isBest: Bool
    /// Whether its loss, or a tensor, was far above what it was: the weights are not to be trusted.
    var isSpoilt: Bool
    /// The number of the run's first event after the checkpoint.
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
