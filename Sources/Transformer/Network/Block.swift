// One block: for each of its branches x ← x + branch(norm(x)); there and back. What a branch adds is added by the norm of the
// next one, in one pass over the stream.
// Letters: M positions, d width, E operand precision.
import Kernels

/// Where one branch has the stream, and what its norm makes of it.
struct BranchSlot: Sendable {
  var x: FloatPlace  // [M, d] the stream as it comes in
  let normed: OperandPlace  // E [M, d]
  let scale: FloatPlace  // the norm's statistics
  let branch: any BranchPlaces
}

/// Where a block leaves what its backward needs.
struct BlockPlaces: Sendable {
  var slots: [BranchSlot]

  /// Those of the first block, with all that blocks share.
  init(_ room: BranchRoom, in layout: inout ArenaLayout) {
    slots = branchPlaces(room, in: &layout).map { Self.slot($0, room, in: &layout) }
  }

  private static func slot(
    _ branch: any BranchPlaces, _ room: BranchRoom, in layout: inout ArenaLayout
  ) -> BranchSlot {
    let count = room.positions * room.configuration.width
    return BranchSlot(
      x: layout.floats(count), normed: layout.operands(count, room.precision),
      scale: layout.floats(room.positions * Norm.statistics(room.configuration)), branch: branch)
  }

  /// Those of another block. One that is computed again keeps its input alone; the rest is there once for all of them.
  func another(_ room: BranchRoom, in layout: inout ArenaLayout) -> BlockPlaces {
    var other = self
    if room.configuration.recomputesBlocks, room.isTrained {
      other.slots[0].x = layout.floats(room.positions * room.configuration.width)
    } else {
      other.slots = slots.map { Self.slot($0.branch.another(room, in: &layout), room, in: &layout) }
    }
    return other
  }
}

/// Memory of the stream that all blocks share.
struct StreamPlaces: Sendable {
  let delta: OperandPlace  // E [M, d] what a branch adds to the stream
  let dNormed: OperandPlace  // E [M, d]
  let dx: FloatPlace  // [M, d] gradient at the stream
  let dxOperand: OperandPlace  // E [M, d] the same as an operand; dx itself in fp32
  let dBranch: OperandPlace  // E [M, d] before a branch was dropped from; dxOperand without
  let partial: FloatPlace  // room for a thread's own sums of a parameter's gradient

  /// - Parameter widest: the most elements of a bias or a norm of a branch's own.
  init(_ room: BranchRoom, widest: Int, in layout: inout ArenaLayout) {
    let (c, E) = (room.configuration, room.precision)
    let trained = room.isTrained ? room.positions * c.width : 0
    delta = layout.operands(room.positions * c.width, E)
    dNormed = layout.passing(trained, E)
    dx = layout.floats(trained)
    dxOperand = E == .fp32 ? dx.asOperand : layout.operands(trained, E)
    dBranch = c.dropout > 0 ? layout.operands(trained, E) : dxOperand
    // A norm's weight and bias, or the widest bias.
    partial = layout.floats(room.isTrained ? room.threads * max(2 * c.width, widest) : 0)
  }
}

struct Block {
  /// One branch, and where it has its part of the memory.
  private struct BranchStep {
    let slot: BranchSlot
    let branch: any Branch
  }

  private let site: BranchSite
  private let stream: StreamPlaces
  private let steps: [BranchStep]
  private var width: Int { site.configuration.width }
  private var threads: Int { site.products.threads }

  init(_ site: BranchSite, at places: BlockPlaces, stream: StreamPlaces) throws(ProductError) {
    self.site = site
    self.stream = stream
    steps = try places.slots.map { slot throws(ProductError) in
      BranchStep(slot: slot, branch: try slot.branch.branch(site))
    }
  }

  private var positions: Int { site.rows.count * site.configuration.context }

  private func operand(_ base: UnsafeMutableRawPointer) -> Matrix {
    Matrix(base, rows: positions, columns: width, precision: site.precision)
  }

  private func floats(_ base: UnsafeMutablePointer<Float>) -> Matrix { Matrix(base, rows: positions, columns: width) }

  /// Dropout of what one of the branches adds.
  private func dropout(_ index: Int, _ noise: RandomStream?) -> Dropout? {
    site.dropout(
      place: UInt64(index) + 1,
      firstRow: (site.configuration.firstRow + site.rows.lowerBound) * site.configuration.context,
      noise)
  }

