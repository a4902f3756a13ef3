// The guard: what becomes of a step whose loss or gradient is not finite or out of line, and of weights that have come to harm.
import Foundation
import Kernels
import Run
import Transformer

/// What the guard acts on.
enum GuardCause {
  case nonFinite([HeadLoss], norm: Double)
  case spike(GuardAlarm)
  /// The loss has been far above what it was for a while.
  case spoilt
}

/// What the guard has done in this session.
struct GuardRecord {
  /// How often the run went back, in the sessions before too.
  var backs = 0
  /// Batches that were left out in a row.
  var skips = 0
  /// The step that the session goes on from, and the factor of the rate there: who diverges from there without having changed the
  /// rate does so again.
  var firstStep = 0
  var firstFactor = 1.0
  /// The step of this session's last checkpoint whose weights were sound; nil before there is one.
  var soundStep: Int?
  /// The factor of the rate in that checkpoint.
  var soundFactor = 1.0
  /// Finds the newest sound checkpoint from before the one that this session began with.
  var older: (@Sendable () -> SoundCheckpoint?)?
  /// Root mean square of each tensor when the weights were last known to be sound, and the step.
  var soundSizes: [Float] = []
  var sizesStep = 0
  /// The step at which the sizes were looked at last: what is looked at now and then may be looked at by a save as well.
  var judgedStep: Int?
  /// The step at which a tensor was first seen to be far larger than that; nil while none is.
  var explodedAt: Int?
  /// The step after which training came to a halt, since it had diverged; nil before it did.
  var haltedAt: Int?
}

/// A stored checkpoint whose weights are sound.
package struct SoundCheckpoint: Sendable {
  package let run: String
  package let step: Int

  package init(run: String, step: Int) {
    self.run = run
    self.step = step
  }
}

extension Trainer {
  /// A tensor whose numbers are so many times as large as when they were last known to be sound has exploded.
  private static let explosion: Float = 30
  /// Steps between two looks at the sizes of tensors.
  static let sizesEvery = 50

  /// Acts on a step that was not taken, or on weights that are spoilt.
  /// - Returns: how the session ends, where it does.
  func guardAgainst(_ cause: GuardCause, isAttended: Bool, _ outlets: Outlets) -> Ending? {
    let spoilt = signOfSpoiltWeights(cause)
    let settings = recipe.guard
    let acts =
      switch cause {
      case .nonFinite, .spoilt: settings.acts(on: .nonfinite)
      case .spike: settings.acts(on: .spike)
      }
    let what = words(cause) + (spoilt.map { ": the weights are spoilt (\($0))" } ?? verdictOnBatch(cause))
    // Who replays the run leaves the batch out as well; a loss that is not finite comes out again by itself.
    if case .spike = cause { leaveOut(what, outlets) }
    switch acts ? settings.does : .pause {
    case .skip where spoilt == nil && guarded.skips < max(settings.most, 1):
      if case .nonFinite = cause { leaveOut(what, outlets) }
      guarded.skips += 1
      return nil
    case .back:
      if guarded.backs < settings.most, goBackByItself(what, outlets) {
        return Ending(.diverged, step: state.step, time: wallTime())
      }
    case .stop:
      halt(what + "; the guard stops the run" + advice(isAttended: false), isAttended: false, outlets)
      return Ending(.diverged, step: state.step, time: wallTime())
    case .pause, .skip: break
    }
    halt(what + advice(isAttended: isAttended), isAttended: isAttended, outlets)
    return isAttended ? nil : Ending(.diverged, step: state.step, time: wallTime())
  }

  /// Tells of a gradient that is out of line, once until one is not. Who watches the events tells of a loss that is (`Session/Alerts`):
  /// of a spike there is one alert.
  func tell(of alarm: GuardAlarm, _ outlets: Outlets) {
    guard case .norm(let norm, _) = alarm else { return }
    outlets.report(
      .occurred(
        Occurrence(
          .alert, step: state.step, time: wallTime(), key: "gradient", new: norm, actor: .guard,
          text: "a spike at step \(Figure.grouped(state.step)): \(alarm.words)")))
  }

  /// Remembers the weights' sizes, to see later whether they grow out of bounds.
  func noteSizes() { (guarded.soundSizes, guarded.sizesStep) = (tensorSizes(), state.step) }

  /// Looks at the weights' sizes now and then. Small networks grow by much in thousands of steps, and are sound.
  func judgeSizesIfDue() {
    if isGuarded, state.step % Self.sizesEvery == 0 { judgeSizes() }
  }

