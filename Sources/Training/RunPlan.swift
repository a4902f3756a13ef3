// The memory that a run will need, and whether this machine has so much. DiskPlan is the same for the disk.
import Kernels
import Run
import Transformer

/// The network, memory and batch of a recipe, computed without allocating them.
package struct RunPlan: Sendable {
  package let recipe: Recipe
  package let network: NetworkPlan

  /// Processes that train together; this is the plan of one of them.
  package let ranks: Int

  /// - Parameters:
  ///   - vocabulary: tokens of the tokenizer.
  ///   - ranks: processes that train together, each with its rows.
  /// - Throws: `UserError` when the recipe does not describe a network, needs a precision that the CPU lacks, or cannot be trained
  ///   by so many ranks.
  package init(_ recipe: Recipe, vocabulary: Int, threads: Int, ranks: Int = 1) throws {
    self.recipe = recipe
    self.ranks = ranks
    try recipe.require(ranks: ranks)
    do {
      network = try NetworkPlan(
        recipe.configuration(vocabulary: vocabulary), rows: recipe.batch.rows / ranks,
        precision: try recipe.operandPrecision(), threads: threads, optimizer: recipe.optimizer.kind,
        microBatches: recipe.batch.accumulation, momentShares: recipe.momentShares(ranks: ranks), ranks: ranks)
    } catch let error as TransformerError {
      throw UserError(error)
    }
  }

  /// One part of the memory that a run needs.
  package struct MemoryShare: Sendable, Equatable {
    /// One word for `--json`.
    package var name: String
    /// A description for a person.
    package var about: String
    package var bytes: Int
  }

  /// The parts of the memory that the run needs, the largest first.
  package var memory: [MemoryShare] {
    let parts = network.memory.map { MemoryShare(name: $0.part.rawValue, about: $0.part.about, bytes: $0.bytes) }
    let muon = muon.map {
      MemoryShare(name: "muon", about: "directions while Muon makes them orthogonal", bytes: $0.bytes)
    }
    let measuring = diagnostics.reduce(0) { $0 + $1.bytes }
    let diagnostics =
      measuring > 0
      ? [MemoryShare(name: "diagnostics", about: "what diagnostics add up during an evaluation", bytes: measuring)] : []
    let frozen =
      drawingBytes > 0
      ? [MemoryShare(name: "drawn", about: "the frozen copy of the network that draws inputs", bytes: drawingBytes)]
      : []
    return
      (parts + [muon].compactMap { $0 } + frozen + diagnostics + [
        MemoryShare(
          name: "checkpoint",
          about: "weights and moments once more, while a checkpoint is written"
            + (recipe.leavesOutMoments ? ": those of tables are left out" : ""),
          bytes: checkpointBytes),
        MemoryShare(
          name: "batch",
          about: "tokens of a step" + (recipe.objective.teacher.isThere ? ", and a teacher's predictions" : ""),
          bytes: batchBytes),
        MemoryShare(
          name: "program", about: "the program itself, its libraries and the products' machine code", bytes: Self.base),
      ]).sorted { $0.bytes > $1.bytes }
  }

  package var bytes: Int { memory.reduce(0) { $0 + $1.bytes } }

  /// Bytes of the program itself. The text is not counted: it is a mapped file, which the kernel may drop from memory.
  private static let base = 64 << 20

  /// How Muon's work is shared out; nil for AdamW.
  package var muon: MuonPlan? {
    recipe.optimizer.kind == .muon
      ? MuonPlan(network.configuration.shape, precision: network.precision, threads: network.threads) : nil
  }

  /// The frozen copy that draws inputs; nil where the text alone is read.
  package var drawing: NetworkPlan? {
    guard recipe.data.drawn.isOn else { return nil }
    return try? NetworkPlan(
      network.configuration.drawing, rows: network.rows, precision: network.precision, threads: network.threads,
      isTrained: false)
  }

  /// Bytes of the frozen copy that draws inputs; 0 where the text alone is read.
  var drawingBytes: Int { drawing.map { Drawing.bytes(recipe, $0, weights: network.parameters.count) } ?? 0 }

  /// Floating-point operations of a token for drawing inputs: all blocks forward, and logits where a token is drawn; 0 where the
  /// text alone is read.
  package var drawingOperations: Double {
    guard let drawing else { return 0 }
    let blocks = drawing.operations.reduce(0) { $1.part == .heads ? $0 : $0 + $1.count } / 3
    let shape = drawing.configuration
    return blocks + recipe.data.drawn.share * 2 * Double(shape.vocabulary * shape.width)
  }

  /// Bytes of a checkpoint's numbers.
  package var checkpointBytes: Int {
    let layout = network.parameters
    return 4
      * (layout.count * (recipe.data.drawn.isOn ? 2 : 1) + 2 * (recipe.leavesOutMoments ? layout.stored : layout.count))
  }

  private var batchBytes: Int {
    4 * recipe.samplesPerStep * (recipe.model.context + recipe.lookahead)
      + (recipe.objective.teacher.isThere ? Teaching.bytes(recipe) : 0)
  }

  /// Checks that the run fits into the available memory.
  package func check(_ memory: MachineMemory) throws(UserError) {
    guard bytes > memory.available else { return }
    let largest = self.memory.prefix(5).map { "\($0.name) \(Figure.bytes($0.bytes))" }.joined(separator: ", ")
    throw UserError(
      .unavailable,
      "this recipe needs \(Figure.bytes(bytes)) of memory (\(largest)), but \(Figure.bytes(memory.available)) are available: "
        + advice(memory))
  }

  /// Checks that the run fits into this machine's available memory and the process's limits.
  package func checkMachine() throws(UserError) {
    if let memory = MachineMemory.current { try check(memory) }
    if let space = ProcessLimit.addressSpace { try check(space: space.most) }
  }

  /// Checks that the run fits into an address space of so many bytes (`ulimit -v`). The result does not depend on the
  /// moment.
  package func check(space most: Int) throws(UserError) {
    guard addressSpace > most else { return }
    throw UserError(
      .unavailable,
      "this run needs about \(Figure.bytes(addressSpace)) of address space, \(Figure.bytes(ProcessLimit.spaceAtStart)) of them for the "
        + "program, and ulimit -v (RLIMIT_AS) allows \(Figure.bytes(most)): raise it to \(advisedSpace >> 10), or make the "
        + "recipe smaller")
  }

  /// The address space that the error suggests: a little more than needed, since a restarted program has another memory
  /// layout.
  private var advisedSpace: Int { ((addressSpace >> 24) + 2) << 24 }

  /// Estimate of the address space of the whole program while it trains, in bytes. The true values are lower: with two
  /// threads 242 MiB instead of the estimated 325 MiB for a network of 0.1 M parameters, and 615 MiB instead of 687 MiB
  /// for one of 6 M.
  var addressSpace: Int {
    ProcessLimit.spaceAtStart + bytes + Self.mapped + (network.threads - 1) * ProcessLimit.stackSize
  }

  /// Address space beyond the run's memory: the stacks of the session's threads, mapped files, and gaps between
  /// allocations.
  private static let mapped = 112 << 20

  /// Changes to the recipe that would make it fit.
  package func advice(_ memory: MachineMemory) -> String {
    var smaller = recipe
    smaller.model.recompute = .block
    if recipe.model.recompute == .none, let plan = replanned(smaller), plan.bytes <= memory.available {
      return "model.recompute: block would need \(Figure.bytes(plan.bytes)), and take a third more time"
    }
    while smaller.batch.rows > 1 {
      smaller.batch.rows = (smaller.batch.rows + 1) / 2
      if let plan = replanned(smaller), plan.bytes <= memory.available {
        let factor = Double(recipe.batch.rows) / Double(smaller.batch.rows)
        smaller.batch.accumulation = Int((Double(recipe.batch.accumulation) * factor).rounded())
        let fits = "model.recompute: block and batch.rows \(smaller.batch.rows)"
        guard (try? smaller.validate(source: "")) != nil else {
          return "\(fits) would need \(Figure.bytes(plan.bytes)), with fewer tokens a step"
        }
        return
          "\(fits) with batch.accumulation \(smaller.batch.accumulation) would need \(Figure.bytes(plan.bytes)), with as "
          + "many tokens a step"
      }
    }
    var without = recipe
    without.model.memory.keys = 0
    if recipe.model.memory.keys > 0, let plan = replanned(without), plan.bytes <= memory.available {
      return "make model.memory.keys or model.memory.valueWidth smaller, name fewer blocks in model.memory.blocks, or "
        + "take a machine with more memory: tables of \(recipe.model.memory.keys)² rows need \(Figure.bytes(bytes - plan.bytes)), "
        + "with their moments and a checkpoint's copy"
    }
    let fixed = self.memory.filter { !Self.growsWithRows.contains($0.name) }.reduce(0) { $0 + $1.bytes }
    return fixed > memory.available
      ? "make model.blocks, model.width or tokenizer.vocabulary smaller, or take a machine with more memory: "
        + "the parameters alone need \(Figure.bytes(fixed))"
      : "make model.context or model.blocks smaller"
  }

  /// The plan of a changed recipe.
  func replanned(_ changed: Recipe) -> RunPlan? {
    try? RunPlan(changed, vocabulary: network.configuration.vocabulary, threads: network.threads, ranks: ranks)
  }

  private static let growsWithRows: Set<String> = [
    MemoryPart.activations.rawValue, MemoryPart.working.rawValue, MemoryPart.targets.rawValue,
    MemoryPart.shares.rawValue, "batch",
  ]
}

extension MemoryPart {
  /// A description for a person.
  var about: String {
    switch self {
    case .weights: "weights, fp32"
    case .gradients: "their gradients"
    case .moments: "the optimizer's moments of the gradients"
    case .shares: "gradients that each thread sums for itself"
    case .operands: "weights in bf16, for matrix products"
    case .activations: "kept by the forward pass for the backward pass"
    case .working: "temporary buffers of a pass"
    case .attention: "attention scores, one tile per thread"
    case .logits: "logits of a chunk, beyond the buffers shared with passes"
    case .targets: "targets of the losses"
    case .picks: "what the gradients of memory layers' tables are made from"
    }
  }
}
