// A trainer's part of a training by several ranks: what it exchanges in a step, and what it owns.
import Kernels
import Run
import Transformer

/// What one rank's trainer needs of the others.
final class RankedTraining {
  let ranks: Ranks
  let reduction: GradientReduction
  /// True if each rank keeps its part of the moments and updates its part of the weights.
  let isSharded: Bool
  private var units: GradientUnits { reduction.units }
  /// The parts of the parameters that this rank adds up.
  let owned: [Range<Int>]
  /// Of a step.
  private let microBatches: Int
  /// The rate that rank 0 gave with its last order; not used by rank 0.
  var orderedRate = 0.0

  /// - Parameter layout: of the network, which all ranks have.
  init(_ ranks: Ranks, _ recipe: Recipe, _ layout: ParameterLayout) {
    self.ranks = ranks
    isSharded = recipe.ranks.sharding == .optimizer
    let units = GradientUnits(layout.stored, sections: layout.gradientSections, ranks: ranks.count)
    reduction = GradientReduction(
      ranks, units, isRounded: recipe.ranks.transport == .bf16, isSharded: isSharded)
    owned = units.owned(by: ranks.rank)
    microBatches = recipe.batch.accumulation
  }

  /// The positions of a step that count, of all ranks.
  /// - Parameters:
  ///   - counts: those of this rank, one a head.
  ///   - failure: why this rank has no batch.
  /// - Throws: `UserError` on every rank, where one of them has no batch.
  func denominators(_ counts: [Int], failure: UserError?) throws(UserError) -> [Int] {
    let all = try shared(counts.map(Double.init), failure)
    return counts.indices.map { head in all.reduce(0) { $0 + Int($1[head]) } }
  }

  /// Shares numbers, unless a rank has failed.
  private func shared(_ words: [Double], _ failure: UserError?) throws(UserError) -> [[Double]] {
    let all = try ranks.share([failure.map { Double($0.status.rawValue) } ?? 0] + words)
    if let first = all.firstIndex(where: { $0[0] != 0 }) {
      try ranks.explain(first, UserError.Status(rawValue: Int32(all[first][0])) ?? .unavailable, failure)
    }
    return all.map { Array($0.dropFirst()) }
  }

  /// Completes a step's gradients, losses and their norm.
  /// - Parameters:
  ///   - sums: what this rank's rows lost, one a head; what all lost afterwards.
  ///   - failure: why this rank's numbers are of no use.
  /// - Returns: the Euclidean norm of all gradients.
  /// - Throws: `UserError` on every rank, where one of them has failed or is lost.
  func totals(
    _ model: Transformer, _ sums: inout [LossSum], failure: UserError?
  ) throws(UserError) -> Double {
    try reduction.finish(model.parameters.gradients)
    try gatherPicks(model)
    let square = model.parameters.gradientSquares(in: owned, threads: model.threads)
    let all = try shared([square] + sums.flatMap(\.words), failure)
    for head in sums.indices {
      sums[head] = LossSum()
      for words in all { sums[head].add(LossSum(words[(1 + head * LossSum.wordCount)...])) }
    }
    // Gradients of tables are made from all records, and are the same on every rank.
    return (all.reduce(0) { $0 + $1[0] } + model.parameters.tableSquares(threads: model.threads)).squareRoot()
  }

  /// Gives every rank the records of all ranks' picks in this step; nothing without memory layers.
  /// - Throws: `UserError` when a rank is lost.
  private func gatherPicks(_ model: Transformer) throws(UserError) {
    nonisolated(unsafe) let blocks = model.parameters.pickRecordBlocks
    guard !blocks.isEmpty else { return }
    let (count, microBatches, positions) = (ranks.count, microBatches, model.rows * model.configuration.context)
    ranks.begin { worker throws(UserError) in
      for block in blocks {
        let numbers = positions * block.numbers
        for microBatch in 0..<microBatches {
          let firsts = (0..<count).map { (microBatch * count + $0) * numbers }
          try worker.beginGathering(firsts.map { $0..<$0 + numbers }, block.start)
        }
      }
      try worker.settle()
    }
    try ranks.finish()
  }

  /// Gives every rank the weights that the others have updated.
  /// - Throws: `UserError` when a rank is lost.
  func gatherWeights(_ model: Transformer) throws(UserError) {
    try reduction.gather(model.parameters.weights)
    model.parameters.roundOperands(threads: model.threads)
  }

