// The safetensors format: eight bytes with the header's length, a header in JSON, then the tensors' numbers one after
// another, little-endian (github.com/huggingface/safetensors).
import Run

package enum SafeTensors {
  /// Writes tensors of a checkpoint, fp32.
  /// - Parameters:
  ///   - tensors: the tensors to write, in the order of the file.
  ///   - notes: the header's metadata.
  ///   - take: receives the file piece by piece, in order.
  package static func write(
    _ tensors: [Checkpoint.Tensor], of checkpoint: Checkpoint, notes: [(String, String)],
    _ take: (UnsafeRawBufferPointer) throws -> Void
  ) rethrows {
    try header(tensors, notes).withUnsafeBytes(take)
    try checkpoint.weights.withUnsafeBytes { bytes in
      for tensor in tensors {
        try take(UnsafeRawBufferPointer(rebasing: bytes[tensor.offset * 4..<(tensor.offset + tensor.count) * 4]))
      }
    }
  }

  /// A tensor's name in the file, with dots between levels.
  package static func name(_ tensor: Checkpoint.Tensor) -> String {
    tensor.path.split(separator: "/").joined(separator: ".")
  }

  private static func header(_ tensors: [Checkpoint.Tensor], _ notes: [(String, String)]) -> [UInt8] {
    var members = [JSON.Member("__metadata__", .object(notes.map { JSON.Member($0.0, .text($0.1)) }))]
    var end = 0
    for tensor in tensors {
      let start = end
      end += tensor.count * 4
      members.append(
        JSON.Member(
          name(tensor),
          .object([
            JSON.Member("dtype", .text("F32")), JSON.Member("shape", .array(tensor.shape.map(JSON.integer))),
            JSON.Member("data_offsets", .array([.integer(start), .integer(end)])),
          ])))
    }
    var text = Array(JSON.object(members).line.utf8)
    // The numbers begin at a multiple of eight, for readers that map the file into memory.
    text += [UInt8](repeating: UInt8(ascii: " "), count: (8 - text.count % 8) % 8)
    return withUnsafeBytes(of: UInt64(text.count).littleEndian) { Array($0) } + text
  }
}