  /// Where the block keeps the stream as it came in.
  var input: FloatPlace { steps[0].slot.x }
  /// Where it leaves the stream, to which what its last branch gave is not added yet.
  var output: FloatPlace { steps[steps.count - 1].slot.x }

  /// Leaves in the stream's `delta` what the last branch adds to `output`.
  /// - Parameters:
  ///   - x: [M, d] the stream, before `delta` is added.
  ///   - adding: whether `delta` holds what the block before adds to the stream.
  ///   - recomputes: whether only what backward needs is wanted: then the last branch is left before its end.
  func forward(_ pass: Pass, x: UnsafeMutablePointer<Float>, adding: Bool, recomputes: Bool = false) {
    let arena = pass.arena
    let delta = operand(arena[stream.delta])
    var x = x
    var adding = adding
    for (index, step) in steps.enumerated() {
      let normed = arena[step.slot.normed]
      step.branch.norm.forward(
        pass.parameters, floats(x), adding: adding ? delta : nil, sum: floats(arena[step.slot.x]), y: operand(normed),
        statistics: arena[step.slot.scale])
      step.branch.keep(pass, x: normed)
      if recomputes && index == steps.count - 1 { return }
      step.branch.finish(pass, into: delta.base)
      dropout(index, pass.noise)?.apply(delta, threads: threads)
      x = arena[step.slot.x]
      adding = true
    }
  }

  /// Turns the gradient at the stream after this block (the stream's `dx` and its operand) into the one before it.
  /// - Parameters:
  ///   - pass: that of forward.
  ///   - accumulates: whether dW is added to what is there.
  ///   - recomputes: whether another block has taken the place of all that this one's forward left but its input.
  func backward(_ pass: Pass, accumulates: Bool, recomputes: Bool) {
    let arena = pass.arena
    if recomputes { forward(pass, x: arena[input], adding: false, recomputes: true) }
    let rounded = site.precision == .bf16 ? operand(arena[stream.dxOperand]) : nil
    let dNormed = arena[stream.dNormed]
    for index in steps.indices.reversed() {
      let step = steps[index]
      step.branch.backward(
        pass, dy: gradient(at: index, pass), x: arena[step.slot.normed], dx: dNormed, accumulates: accumulates)
      step.branch.norm.backward(
        pass.parameters, operand(dNormed), x: floats(arena[step.slot.x]), statistics: arena[step.slot.scale],
        dx: floats(arena[stream.dx]), addsTo: true, operand: rounded, partial: pass.partial)
    }
  }

  /// The gradient at what a branch gave, before elements of it were dropped.
  private func gradient(at index: Int, _ pass: Pass) -> UnsafeMutableRawPointer {
    guard let dropout = dropout(index, pass.noise) else { return pass.arena[stream.dxOperand] }
    let dBranch = pass.arena[stream.dBranch]
    dropout.apply(floats(pass.arena[stream.dx]), into: operand(dBranch), threads: threads)
    return dBranch
  }

  // MARK: Reading

  /// Floats that the branches keep of a text, and the most bytes that one of them works with.
  var cacheSize: Int { steps.reduce(0) { $0 + $1.branch.cacheSize } }
  func roomSize(_ shape: ReadingShape) -> Int { steps.map { $0.branch.roomSize(shape) }.max() ?? 0 }

  /// Takes new tokens of a text through.
  /// - Parameters:
  ///   - x: [rows, d] fp32: the stream, before and after.
  ///   - normed: room for [rows, d] in the reading's precision.
  ///   - statistics: room for a norm's.
  ///   - cache: as many floats as `cacheSize` says.
  func read(
    _ reading: Reading, x: Matrix, normed: Matrix, statistics: UnsafeMutablePointer<Float>,
    cache: UnsafeMutablePointer<Float>
  ) throws(ProductError) {
    var cache = cache
    for step in steps {
      step.branch.norm.with(threads: reading.shape.rowThreads).forward(
        reading.parameters, x, adding: nil, sum: x, y: normed, statistics: statistics)
      try step.branch.read(reading, x: normed, into: x, cache: cache)
      cache += step.branch.cacheSize
    }
  }
}
