// Reads a checkpoint. The file may be damaged or malicious: names, shapes and sizes are checked against the recipe and
// the file before memory is allocated.
import CHDF5
import Foundation
import Run

extension CheckpointFile {
  /// Reads a checkpoint, after verifying its checksum.
  /// - Returns: the checkpoint, and when its run began; nil if the file does not say so.
  /// - Throws: `UserError` when the file is damaged or not a checkpoint of foretop.
  static func readNamed(_ path: String) throws -> (checkpoint: Checkpoint, created: Double?) {
    _ = try Trailer(verifying: path)
    // Another process may take a second for that; a live run's metrics do not wait for it.
    try Sandbox.require(.hdf5(path))
    let contents = try HDF5.alone { try CheckpointContents(of: File(opening: path, .still)) }
    let descriptor = try FileDescriptor(opening: path, O_RDONLY)
    let read = try zip(
      contents.places, [contents.elements, contents.moments, contents.moments, contents.elements]
    ).map { places, count in
      var block = [Float](repeating: 0, count: count)
      try block.withUnsafeMutableBytes { bytes in
        for (tensor, place) in places {
          let part = bytes[tensor.offset * 4..<(tensor.offset + tensor.count) * 4]
          guard try descriptor.read(into: UnsafeMutableRawBufferPointer(rebasing: part), at: place) == part.count else {
            throw UserError(.data, "\(path) ends inside \(tensor.path)")
          }
        }
      }
      return block
    }
    let checkpoint = Checkpoint(
      state: contents.state, recipe: contents.recipe, tokenizer: contents.tokenizer,
      tensors: contents.places[0].map(\.tensor), weights: read[0], firstMoments: read[1], secondMoments: read[2],
      drawing: read.count > 3 ? read[3] : [])
    return (checkpoint, contents.created)
  }

  /// Reads the numbers of tensors from a file that was verified.
  /// - Returns: the tensors, with offsets into the numbers beside them.
  static func weights(
    _ places: [Place], in descriptor: borrowing FileDescriptor, step: Int
  ) throws -> StoredWeights {
    var numbers = [Float](repeating: 0, count: places.reduce(0) { $0 + $1.tensor.count })
    var tensors: [Checkpoint.Tensor] = []
    try numbers.withUnsafeMutableBytes { bytes in
      var end = 0
      for (tensor, place) in places {
        let part = bytes[end * 4..<(end + tensor.count) * 4]
        guard try descriptor.read(into: UnsafeMutableRawBufferPointer(rebasing: part), at: place) == part.count else {
          throw UserError(.data, "\(descriptor.path) ends inside \(tensor.path)")
        }
        tensors.append(Checkpoint.Tensor(path: tensor.path, shape: tensor.shape, offset: end))
        end += tensor.count
      }
    }
    return StoredWeights(step: step, tensors: tensors, numbers: numbers)
  }

  /// A tensor and the place of its numbers in the file.
  typealias Place = (tensor: Checkpoint.Tensor, offset: Int)

  /// A checkpoint without its tensors' numbers.
  struct CheckpointContents {
    let state: TrainerState
    let recipe: Recipe
    let tokenizer: TokenizerRecord
    let created: Double?
    /// Numbers in the block of weights, and in either block of moments.
    let elements: Int
    let moments: Int
    /// The tensors of each block, in order of their place in the block.
    let places: [[Place]]