  private func judgeSizes() {
    guard guarded.judgedStep != state.step else { return }
    guarded.judgedStep = state.step
    let sizes = tensorSizes()
    if explodedTensor(sizes) != nil {
      // Weights with which the loss stays low have learned, and come to no harm.
      let first = guarded.explodedAt ?? state.step
      let isLearned =
        state.step - first >= Self.sizesEvery && state.guarded?.isHigh == false && sizes.allSatisfy(\.isFinite)
      guarded.explodedAt = isLearned ? nil : first
    } else {
      guarded.explodedAt = nil
    }
    state.guarded?.isExploded = guarded.explodedAt != nil
    if state.guarded?.isSuspect != true { (guarded.soundSizes, guarded.sizesStep) = (sizes, state.step) }
  }

  /// Remembers that the weights of now are sound, where they are; a checkpoint of them says so.
  func noteSoundWeights() {
    guard isGuarded else { return }
    judgeSizes()
    if state.guarded?.isSuspect != true { (guarded.soundStep, guarded.soundFactor) = (state.step, state.rateFactor) }
  }

  /// Leaves one batch out: the next step takes the one after it.
  func leaveBatchOut() -> Bool {
    guard (try? batches.next()) != nil else {
      batches.goBack(to: state.window)
      return false
    }
    state.window = batches.window
    return true
  }

  /// Reports that the batch which was just looked at is left out.
  func leaveOut(_ what: String, by actor: Occurrence.Actor = .guard, _ outlets: Outlets) {
    outlets.report(
      .occurred(
        Occurrence(
          .skip, step: state.step, time: wallTime(), key: "guard", new: Double(state.window), actor: actor,
          text: "\(what); the batch is left out")))
  }

  private func goBackByItself(_ what: String, _ outlets: Outlets) -> Bool {
    let request = Request(.back(.last), by: .guard)
    let factor = recipe.guard.rate
    for target in [guarded.soundStep.map(BackTarget.step), .last].compactMap({ $0 }) {
      do {
        try leave(for: target, request, rateFactor: factor, why: what + "; ", outlets)
        return true
      } catch {
        occurred(
          .warning, "the guard cannot go back: \(UserError(error, while: "going back").message)", by: .guard, outlets)
      }
    }
    return false
  }

  private func halt(_ text: String, isAttended: Bool, _ outlets: Outlets) {
    isPaused = isAttended
    guarded.haltedAt = state.step
    stepsBeforePause = 0
    pauseCondition = nil
    occurred(.diverged, text, by: .program, answering: steppingRequests.first?.id, outlets)
    answerStepping(but: steppingRequests.first?.id, outlets)
  }

  // MARK: Words

  private func words(_ cause: GuardCause) -> String {
    switch cause {
    case .nonFinite(let losses, let norm):
      // The sign of a NaN means nothing.
      let values = losses.map { "\($0.head.name) \($0.loss.isNaN ? .nan : $0.loss)" }.joined(separator: ", ")
      return "step \(Figure.grouped(state.step + 1)) was not taken: \(values), "
        + "gradient norm \(norm.isNaN ? .nan : norm)"
    case .spike(let alarm): return "step \(Figure.grouped(state.step + 1)) was not taken: \(alarm.words)"
    case .spoilt: return "the training went wrong before step \(Figure.grouped(state.step))"
    }
  }

  private func verdictOnBatch(_ cause: GuardCause) -> String {
    if case .spoilt = cause { return "" }
    return ": a bad batch, since the weights are sound"
  }

  private func advice(isAttended: Bool) -> String {
    let own = guarded.soundStep.map { SoundCheckpoint(run: name, step: $0) }
    let failsAgain = own?.step == guarded.firstStep && state.rateFactor == guarded.firstFactor
    let sound = failsAgain ? guarded.older?() ?? own : own ?? guarded.older?()
    if isAttended {
      // The list of checkpoints has those of this run.
      guard let sound, sound.run == name else { return " — lower the rate and go on" }
      return " — r goes back to step \(Figure.grouped(sound.step)), the last sound checkpoint; "
        + "or lower the rate and go on"
    }
    guard let sound else {
      return " — begin again with a lower schedule.rate, since there is no sound checkpoint to go back to"
    }
    // Half of the rate that failed, or half of the recipe's if commands had raised it, divided by the checkpoint's factor, which stays in
    // force after a resume.
    let isOwn = sound.run == name && sound.step == guarded.soundStep
    let rate = recipe.schedule.rate / 2 * min(state.rateFactor, 1) / (isOwn ? guarded.soundFactor : 1)
    return
      " — “foretop resume \(sound.run) --step \(sound.step) --set schedule.rate=\(Figure.rate(rate))” "
      + "goes on from the last sound checkpoint with a lower rate"
  }

  // MARK: Weights that came to harm