  /// Gives every rank the weights and moments that rank 0 begins with.
  /// - Parameter checkpoint: rank 0's; nil without moments.
  /// - Throws: `UserError` when a rank is lost.
  func shareStart(_ model: Transformer, from checkpoint: Checkpoint?) throws(UserError) {
    let (parameters, layout) = (model.parameters.weights, model.parameters.layout)
    try ranks.broadcast(UnsafeMutableRawPointer(parameters), bytes: 4 * layout.count)
    if !ranks.isLeader { model.parameters.roundOperands(threads: model.threads) }
    guard try ranks.decide(checkpoint != nil) else { return }
    let (first, second) = (model.parameters.firstMoments, model.parameters.secondMoments)
    guard isSharded else {
      try ranks.broadcast(UnsafeMutableRawPointer(first), bytes: 4 * layout.count)
      return try ranks.broadcast(UnsafeMutableRawPointer(second), bytes: 4 * layout.secondMoments)
    }
    for (block, own) in [(checkpoint?.firstMoments, first), (checkpoint?.secondMoments, second)] {
      guard let block, let checkpoint else {
        try ranks.move(units, toLeader: false) { own + $0.lowerBound }
        continue
      }
      var arranged = Self.arranged(block, checkpoint.tensors, for: layout)
      try arranged.withUnsafeMutableBufferPointer { buffer throws(UserError) in
        let base = buffer.baseAddress!
        try ranks.move(units, toLeader: false) { base + $0.lowerBound }
      }
    }
  }

  /// A block of a checkpoint as this network lays it out.
  private static func arranged(
    _ block: [Float], _ tensors: [Checkpoint.Tensor], for layout: ParameterLayout
  ) -> [Float] {
    let places = Dictionary(tensors.map { ($0.path, $0.offset) }, uniquingKeysWith: { first, _ in first })
    guard block.count != layout.count || layout.tensors.contains(where: { places[$0.path] != $0.offset }) else {
      return block
    }
    var arranged = [Float](repeating: 0, count: layout.count)
    for tensor in layout.tensors {
      guard let place = places[tensor.path] else { continue }
      arranged.replaceSubrange(
        tensor.offset..<tensor.offset + tensor.count, with: block[place..<place + tensor.count])
    }
    return arranged
  }

  /// Completes a checkpoint of rank 0 with the moments of all ranks, which have their orders. Where a rank is lost, `ranks.failure`
  /// says so, and the checkpoint is of no use.
  func collectMoments(of model: Transformer, into checkpoint: inout Checkpoint) {
    collect(model.parameters.firstMoments, into: &checkpoint.firstMoments, count: model.parameters.layout.count)
    collect(model.parameters.secondMoments, into: &checkpoint.secondMoments, count: model.parameters.layout.count)
  }

  private func collect(_ own: UnsafeMutablePointer<Float>, into block: inout [Float], count: Int) {
    if block.count != count { block = [Float](repeating: 0, count: count) }
    block.withUnsafeMutableBufferPointer { buffer in
      let base = buffer.baseAddress!
      for range in owned { (base + range.lowerBound).update(from: own + range.lowerBound, count: range.count) }
      try? ranks.move(units, toLeader: true) { base + $0.lowerBound }
    }
  }

  /// Sends rank 0 the moments that this rank owns.
  /// - Throws: `UserError` when a rank is lost.
  func sendMoments(of model: Transformer) throws(UserError) {
    let (first, second) = (model.parameters.firstMoments, model.parameters.secondMoments)
    try ranks.move(units, toLeader: true) { first + $0.lowerBound }
    try ranks.move(units, toLeader: true) { second + $0.lowerBound }
  }
}

extension LossSum {
  static let wordCount = 9

  /// All of it as numbers.
  var words: [Double] {
    [
      loss, entropy, Double(positions), Double(hits), ranks.total.ndcg8, ranks.total.tau, ranks.total.recall8,
      ranks.total.reciprocalRank,
      Double(ranks.positions),
    ]
  }

  /// - Parameter words: those of `words`, and maybe more after them.
  init(_ words: ArraySlice<Double>) {
    self.init()
    let words = Array(words.prefix(Self.wordCount))
    (loss, entropy, positions, hits) = (words[0], words[1], Int(words[2]), Int(words[3]))
    (ranks.total.ndcg8, ranks.total.tau, ranks.total.recall8, ranks.total.reciprocalRank) = (
      words[4], words[5], words[6], words[7]
    )
    ranks.positions = Int(words[8])
  }
}
