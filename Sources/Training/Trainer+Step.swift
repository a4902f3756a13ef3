// One optimizer step: the micro-batches there and back, the gradient's norm, what speaks against the step, and the update.
import Corpus
import Foundation
import Kernels
import Run
import Transformer

extension Trainer {
  /// The result of a step.
  package enum Outcome {
    case stepped(StepReport)
    /// A loss or the gradient was not finite: the weights are unchanged.
    case diverged([HeadLoss], gradientNorm: Double)
    /// The loss or the gradient was far above what it was, and the recipe's guard acts on that: the weights are as they were.
    case spiked(GuardAlarm)
    /// The computation failed: the weights are unchanged.
    case failed(UserError)
    /// The step was abandoned before its last micro-batch: nothing has changed.
    case left
    /// No batch was taken, since the text cannot be read or has changed; the network is unchanged.
    case unread(CorpusError)
  }

  /// Takes one optimizer step. If a loss or the gradient is not finite, the weights stay unchanged. Allocates nothing
  /// but the report's list of losses.
  package func step() -> Outcome { step(beside: nil) }

  /// - Parameter desk: requests during the step, which are handled before every micro-batch except the first and may
  ///   abandon the step.
  func step(beside desk: Desk?) -> Outcome {
    isInStep = true
    takenUpdate = nil
    measuredGradients = nil
    defer { isInStep = false }
    var watch = Stopwatch()
    var phases = Phases()
    do throws(UserError) { try order(.step) } catch { return .failed(error) }
    for head in heads.indices {
      sums[head] = LossSum()
      denominators[head] = 0
    }
    let batch: Batch  // tokens and what follows them
    do {
      batch = try batches.next()
      if recipe.objective.teacher.isNeeded(after: state.step) {
        guard let teaching else { preconditionFailure("a step that has a teacher has its file open") }
        try teaching.read(batches.starts)
      }
    } catch {
      batches.goBack(to: state.window)
      // All ranks hear of it, and none takes the step.
      _ = try? ranked?.denominators(denominators, failure: UserError(.data, error.description))
      return .unread(error)
    }
    if recipe.data.drawn.isOn, let drawing {
      let share = recipe.data.drawn.share(at: state.step)
      do throws(UserError) { try drawing.draw(batch, at: state.step, share: share, model) } catch {
        batches.goBack(to: state.window)
        return .failed(error)
      }
    }
    for index in 0..<recipe.batch.accumulation {
      model.countPositions(microBatch(index, of: batch), into: &denominators)
    }
    if let ranked {
      do throws(UserError) { denominators = try ranked.denominators(denominators, failure: nil) } catch {
        batches.goBack(to: state.window)
        return .failed(error)
      }
    }
    let (stage, weights) = (stage, weightsNow)
    let isFurtherAlone = recipe.learnsHeadsAlone(at: state.step)
    phases.data = watch.lap()
    for index in 0..<recipe.batch.accumulation {
      if index > 0 {
        var continues = true
        if let desk { continues = attend(to: desk) }
        if let ranked {
          do throws(UserError) { continues = try ranked.ranks.decide(continues) } catch { return .failed(error) }
        }
        guard continues else {
          batches.goBack(to: state.window)
          return .left
        }
      }
      let finished = index == recipe.batch.accumulation - 1 ? reducing : nil
      let rows = microBatch(index, of: batch)
      let noise = noise(microStep: index)
      model.forward(rows, noise: noise)
      phases.forward += watch.lap()
      model.heads(
        rows, weights: weights, denominators: denominators, accumulates: index > 0, noise: noise, stage: stage,
        finished: finished, into: &sums)
      phases.heads += watch.lap()
      model.backward(rows, accumulates: index > 0, noise: noise, finished: finished)
      phases.backward += watch.lap()
    }
    if isFurtherAlone { model.keepFurtherGradients() }
    let norm: Double
    if let ranked {
      let failure = (model.failure ?? optimizer.failure).map { UserError($0) }
      do throws(UserError) { norm = try ranked.totals(model, &sums, failure: failure) } catch { return .failed(error) }
    } else {
      norm = model.gradientNorm()
    }
    state.window = batches.window
    if let failure = model.failure { return .failed(UserError(failure)) }
    let losses = sums.losses(of: heads, weights: weights)
    let first = Double(losses[0].loss)
    let alarm = state.guarded?.alarm(loss: first, norm: norm)
    let fault = fault(losses, norm: norm, alarm)
    if let ranked {
      do throws(UserError) {
        guard try ranked.ranks.decide(fault == nil) else { return fault ?? .left }
      } catch {
        return .failed(error)
      }
    } else if let fault {
      return fault
    }
    newAlarm = state.guarded?.isAlarmed == false ? alarm : nil
    let rate = rate
    optimizer.update(
      model, norm: norm, rate: rate, step: state.step,
      tableRate: recipe.model.memory.rateFactor(at: state.step, of: recipe.steps), isFurtherAlone: isFurtherAlone)
    if let ranked, ranked.isSharded {
      do throws(UserError) { try ranked.gatherWeights(model) } catch { return .failed(error) }
    }
    if let failure = optimizer.failure { return .failed(UserError(failure)) }
    phases.update = watch.lap()
    takenUpdate = TakenUpdate(
      norm: norm, rate: rate, step: state.step, settings: optimizer.settings,
      isFurtherAlone: isFurtherAlone)
    state.step += 1
    state.tokens += recipe.tokensPerStep
    state.active += phases.total
    state.guarded = state.guarded ?? GuardState()
    state.guarded?.take(loss: first, norm: norm)
    return .stepped(
      StepReport(
        step: state.step, tokens: state.tokens, time: wallTime(), active: state.active, total: losses.total,
        losses: losses, rate: rate, gradientNorm: Float(norm),
        tokensPerSecond: Double(recipe.tokensPerStep) / phases.total, phases: phases))
  }