  /// What shows that the weights are spoilt, and not the batch bad; nil where they are sound.
  private func signOfSpoiltWeights(_ cause: GuardCause) -> String? {
    let sizes = tensorSizes(ofAllRows: true)
    if let exploded = explodedTensor(sizes) { return exploded }
    let judged = state.guarded
    if let judged, judged.isSpoilt {
      return "the loss is \(Figure.loss(judged.recentLoss)), and was \(Figure.loss(judged.lowest)) at its lowest"
    }
    if case .spoilt = cause { return nil }
    // The same weights on other rows: where they fail too, it is not the rows.
    guard let next = lossOfNextBatch() else { return nil }
    if !next.isFinite { return "the next batch's loss is \(next.isNaN ? .nan : next) too" }
    guard let judged, judged.lowest.isFinite, Double(next) > judged.limit else { return nil }
    return "the next batch's loss is \(Figure.loss(Double(next))), and was \(Figure.loss(judged.lowest)) at its lowest"
  }

  /// The loss of the first head on the next batch's first rows; the data position stays as it is.
  private func lossOfNextBatch() -> Float? {
    defer { batches.goBack(to: state.window) }
    guard let batch = try? batches.next() else { return nil }
    return firstLoss(of: batch)
  }

  /// Rows of each table whose weights are looked at, at most.
  private static let sampledRows = 4096

  /// Root mean square of each tensor's weights.
  /// - Parameter isWhole: true for all rows of tables; false for at most `sampledRows` of each, at equal distances: rows of
  ///   lazily updated tables lack updates, and to bring all of them up to date takes longer than a step.
  private func tensorSizes(ofAllRows isWhole: Bool = false) -> [Float] {
    let weights = model.parameters.weights
    let tensors = model.parameters.layout.tensors
    let rows = tensors.first { $0.description.role == .memoryTable }?.shape[0] ?? 0
    // Odd, since an even one would look at few columns of keys: the row of keys i, j is n·i + j, and n is mostly a power of 2.
    let step = isWhole ? 1 : max(1, (rows + Self.sampledRows - 1) / Self.sampledRows) | 1
    model.parameters.bringTablesUpToDate(every: step, threads: model.threads)
    // In pieces, since the table of a memory layer can have more numbers than all other tensors together.
    let most = 1 << 20
    var pieces: [(tensor: Int, start: UnsafeMutablePointer<Float>, count: Int)] = []
    for (index, tensor) in tensors.enumerated() {
      if tensor.description.role == .memoryTable {
        for row in stride(from: 0, to: rows, by: step) {
          pieces.append((index, weights + tensor.offset + row * tensor.shape[1], tensor.shape[1]))
        }
        continue
      }
      for first in stride(from: 0, to: tensor.count, by: most) {
        pieces.append((index, weights + tensor.offset + first, min(most, tensor.count - first)))
      }
    }
    var sums = [Float](repeating: 0, count: pieces.count)
    sums.withUnsafeMutableBufferPointer { sums in
      let destination = sums.baseAddress!
      Team.split(pieces.count, threads: model.threads, grain: 1) { [pieces] _, range in
        for index in range { destination[index] = Self.squares(pieces[index].start, pieces[index].count) }
      }
    }
    var squares = [Float](repeating: 0, count: tensors.count)
    var counts = [Int](repeating: 0, count: tensors.count)
    for (piece, sum) in zip(pieces, sums) {
      squares[piece.tensor] += sum
      counts[piece.tensor] += piece.count
    }
    return zip(counts, squares).map { ($1 / Float(max($0, 1))).squareRoot() }
  }

  /// The sum of the squares of some numbers.
  private static func squares(_ start: UnsafePointer<Float>, _ count: Int) -> Float {
    var sum = SIMD8<Float>()
    var rest: Float = 0
    let whole = count / 8 * 8
    for place in stride(from: 0, to: whole, by: 8) {
      let part = UnsafeRawPointer(start + place).loadUnaligned(as: SIMD8<Float>.self)
      sum += part * part
    }
    for place in whole..<count { rest += start[place] * start[place] }
    return sum.sum() + rest
  }

  /// A tensor that is not finite, or far larger than when it was last known to be sound, in words.
  private func explodedTensor(_ sizes: [Float]) -> String? {
    for (index, tensor) in model.parameters.layout.tensors.enumerated() {
      if !sizes[index].isFinite { return "\(tensor.path) is not finite" }
      guard guarded.soundSizes.indices.contains(index) else { continue }
      let before = max(guarded.soundSizes[index], 0.02)
      if sizes[index] > Self.explosion * before {
        let times = Figure.fixed(Double(sizes[index] / before).rounded(.down), 0)
        return "\(tensor.path) is \(times) times as large as at step \(Figure.grouped(guarded.sizesStep))"
      }
    }
    return nil
  }
}
