// Where every tensor lies in a block of parameters, from the list of descriptions alone.
import Run

/// A tensor, and where it lies.
package struct PlacedTensor: Sendable, Equatable {
  package let description: TensorDescription
  /// Elements from the start of the block.
  package let offset: Int
  /// The same in the block of second moments, which has gaps of its own; nil where the optimizer needs none.
  package let secondMoment: Int?

  package var path: String { description.path }
  package var shape: [Int] { description.shape }
  package var count: Int { description.count }
  package var start: InitialValues { description.start }
  package var isMatrix: Bool { description.isMatrix }
  /// True if the tensor belongs to an MTP head.
  package var isOfFurtherHead: Bool { if case .furtherHead = description.section { true } else { false } }
  /// True if training stores the tensor's gradient: untrained tensors have none, and those of memory layers' tables are sparse.
  package var hasStoredGradient: Bool { description.isTrained && description.role != .memoryTable }
}

/// Where a weight and, in networks that have them, its bias lie, in elements from the start of the parameters.
struct Affine: Sendable {
  var weight: Int
  var bias: Int?
}

/// Tensors whose gradients come about together, one behind the other.
struct GradientSection: Sendable {
  let range: Range<Int>
  /// Ranges that no matrix product overwrites (norms, biases, padding): zeroed first where gradients are written.
  let added: [Range<Int>]
}

/// The layout of a block of parameters.
package struct ParameterLayout: Sendable {
  package let tensors: [PlacedTensor]
  /// Elements of a block, gaps for alignment included.
  package let count: Int
  /// Those whose gradients are stored: all but the tables of memory layers, which come last.
  package let stored: Int
  /// Nil where there are no memory layers.
  let memory: MemoryLayers?
  /// Elements of the block of second moments: as many, or without the matrices that Muon updates.
  package let secondMoments: Int
  /// What a block's backward gives gradients of: of the trunk's blocks, and of the heads beyond the first.
  let blockSections: [GradientSection]
  let furtherSections: [GradientSection]
  /// The final norm and the unembeddings.
  let headSection: GradientSection
  let embedding: Int
  /// [T, d], where positions are learned.
  let positions: Int?
  let finalNorm: Affine
  /// The unembeddings of all heads on the trunk, one below the other.
  let unembedding: Int
  /// Fetch's queries, keys and values below each other, and its output; nil without JTP.
  let fetch: (input: Affine, output: Affine)?
  private let offsets: [String: Int]
  private let layers: String

  /// - Parameter optimizer: what updates the parameters. Muon keeps one moment of the blocks' matrices, AdamW two.
  package init(_ shape: NetworkShape, optimizer: OptimizerKind = .adamw) {
    var tensors: [PlacedTensor] = []
    var count = 0
    var secondMoments = 0
    for description in shape.tensors {
      // Only parts of one matrix have no gap between them.
      if !description.isJoined {
        count = wholeVectors(count)
        secondMoments = wholeVectors(secondMoments)
      }
      let hasOne = optimizer == .muon && description.isHidden
      tensors.append(
        PlacedTensor(description: description, offset: count, secondMoment: hasOne ? nil : secondMoments))
      count += description.count
      if !hasOne { secondMoments += description.count }
    }
    count = wholeVectors(count)
    self.secondMoments = wholeVectors(secondMoments)
    self.tensors = tensors
    self.count = count
    stored = tensors.first { $0.description.section == .memory }?.offset ?? count
    memory = MemoryLayers(shape, tensors)
    let offsets = Dictionary(tensors.map { ($0.path, $0.offset) }, uniquingKeysWith: { first, _ in first })
    self.offsets = offsets
    let names = shape.kind.style.names
    layers = names.layers
    embedding = Self.weight(names.embedding, offsets)
    positions = shape.kind.style.learnsPositions ? Self.weight(names.positions, offsets) : nil
    finalNorm = Self.affine(names.finalNorm, offsets)
    unembedding = shape.isTied ? embedding : Self.weight(shape.unembeddings[0], offsets)
    fetch =
      shape.hasFetch
      ? (Self.affine(NetworkShape.fetchIn[0], offsets), Self.affine(NetworkShape.fetchOut, offsets)) : nil
    func section(_ which: TensorGroup) -> GradientSection {
      let first = tensors.firstIndex { $0.description.section == which } ?? tensors.endIndex
      let last = tensors[first...].firstIndex { $0.description.section != which } ?? tensors.endIndex
      let start = first < tensors.endIndex ? tensors[first].offset : count
      let bound = last < tensors.endIndex ? tensors[last].offset : count
      var added: [Range<Int>] = []
      var end = start
      for matrix in tensors[first..<last] where matrix.isMatrix {
        if matrix.offset > end { added.append(end..<matrix.offset) }
        end = matrix.offset + matrix.count
      }
      if bound > end { added.append(end..<bound) }
      return GradientSection(range: start..<bound, added: added)
    }
    blockSections = (0..<shape.blocks).map { section(.block($0)) }
    furtherSections = (0..<shape.furtherHeads).map { section(.furtherHead($0)) }
    headSection = section(.heads)
  }

  /// Number of trained parameters, gaps not counted.
  package var parameters: Int { tensors.reduce(0) { $0 + ($1.description.isTrained ? $1.count : 0) } }

  /// Those that a token meets: of the tables of memory layers, the rows that are read for it.
  package var activeParameters: Int {
    guard let memory else { return parameters }
    let shape = memory.shape
    return parameters - memory.layers.count * (shape.rows - min(shape.rows, shape.picks)) * shape.rowWidth
  }

  /// Bytes of tables that a token reads on its way through all memory layers; backward reads as many.
  package var tableBytesPerToken: Int {
    memory.map { 4 * $0.layers.count * $0.shape.picks * $0.shape.rowWidth } ?? 0
  }

  /// Ranges of elements whose gradients come about together; tables are in none of them.
  package var gradientSections: [Range<Int>] {
    (blockSections + furtherSections + [headSection]).map(\.range).filter { !$0.isEmpty }
  }

  /// Elements of the heads' section, and of the largest of a block.
  var largestSections: (heads: Int, block: Int) {
    (headSection.range.count, (blockSections + furtherSections).map(\.range.count).max() ?? 0)
  }

  // MARK: Where to find a tensor

  private static func weight(_ name: String, _ offsets: [String: Int]) -> Int {
    guard let offset = offsets["\(name)/weight"] else { preconditionFailure("this network has no \(name)") }
    return offset
  }

  private static func affine(_ name: String, _ offsets: [String: Int]) -> Affine {
    Affine(weight: weight(name, offsets), bias: offsets["\(name)/bias"])
  }

  /// A weight by its name, without `/weight`, and its bias where there is one.
  func affine(_ name: String) -> Affine { Self.affine(name, offsets) }

  /// What a block's tensors lie below.
  func layer(ofBlock number: Int) -> String { "\(layers)/\(number)" }
  func layer(ofFurtherHead number: Int) -> String { NetworkShape.furtherHead(number) }
}