    /// - Throws: `UserError` when names, shapes or sizes differ from those of the recipe's model, or the file cannot
    ///   hold so much.
    init(of file: File) throws {
      try CheckpointFile.check(file)
      let path = file.path
      state = try StoredJSON.decoded(
        TrainerState.self, bytes("/state/json", in: file, most: 1 << 20), "/state/json in \(path)")
      let yaml = String(decoding: try bytes("/recipe/yaml", in: file, most: 1 << 20), as: UTF8.self)
      let recipe = try Recipe(yaml: yaml, source: "/recipe/yaml in \(path)")
      try recipe.validate(source: "/recipe/yaml in \(path)")
      let tokenizer = TokenizerRecord(
        kind: try HDF5Group.text("kind", on: "/tokenizer", in: file) ?? "",
        model: try bytes("/tokenizer/model", in: file, most: 1 << 28),
        vocabulary: Int(truncatingIfNeeded: try HDF5Group.number("vocabulary", on: "/tokenizer", in: file) ?? 0))
      guard (1...1 << 24).contains(tokenizer.vocabulary) else {
        throw UserError(.data, "\(path): a vocabulary cannot have \(tokenizer.vocabulary) tokens")
      }
      guard state.isPossible else {
        throw UserError(.data, "\(path): /state/json has a number that training never writes")
      }

      created = try Origin(of: file).created

      let length = Int(file.end) - Trailer.size
      let described = recipe.shape(vocabulary: tokenizer.vocabulary).tensors
      let left = Set(recipe.leavesOutMoments ? described.filter { $0.section == .memory }.map(\.path) : [])
      let shapes = Dictionary(described.map { ($0.path, $0.shape) }, uniquingKeysWith: { first, _ in first })
      let places = try blocks(of: recipe).map { block in
        try placedTensors(
          in: block, of: file,
          block == blocks[0] || block == drawing ? shapes : shapes.filter { !left.contains($0.key) },
          fileLength: length)
      }
      let elements = Int(truncatingIfNeeded: try HDF5Group.number("elements", on: "/model", in: file) ?? 0)
      let withMoments = places[0].map(\.tensor).filter { !left.contains($0.path) }
      let moments = left.isEmpty ? elements : withMoments.last.map { $0.offset + $0.count } ?? 0
      guard elements > 0, elements <= length / 4, (0...elements).contains(moments),
        (places.count - 2) * elements + 2 * moments <= length / 4
      else {
        throw UserError(.data, "\(path) claims \(elements) weights, which its \(length) bytes cannot hold")
      }
      let tensors = places[0].map(\.tensor)
      guard places[1].map(\.tensor) == withMoments, places[2].map(\.tensor) == withMoments else {
        throw UserError(.data, "\(path): the optimizer's tensors are not those of the model")
      }
      guard places.count == 3 || places[3].map(\.tensor) == tensors else {
        throw UserError(.data, "\(path): the frozen copy's tensors are not those of the model")
      }
      var end = 0
      for tensor in tensors {
        guard tensor.offset >= end, tensor.offset <= elements - tensor.count else {
          throw UserError(.data, "\(path): \(tensor.path) overlaps another tensor, or lies outside the weights")
        }
        end = tensor.offset + tensor.count
      }
      var last = 0
      for place in places.joined().sorted(by: { $0.offset < $1.offset }) {
        guard place.offset >= last else {
          throw UserError(.data, "\(path): \(place.tensor.path) shares bytes with another tensor")
        }
        last = place.offset + place.tensor.count * 4
      }
      self.recipe = recipe
      self.tokenizer = tokenizer
      self.elements = elements
      self.moments = moments
      self.places = places
    }
  }

