// Where everything that is not parameters lies: computed from the shape alone, before anything is allocated.
import Kernels

/// Where one objective's targets lie, and what comes of them: [M] each, lists [M, capacity]. The last two are empty unless the
/// trained loss can differ from the one that is measured.
struct TargetPlaces: Sendable {
  let tokens, weights, counts, entropy, losses, trained, spread: FloatPlace
  /// [M, 2]; nil for targets without tails.
  let tails: FloatPlace?
}

/// All memory of a shard that is not parameters.
struct ActivationLayout: Sendable {
  /// One a block of the trunk; all the same where nothing is trained.
  let blocks: [BlockPlaces]
  let stream: StreamPlaces
  /// One an MTP head; parallel heads share one, since they live one after the other.
  let furtherHeads: [FurtherHeadPlaces]
  let furtherShared: FurtherSharedPlaces
  /// Nil without JTP.
  let fetch: FetchPlaces?
  let final: FloatPlace  // [M, d] the stream before the final norm
  let finalScale: FloatPlace  // the final norm's statistics
  let hidden: OperandPlace  // E [M, d]
  let dHidden: OperandPlace  // E [M, d]
  /// One an objective.
  let targets: [TargetPlaces]
  let hits: FloatPlace  // [M] bytes of the head that is looked at
  let firstHits: FloatPlace  // [M] bytes of the first head
  let starts: FloatPlace  // [M] integers: where each position's document begins
  /// Logits of a chunk of positions, in bytes from the start.
  let logits: Int
  /// True if this shard keeps its own gradients, which are summed later.
  let hasGradients: Bool
  /// Of the heads' section and of a block's: the same place where heads have no blocks.
  let headGradients, blockGradients: FloatPlace
  let arena: ArenaLayout

  /// - Parameters:
  ///   - room: of the shard.
  ///   - chunk: positions whose logits exist at a time; nil chooses.
  ///   - gradients: elements of the gradients that a shard has of its own; nil leaves them with the parameters.
  ///   - sharers: how many shards there are.
  init(_ room: BranchRoom, chunk: Int?, gradients: (heads: Int, block: Int)?, sharers: Int) {
    let (c, E, M) = (room.configuration, room.precision, room.positions)
    func logitsSize(_ heads: Int) -> Int {
      PredictionHeads.Chunks(
        of: M, chunk: chunk, heads: heads, vocabulary: c.vocabulary, precision: E, sharers: sharers,
        isTrained: room.isTrained
      ).bytes
    }
    var layout = ArenaLayout()
    layout.part = .activations
    let first = BlockPlaces(room, in: &layout)
    func another(_ numbers: Range<Int>) -> BranchRoom {
      var other = room
      other.hasMemory = numbers.contains { c.memory?.isIn(block: $0) == true }
      return other
    }
    blocks = (0..<c.blocks).map { number in
      number > 0 && room.isTrained ? first.another(another(number..<number + 1), in: &layout) : first
    }
    let further = c.streams.count - 1
    let furtherRoom = another(c.blocks..<c.blocks + further)
    let isChain = c.multiToken == .sequential
    var furtherHeads: [FurtherHeadPlaces] = []
    for number in 0..<further {
      furtherHeads.append(
        number > 0 && !isChain ? furtherHeads[0] : FurtherHeadPlaces(furtherRoom, like: first, in: &layout))
    }
    self.furtherHeads = furtherHeads
    layout.part = .working
    stream = StreamPlaces(room, widest: first.slots.map { $0.branch.widest(c) }.max() ?? 0, in: &layout)
    logits = layout.closePassing(shared: max(logitsSize(c.streams[0].count), logitsSize(1)))
    furtherShared = FurtherSharedPlaces(room, in: &layout)
    fetch = c.joint.map { FetchPlaces(room, slots: $0.heads.count, $0.settings, in: &layout) }
    final = layout.floats(M * c.width)
    finalScale = layout.floats(M * Norm.statistics(c))
    hidden = layout.operands(M * c.width, E)
    dHidden = layout.operands(room.isTrained ? M * c.width : 0, E)
    layout.part = .targets
    targets = c.objectives.map { objective in
      let shaped = objective.isShaped && room.isTrained ? M : 0
      return TargetPlaces(
        tokens: layout.floats(M * objective.capacity), weights: layout.floats(M * objective.capacity),
        counts: layout.floats(M), entropy: layout.floats(M), losses: layout.floats(M), trained: layout.floats(shaped),
        spread: layout.floats(shaped), tails: objective.hasTails && room.isTrained ? layout.floats(2 * M) : nil)
    }
    hits = layout.floats((M + 3) / 4)
    firstHits = layout.floats((M + 3) / 4)
    starts = layout.floats(M)
    layout.part = .shares
    hasGradients = gradients != nil
    let block = gradients?.block ?? 0
    // Where heads have blocks, gradients of the heads are still there when those of a block come.
    let areApart = further > 0
    headGradients = layout.floats(max(gradients?.heads ?? 0, areApart ? 0 : block))
    blockGradients = areApart ? layout.floats(block) : headGradients
    arena = layout
  }
}
