// Trainers of several ranks. Rank 0's runs as one alone does, and gives an order before each thing that all do; the others follow.
import Corpus
import Kernels
import Run
import Transformer

extension Trainer {
  /// Makes the trainer of each rank; every rank calls this at the same time, with the same recipe, text and number of threads.
  /// - Parameters:
  ///   - checkpoint: the state to continue from, on rank 0; the other ranks get theirs from rank 0.
  ///   - ranks: nil for a process alone.
  /// - Throws: as `init`; where one rank cannot make its trainer, every rank throws that one's sentence.
  package static func make(
    recipe: Recipe, corpus: Corpus, from checkpoint: Checkpoint?, threads: Int, name: String, task: TaskSet? = nil,
    ranks: Ranks?, progress: (Int, Int) -> Void = { _, _ in }
  ) throws -> Trainer {
    guard let ranks else {
      return try Trainer(
        recipe: recipe, corpus: corpus, from: checkpoint, threads: threads, name: name, task: task, progress: progress)
    }
    let trainer: Trainer
    do {
      trainer = try Trainer(
        recipe: recipe, corpus: corpus, from: checkpoint, threads: threads, name: name, task: task, ranks: ranks,
        progress: progress)
    } catch {
      try ranks.agree(on: UserError(error, .unavailable, while: "making the network"))
      throw error
    }
    try ranks.agree(on: nil)
    try trainer.ranked?.shareStart(trainer.model, from: checkpoint)
    return trainer
  }

  /// Tells the other ranks what comes now. Does nothing for a process alone, and on ranks that follow.
  /// - Throws: `UserError` when a rank is lost.
  func order(_ kind: RankOrder.Kind) throws(UserError) {
    guard let ranked, ranked.ranks.isLeader else { return }
    var words = RankOrder(
      kind, step: state.step, window: state.window, rate: rate, optimizer: optimizer.settings,
      tokens: recipe.evaluate.tokens, weights: weights
    ).words
    try ranked.ranks.broadcast(&words)
  }

  /// Tells the other ranks that this session is over. Call this once, after the last step, save or evaluation.
  package func endOrders() { try? order(.end) }

  /// Does what rank 0 says, until its session is over.
  /// - Throws: `UserError` when a rank is lost.
  package func follow() throws(UserError) {
    guard let ranked, !ranked.ranks.isLeader else { preconditionFailure("rank 0 follows nobody") }
    // As the trainer's thread of rank 0.
    Team.flushSubnormals()
    defer { Team.keepSubnormals() }
    while true {
      var words = [Double](repeating: 0, count: RankOrder.count(heads: heads.count))
      try ranked.ranks.broadcast(&words)
      let order = try RankOrder(words)
      take(order)
      switch order.kind {
      // What goes wrong is told to all ranks on the way.
      case .step: _ = step(beside: nil)
      case .evaluate: _ = try? measure { _, _ in true }
      case .gradientsAtHidden: _ = try? gradientsAtHidden()
      case .groupGradients:
        if let takenUpdate { _ = try? gradientSquares(of: takenUpdate) }
      case .moments: try? ranked.sendMoments(of: model)
      case .end: return
      }
      if let failure = ranked.ranks.failure { throw failure }
    }
  }

  /// Losses and accuracies on the held-out part, of whose windows each rank takes its share.
  /// - Parameter shouldContinue: asked before every batch; on ranks that follow, its answer does not count.
  /// - Returns: nil if it was left.
  /// - Throws: `CorpusError` when the part cannot be read, or has changed; `UserError` when a rank is lost.
  func measure(
    for diagnostics: DiagnosticPass? = nil, while shouldContinue: (_ done: Int, _ total: Int) -> Bool
  ) throws -> Measured? {
    let tokens = recipe.evaluate.tokens
    guard let ranked else {
      return try model.measure(
        on: corpus.heldOut, by: recipe, weights: weights, tokens: tokens, for: diagnostics,
        while: shouldContinue)
    }
    try order(.evaluate)
    let count = ranked.ranks.count
    var pass = HeldOutPass(on: corpus.heldOut, by: recipe, rows: model.rows, tokens: tokens)
    let windows = pass.windows
    pass.limit(to: Team.share(of: windows, worker: ranked.ranks.rank, threads: count))
    let most = (windows + count - 1) / count
    var fault: CorpusError?
    for done in stride(from: 0, to: most, by: model.rows) {
      guard try ranked.ranks.decide(shouldContinue(min(done * count, windows), windows)) else { return nil }
      do throws(CorpusError) {
        if fault == nil { try pass.next(model) }
      } catch {
        // The others hear of it when all are done.
        fault = error
      }
    }
    let failure = fault.map { UserError(.data, $0.description) } ?? model.failure.map { UserError($0) }
    do throws(UserError) {
      try ranked.ranks.agree(on: failure)
    } catch {
      if let fault { throw fault }
      throw error
    }
    pass.take(try ranked.ranks.share(pass.words))
    return pass.measured(by: recipe, weights: weights)
  }
}
