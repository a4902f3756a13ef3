// Reads and computes what the tensors screen asks for, on the reader's thread, since a checkpoint may be large.
import Dashboard
import Foundation
import Run
import RunFile

/// An answer to the tensors screen.
enum TensorsAnswer: Sendable {
  case tree(TensorTree)
  case detail(TensorDetail)
  case moment(TensorMoment, path: String, step: Int)
  case failed(UserError)

  /// Reads what is asked for.
  /// - Parameter folder: the run's.
  init(_ reading: TensorsScreen.TensorsReading, of folder: String) {
    do {
      self = try Self.answer(reading, StoredRun(opening: folder))
    } catch {
      self = .failed(UserError(error, while: "reading the tensors of \(folder)"))
    }
  }

  private static func answer(_ reading: TensorsScreen.TensorsReading, _ run: StoredRun) throws -> TensorsAnswer {
    switch reading {
    case .tree(let step, let against): return .tree(try TensorTree(of: run, step: step, against: against))
    case .detail(let path, let step):
      let weights = try run.weights(ofStep: step, tensor: path)
      return .detail(TensorDetail(try only(weights, path), in: weights.numbers, step: step))
    case .moment(let path, let step):
      let weights = try run.weights(ofStep: step, tensor: path)
      return .moment(
        TensorMoment(TensorSummary(try only(weights, path), in: weights.numbers)), path: path, step: step)
    }
  }

  private static func only(_ weights: StoredWeights, _ path: String) throws -> Checkpoint.Tensor {
    guard let tensor = weights.tensors.first else {
      throw UserError(.data, "the checkpoint of step \(weights.step) has no tensor \(path)")
    }
    return tensor
  }

  /// Shows the answer on the screen.
  func show(on screen: inout TensorsScreen) {
    switch self {
    case .tree(let tree): screen.take(tree)
    case .detail(let detail): screen.take(detail)
    case .moment(let moment, let path, let step): screen.take(moment, of: path, step: step)
    case .failed(let error): screen.fail(error.message.harmlessLine)
    }
  }
}

extension TensorTree {
  /// Reads a checkpoint of a run, and another one to compare with.
  /// - Parameters:
  ///   - step: nil is the newest that can be read.
  ///   - against: nil is the one before, where there is one.
  /// - Throws: `UserError` where there is no checkpoint, or the one asked for cannot be read.
  init(of run: StoredRun, step: Int?, against: Int?) throws {
    let steps = try run.checkpoints().map(\.step)
    guard let newest = steps.last else {
      throw UserError(.noInput, "run “\(run.name)” has no checkpoint yet: there are no tensors to show")
    }
    let step = step ?? newest
    let weights = try run.weights(ofStep: step)
    let other = try (against ?? steps.last { $0 < step } ?? steps.first { $0 > step }).map {
      try run.weights(ofStep: $0)
    }
    self.init(
      step: step, steps: steps, weights.tensors, weights.numbers,
      against: other.map { ($0.step, $0.tensors, $0.numbers) })
  }
}
