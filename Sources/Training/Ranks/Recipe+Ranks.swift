// Which recipes several ranks can train.
import Run

extension Recipe {
  /// Checks that so many ranks can train this recipe.
  /// - Throws: `UserError` with the numbers of ranks that can.
  package func require(ranks: Int) throws(UserError) {
    guard ranks > 1 else { return }
    guard batch.rows % ranks == 0 else {
      let fitting = (1...batch.rows).filter { batch.rows % $0 == 0 }.prefix(12).map(String.init)
      let below = batch.rows / ranks * ranks
      let rows = (below > 0 ? "\(below) or " : "") + "\(below + ranks)"
      throw UserError(
        .usage,
        "batch.rows \(batch.rows) cannot be divided among \(ranks) ranks: start \(fitting.joined(separator: ", ")) of them with "
          + "mpirun -n, or set batch.rows to \(rows)")
    }
    guard model.memory.keys == 0 || self.ranks.sharding == .none else {
      throw UserError(
        .usage,
        "ranks.sharding optimizer divides AdamW's moments, but not those of memory layers' tables (model.memory.keys "
          + "\(model.memory.keys)), which every rank updates: set ranks.sharding to none, or model.memory.keys to 0")
    }
    guard !shapesNextToken else {
      throw UserError(
        .usage,
        "a recipe with objective.next.* or objective.teacher is trained by one process: the sums of these losses are not "
          + "exchanged between ranks. Start foretop without mpirun, or leave these keys out")
    }
    guard !data.drawn.isOn else {
      throw UserError(
        .usage,
        "data.drawn.share \(data.drawn.share) draws inputs in one process: start it without mpirun, or set the key to 0"
      )
    }
    guard diagnosticNumbers.isEmpty else {
      throw UserError(
        .usage,
        "diagnostics (measure.*) are measured by one process: start foretop without mpirun, or leave these keys out"
      )
    }
    guard objective.mtp.alone == 0 else {
      throw UserError(
        .usage,
        "objective.mtp.alone \(objective.mtp.alone) is trained by one process: start it without mpirun, or set the key to 0"
      )
    }
    guard self.ranks.sharding == .none || optimizer.kind == .adamw else {
      throw UserError(
        .usage,
        "ranks.sharding optimizer divides AdamW's moments, but optimizer.kind is \(optimizer.kind.rawValue), whose update takes "
          + "whole matrices: set ranks.sharding to none, or optimizer.kind to adamw")
    }
  }

  /// How many ranks divide the moments.
  func momentShares(ranks: Int) -> Int { self.ranks.sharding == .optimizer ? ranks : 1 }
}
