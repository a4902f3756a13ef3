// Writes a checkpoint: libhdf5 lays the file out, the numbers are written without libhdf5, the trailer follows, and
// everything is read back and verified.
import CHDF5
import Foundation
import Run

extension CheckpointFile {
  /// Writes a checkpoint to a new file, and waits until it is on the disk.
  /// - Parameters:
  ///   - sequence: the number of the next event of the run.
  ///   - origin: the run.
  /// - Returns: the file's size in bytes.
  /// - Throws: `UserError` when a weight is not finite, or the disk refuses the file.
  static func write(_ checkpoint: Checkpoint, isBest: Bool, sequence: Int, of origin: Origin, to path: String) throws
    -> Int
  {
    try LowPriorityThread.run { try requireFinite(checkpoint) }
    HDF5.alone { HDF5.start() }
    // Its numbers alone are larger than a file may be: said before anything is written.
    if checkpoint.numberBytes > SizeLimit.largest {
      errno = EFBIG
      throw Failure("write", path).error
    }
    try FileDescriptor.requireRoom(size(of: checkpoint), at: path)
    let places = try layOut(checkpoint, isBest: isBest, sequence: sequence, of: origin, at: path)
    var size = 0
    try LowPriorityThread.run { size = try writeNumbers(of: checkpoint, places, to: path) }
    return size
  }

  /// Writes the tensors' numbers and the trailer without libhdf5, reads everything back, and waits until it is on the
  /// disk.
  /// - Returns: the file's size in bytes.
  private static func writeNumbers(of checkpoint: Checkpoint, _ places: [[Int]], to path: String) throws -> Int {
    let file = try FileDescriptor(opening: path, O_RDWR)
    let length = try file.size()
    var writeback = Writeback()
    try forEachTensor(checkpoint, places) { bytes, place in
      for start in stride(from: 0, to: bytes.count, by: Writeback.window) {
        let piece = UnsafeRawBufferPointer(rebasing: bytes[start..<min(start + Writeback.window, bytes.count)])
        try file.write(piece, at: place + start)
        writeback.wrote(place + start..<place + start + piece.count, to: file)
      }
    }
    let trailer = Trailer(length: length, sum: try Trailer.checksum(of: file, length: length))
    try file.write(trailer.bytes, at: length)
    try forEachTensor(checkpoint, places) { bytes, place in try compare(bytes, with: file, at: place) }
    try file.sync()
    return try file.size()
  }

  /// Creates the file with everything except the tensors' numbers.
  /// - Returns: the file offset of each tensor of each block.
  private static func layOut(
    _ checkpoint: Checkpoint, isBest: Bool, sequence: Int, of origin: Origin, at path: String
  ) throws -> [[Int]] {
    let file = try HDF5.alone { try File(creatingPlain: path) }
    do {
      let descriptor = try HDF5.alone { try file.descriptor() }
      if let refusal = FileDescriptor.reserve(descriptor, to: size(of: checkpoint), path: path, isEstimate: true) {
        throw refusal
      }
      let places = try fill(file, checkpoint, isBest: isBest, sequence: sequence, of: origin)
      HDF5.alone { file.close() }
      return places
    } catch {
      // Closing a file that could not be written may end the process.
      file.abandon()
      throw error
    }
  }

  private static func fill(
    _ file: File, _ checkpoint: Checkpoint, isBest: Bool, sequence: Int, of origin: Origin
  ) throws -> [[Int]] {
    try HDF5.alone { try describe(checkpoint, isBest: isBest, sequence: sequence, of: origin, in: file) }
    // Tensor by tensor: a network has hundreds, and the metrics wait for none but one.
    let places = try blocks(of: checkpoint.recipe).map { block in
      let (numbers, tensors) = content(of: block, in: checkpoint)
      try HDF5.alone { try HDF5Group.set("elements", UInt64(numbers.count), on: block, in: file) }
      return try tensors.map { tensor in
        try HDF5.alone {
          let dataset = try contiguous(block + "/" + tensor.path, h5_f32(), tensor.shape, in: file)
          try HDF5Group.set("offset", UInt64(tensor.offset), on: block + "/" + tensor.path, in: file)
          return Int(H5Dget_offset(dataset.id))
        }
      }
    }
    try HDF5.alone { try file.flush() }
    return places
  }