  /// All tensors below a group, in order of their place in the block.
  private static func placedTensors(
    in block: String, of file: File, _ shapes: [String: [Int]], fileLength: Int
  ) throws -> [Place] {
    var missing = shapes
    var found: [Place] = []
    var groups = [""]
    while let group = groups.popLast() {
      // Deeper than that lies no tensor.
      guard group.split(separator: "/").count <= 8 else { continue }
      try HDF5Group.requireHardLinks(to: block + group, in: file)
      let names = try HDF5Group.names(in: block + group, of: file)
      for name in names {
        let path = block + group + "/" + name
        let short = String((group + "/" + name).dropFirst())
        let shape = missing.removeValue(forKey: short)
        // What somebody else has put there is neither a group nor a tensor, and stays.
        if shape == nil, h5_link_type(file.id, path) != 0 { continue }
        try HDF5Group.requireHardLinks(to: path, in: file)
        if h5_object_type(file.id, path) == Int32(H5I_GROUP.rawValue) {
          groups.append(group + "/" + name)
          continue
        }
        guard let shape else {
          guard isTensor(path, in: file) else { continue }
          throw UserError(.data, "\(path) in \(file.path) is not a tensor of the recipe's model")
        }
        found.append(try place(short, path, shape, in: file, fileLength))
      }
    }
    if let name = missing.keys.min() {
      throw UserError(.data, "\(block)/\(name) is missing in \(file.path), and the recipe's model has it")
    }
    return found.sorted { $0.tensor.offset < $1.tensor.offset }
  }

  /// True if an object is a dataset of the type of tensors.
  private static func isTensor(_ path: String, in file: File) -> Bool {
    guard let dataset = try? Handle(H5Dopen2(file.id, path, h5_default()), path),
      let type = try? Handle(H5Dget_type(dataset.id), path)
    else { return false }
    return H5Tequal(type.id, h5_f32()) > 0
  }

  private static func place(
    _ name: String, _ path: String, _ shape: [Int], in file: File, _ fileLength: Int
  ) throws -> Place {
    let what = "cannot examine \(path) in \(file.path)"
    let dataset = try Handle(H5Dopen2(file.id, path, h5_default()), what)
    try Dataset.requirePlain(dataset.id, path, file)
    let type = try Handle(H5Dget_type(dataset.id), what)
    guard H5Tequal(type.id, h5_f32()) > 0 else {
      throw UserError(.data, "\(path) in \(file.path) does not hold 32-bit floating-point numbers")
    }
    let space = try Handle(H5Dget_space(dataset.id), what)
    let rank = H5Sget_simple_extent_ndims(space.id)
    var extent = [hsize_t](repeating: 0, count: 4)
    guard (1...4).contains(rank), H5Sget_simple_extent_dims(space.id, &extent, nil) == rank else {
      throw UserError(.data, "\(path) in \(file.path) has \(rank) dimensions")
    }
    let stored = extent.prefix(Int(rank)).map { Int(clamping: $0) }
    guard stored == shape else {
      throw UserError(.data, "\(path) in \(file.path) has the shape \(stored), but the recipe's model needs \(shape)")
    }
    let offset = H5Dget_offset(dataset.id)
    let size = shape.reduce(4, *)
    guard offset != h5_undefined_address(), offset <= UInt64(max(0, fileLength - size)) else {
      throw UserError(.data, "\(path) in \(file.path) does not lie inside the file")
    }
    let element = try HDF5Group.number("offset", on: path, in: file) ?? 0
    let tensor = Checkpoint.Tensor(path: name, shape: shape, offset: Int(clamping: element))
    return (tensor, Int(offset))
  }

  /// Reads a dataset of bytes.
  private static func bytes(_ path: String, in file: File, most: Int) throws -> [UInt8] {
    let dataset = try Dataset(opening: path, in: file)
    let count = try dataset.count()
    guard count <= most else {
      throw UserError(.data, "\(path) in \(file.path) has \(count) bytes, and may have at most \(most)")
    }
    var bytes = [UInt8](repeating: 0, count: count)
    try dataset.read(into: &bytes, of: h5_u8(), at: 0, count: count)
    return bytes
  }
}

extension TrainerState {
  /// True if training can have produced these numbers. Computations with them must not overflow.
  fileprivate var isPossible: Bool {
    [step, tokens, window].allSatisfy { (0..<1 << 53).contains($0) } && (1...1 << 16).contains(threads)
      && (0...1e30).contains(rateFactor) && (0...1e12).contains(active) && bestLoss >= 0
      && (guarded?.isPossible ?? true) && (stop?.isPossible ?? true)
  }
}