  /// Why a step is not taken; nil if it is.
  private func fault(_ losses: [HeadLoss], norm: Double, _ alarm: GuardAlarm?) -> Outcome? {
    guard losses.allSatisfy({ $0.loss.isFinite && $0.trained?.isFinite ?? true }), norm.isFinite else {
      return .diverged(losses, gradientNorm: norm)
    }
    if isGuarded, let alarm, recipe.guard.acts(on: .spike) { return .spiked(alarm) }
    return nil
  }

  /// Begins to add up the gradients of all ranks, range by range; nil where this process trains alone.
  private var reducing: ((Range<Int>) -> Void)? {
    guard let reduction = ranked?.reduction else { return nil }
    let gradients = model.parameters.gradients
    return { reduction.begin($0, of: gradients) }
  }

  /// The loss of the first head on a batch's first rows.
  func firstLoss(of batch: Batch) -> Float {
    takenUpdate = nil
    for head in heads.indices {
      sums[head] = LossSum()
      denominators[head] = 0
    }
    let rows = TokenRows(batch, first: model.configuration.firstRow, count: model.rows)
    model.countPositions(rows, into: &denominators)
    model.forward(rows, noise: nil)
    model.heads(rows, weights: weights, denominators: denominators, accumulates: false, noise: nil, into: &sums)
    return sums.losses(of: heads, weights: weights)[0].loss
  }

  /// The random stream of dropout in a micro-batch. It depends only on seed and step, so that a resumed run drops the
  /// same elements.
  private func noise(microStep: Int) -> RandomStream? {
    guard recipe.model.dropout > 0 else { return nil }
    return dropoutStream.branch(UInt64(state.step)).branch(UInt64(microStep))
  }

  /// The rows of one micro-batch of a step.
  private func microBatch(_ index: Int, of batch: Batch) -> TokenRows {
    TokenRows(
      batch, first: index * recipe.batch.rows + model.configuration.firstRow, count: model.rows,
      drawn: drawing?.inputs, teacher: teaching?.view)
  }
}