  /// Writes everything except the tensors.
  private static func describe(
    _ checkpoint: Checkpoint, isBest: Bool, sequence: Int, of origin: Origin, in file: File
  ) throws {
    for (name, text) in [("format", format), ("version", Version.text), ("readme", readme)] {
      try HDF5Group.set(name, text, on: "/", in: file)
    }
    try HDF5Group.set("formatVersion", formatVersion, on: "/", in: file)
    for group in ["/state", "/tokenizer", "/recipe", "/optimizer"] + blocks(of: checkpoint.recipe) {
      try HDF5Group.create(group, in: file)
    }

    let state = checkpoint.state
    let numbers = [
      ("step", state.step), ("tokens", state.tokens), ("window", state.window), ("threads", state.threads),
      ("sequence", sequence), ("isBest", isBest ? 1 : 0), ("isSpoilt", state.guarded?.isSuspect == true ? 1 : 0),
    ]
    for (name, number) in numbers { try HDF5Group.set(name, UInt64(number), on: "/state", in: file) }
    try HDF5Group.set("seed", state.seed, on: "/state", in: file)
    let fractions = [
      ("rateFactor", state.rateFactor), ("active", state.active), ("bestLoss", Double(state.bestLoss)),
    ]
    for (name, number) in fractions { try HDF5Group.set(name, number, on: "/state", in: file) }
    try origin.write(to: file)
    try writeBytes(StoredJSON.encoded(state), to: "/state/json", in: file)
    try HDF5Group.set("kind", checkpoint.tokenizer.kind, on: "/tokenizer", in: file)
    try HDF5Group.set("vocabulary", UInt64(checkpoint.tokenizer.vocabulary), on: "/tokenizer", in: file)
    try writeBytes(checkpoint.tokenizer.model, to: "/tokenizer/model", in: file)
    try writeBytes(Array(checkpoint.recipe.yaml.utf8), to: "/recipe/yaml", in: file)
  }

  private static func writeBytes(_ bytes: [UInt8], to path: String, in file: File) throws {
    let dataset = try contiguous(path, h5_u8(), [bytes.count], in: file)
    guard !bytes.isEmpty else { return }
    let what = "cannot write \(path) in \(file.path)"
    try HDF5.check(H5Dwrite(dataset.id, h5_u8(), h5_all(), h5_all(), h5_default(), bytes), what)
    // libhdf5 gathers a few bytes, and writes them when the dataset is closed, where nobody hears that it failed.
    try HDF5.check(H5Dflush(dataset.id), what)
  }

  /// Creates a contiguous dataset that is allocated at once and not filled.
  private static func contiguous(_ path: String, _ type: hid_t, _ shape: [Int], in file: File) throws -> Handle {
    let what = "cannot create \(path) in \(file.path)"
    let links = try Handle(H5Pcreate(h5_link_creation()), what)
    try HDF5.check(H5Pset_create_intermediate_group(links.id, 1), what)
    let creation = try Handle(H5Pcreate(h5_dataset_creation()), what)
    try HDF5.check(H5Pset_layout(creation.id, H5D_CONTIGUOUS), what)
    try HDF5.check(H5Pset_alloc_time(creation.id, H5D_ALLOC_TIME_EARLY), what)
    try HDF5.check(H5Pset_fill_time(creation.id, H5D_FILL_TIME_NEVER), what)
    // Equal states make equal files.
    try HDF5.check(H5Pset_obj_track_times(creation.id, false), what)
    let space = try Handle(H5Screate_simple(Int32(shape.count), shape.map { hsize_t($0) }, nil), what)
    return try Handle(H5Dcreate2(file.id, path, type, space.id, links.id, creation.id, h5_default()), what)
  }

