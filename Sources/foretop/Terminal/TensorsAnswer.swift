// Reads and computes what the tensors screen asks for, on the reader's thread, since a checkpoint may be large.
import Dashboard
import Foundation
import Run
import RunFile

/// An answer to the tensors screen.
enum TensorsAnswer: Sendable {
  /// With what is wrong with newer checkpoints, where these cannot be read.
  case tree(TensorTree, remark: String)
  case numbers([TensorNumbers], step: Int, against: Int?)
  case detail(TensorDetail)
  case moment(TensorMoment, path: String, step: Int)
  /// The numbers of a checkpoint cannot be read.
  case damaged(step: Int, UserError)
  case failed(UserError)

  /// Reads what is asked for.
  init(_ reading: TensorsScreen.TensorsReading, of run: inout StoredTensors) {
    do {
      self = try Self.answer(reading, &run)
    } catch let damaged as DamagedCheckpoint {
      self = .damaged(step: damaged.step, Self.error(damaged.error, of: run.folder))
    } catch {
      self = .failed(Self.error(error, of: run.folder))
    }
  }

  /// An error in few words, since a screen has one line for it: files are named within the run's folder.
  fileprivate static func error(_ error: any Error, of folder: String) -> UserError {
    let error = UserError(error, while: "reading the tensors")
    return UserError(error.status, error.message.replacing(folder + "/", with: ""))
  }

  private static func answer(
    _ reading: TensorsScreen.TensorsReading, _ run: inout StoredTensors
  ) throws -> TensorsAnswer {
    switch reading {
    case .tree(let step, let against):
      var remark = ""
      let tree = try TensorTree(of: &run, step: step, against: against, remark: &remark)
      return .tree(tree, remark: remark)
    case .numbers(let paths, let step, let against):
      let weights = try run.weights(ofStep: step, of: Set(paths))
      let other = try against.map { try run.weights(ofStep: $0, of: Set(paths)) }
      let numbers = TensorNumbers.all(
        weights.tensors, weights.numbers, against: other.map { ($0.tensors, $0.numbers) })
      return .numbers(numbers, step: step, against: against)
    case .detail(let path, let step):
      let weights = try run.weights(ofStep: step, of: [path])
      return .detail(TensorDetail(try only(weights, path), in: weights.numbers, step: step))
    case .moment(let path, let step):
      let weights = try run.weights(ofStep: step, of: [path])
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
    case .tree(let tree, let remark):
      screen.take(tree)
      if !remark.isEmpty { screen.say(remark.harmlessLine) }
    case .numbers(let numbers, let step, let against): screen.take(numbers, step: step, against: against)
    case .detail(let detail): screen.take(detail)
    case .moment(let moment, let path, let step): screen.take(moment, of: path, step: step)
    case .damaged(let step, let error): screen.fail(step: step, error.message.harmlessLine)
    case .failed(let error): screen.fail(error.message.harmlessLine)
    }
  }
}

extension TensorTree {
  /// Reads the tensors of a checkpoint of a run, and chooses another one to compare with.
  /// - Parameters:
  ///   - step: nil is the newest that can be read.
  ///   - against: nil is the one before that can be read, where there is one.
  ///   - remark: receives the problem of the newest checkpoint, if it cannot be read.
  /// - Throws: `UserError` where there is no checkpoint, or the one asked for cannot be read.
  init(of run: inout StoredTensors, step: Int?, against: Int?, remark: inout String) throws {
    let steps = try run.steps()
    var problem: (any Error)?
    func first(of steps: some Sequence<Int>) -> (step: Int, tensors: [Checkpoint.Tensor])? {
      for step in steps {
        do { return (step, try run.tensors(ofStep: step)) } catch { problem = problem ?? error }
      }
      return nil
    }
    let found = try step.map { ($0, try run.tensors(ofStep: $0)) } ?? first(of: steps.reversed())
    guard let (step, tensors) = found else { throw problem! }
    if let problem {
      remark = "\(TensorsAnswer.error(problem, of: run.folder).message); the newest that can be read is shown"
    }
    if let against { _ = try run.tensors(ofStep: against) }
    let other =
      against ?? first(of: steps.reversed().filter { $0 < step })?.step ?? first(of: steps.filter { $0 > step })?.step
    self.init(step: step, against: other, steps: steps, tensors)
  }
}