  /// Calls `body` with each tensor's bytes and place, block by block.
  private static func forEachTensor(
    _ checkpoint: Checkpoint, _ places: [[Int]], _ body: (UnsafeRawBufferPointer, Int) throws -> Void
  ) throws {
    for (block, places) in zip(blocks(of: checkpoint.recipe), places) {
      let (numbers, tensors) = content(of: block, in: checkpoint)
      try numbers.withUnsafeBytes { bytes in
        for (tensor, place) in zip(tensors, places) {
          try body(
            UnsafeRawBufferPointer(rebasing: bytes[tensor.offset * 4..<(tensor.offset + tensor.count) * 4]), place)
        }
      }
    }
  }

  /// The numbers of a block, and its tensors: the moments of some may be left out.
  private static func content(of block: String, in checkpoint: Checkpoint) -> ([Float], [Checkpoint.Tensor]) {
    switch block {
    case blocks[0]: (checkpoint.weights, checkpoint.tensors)
    case blocks[1]: (checkpoint.firstMoments, checkpoint.tensorsWithMoments)
    case drawing: (checkpoint.drawing, checkpoint.tensors)
    default: (checkpoint.secondMoments, checkpoint.tensorsWithMoments)
    }
  }

  private static func compare(
    _ bytes: UnsafeRawBufferPointer, with file: borrowing FileDescriptor, at place: Int
  ) throws {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: min(4 << 20, max(1, bytes.count)), alignment: 4096)
    defer { buffer.deallocate() }
    var offset = 0
    while offset < bytes.count {
      let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(buffer.count, bytes.count - offset)])
      let count = try file.read(into: piece, at: place + offset)
      guard count == piece.count, memcmp(piece.baseAddress!, bytes.baseAddress! + offset, count) == 0 else {
        throw UserError(.inputOutput, "\(file.path) does not hold what was written: the disk may be failing")
      }
      offset += count
    }
  }

  /// The most bytes that a checkpoint's file takes.
  private static func size(of checkpoint: Checkpoint) -> Int {
    checkpoint.numberBytes + checkpoint.tokenizer.model.count
      + Checkpoint.mostOverhead(datasets: checkpoint.tensors.count * blocks(of: checkpoint.recipe).count)
  }

  /// - Throws: `UserError` naming the first tensor with a number that is not finite.
  private static func requireFinite(_ checkpoint: Checkpoint) throws {
    precondition(
      checkpoint.firstMoments.count == checkpoint.secondMoments.count
        && (checkpoint.firstMoments.count == checkpoint.weights.count || checkpoint.recipe.leavesOutMoments),
      "weights and moments are blocks of equal size, unless the recipe leaves out moments")
    precondition(
      checkpoint.drawing.count == (checkpoint.recipe.data.drawn.isOn ? checkpoint.weights.count : 0),
      "a frozen copy has as many weights as the network")
    for (name, block) in zip(
      ["weights", "first moments", "second moments", "frozen weights"],
      [checkpoint.weights, checkpoint.firstMoments, checkpoint.secondMoments, checkpoint.drawing]
    ) where !isFinite(block) {
      let place = block.firstIndex { !$0.isFinite } ?? 0
      let tensor = checkpoint.tensors.last { $0.offset <= place }?.path ?? "an unknown tensor"
      throw UserError(
        .data,
        "the \(name) of \(tensor) are not finite at step \(checkpoint.state.step): they are not saved as a checkpoint; go on from an older one"
      )
    }
  }

  private static func isFinite(_ block: [Float]) -> Bool {
    var bad: UInt32 = 0
    for value in block { bad |= value.bitPattern & 0x7f80_0000 == 0x7f80_0000 ? 1 : 0 }
    return bad == 0
  }
}
