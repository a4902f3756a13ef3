// The work between steps: saves, evaluations, probes and generated texts.
import Corpus
import Foundation
import Kernels
import Run
import Transformer

extension Trainer {
  /// Begins a checkpoint of the state, unless the last one is of the same state. If there is no memory for it now, saving
  /// stays due.
  func save(_ outlets: Outlets) {
    isSaveDue = false
    guard state != savedState else { return }
    // Its memory may be what this one waits for.
    finishCheckpoint(outlets)
    var spare: Checkpoint?
    if let memory = outlets.spare {
      spare = memory()
      guard spare != nil else {
        isSaveDue = true
        return
      }
    }
    noteSoundWeights()
    savedState = state
    isKept = savingRequests.contains(where: \.actor.isByHand)
    beginCheckpoint(in: consume spare, outlets)
  }

  /// - Returns: what was measured; nil where nothing was, which is reported.
  @discardableResult func evaluate(_ inbox: Inbox, _ outlets: Outlets) -> Evaluation? {
    guard corpus.heldOut.windows(of: recipe.model.context) > 0 else {
      // Once is enough: it does not change.
      if !hasToldOfNoHeldOut {
        occurred(.notice, "there is no text to evaluate on: data.heldOut is 0", by: .program, outlets)
      }
      hasToldOfNoHeldOut = true
      return nil
    }
    var watch = Stopwatch()
    var toldAt = ContinuousClock.now
    let gradients = groupGradients()
    var diagnostics = dueDiagnostics()
    var measured: Measured?
    var outputs: [MemoryOutput] = []
    func shouldContinue(_ done: Int, _ total: Int) -> Bool {
      if let progress = outlets.progress, ContinuousClock.now - toldAt > .milliseconds(100) {
        toldAt = .now
        progress(done, total)
      }
      return !inbox.isStopping
    }
    if let pass = diagnostics {
      do {
        guard try readTraining(for: pass, while: shouldContinue) else { return nil }
      } catch let error as CorpusError {
        fail(error, outlets)
        return nil
      } catch {
        occurred(.warning, "no diagnostics are measured: \(error)", by: .program, outlets)
        diagnostics = nil
      }
    }
    do {
      measured = try measure(for: diagnostics, while: shouldContinue)
      // An evaluation that stops short measures nothing.
      if measured != nil { outputs = try addGradientsAtH(to: &measured!.losses) }
    } catch let error as CorpusError {
      fail(error, outlets)
      return nil
    } catch {
      rankFault = UserError(error, while: "evaluating")
      return nil
    }
    // A failure ends the session before anything else is computed.
    guard let measured, model.failure == nil else { return nil }
    do {
      try diagnostics?.finish(.heldOut, of: model)
    } catch {
      occurred(.warning, "no diagnostics are measured: \(error)", by: .program, outlets)
      diagnostics = nil
    }
    let accuracy = answerTask(outlets) { !inbox.isStopping }
    guard model.failure == nil, !inbox.isStopping || accuracy != nil || task == nil else { return nil }
    let first = measured.losses[0].loss
    let isBest = first < state.bestLoss && state.guarded?.isSuspect != true
    if isBest { state.bestLoss = first }
    let memory = memoryUse(outputs)
    var evaluation = Evaluation(
      step: state.step, tokens: state.tokens, time: wallTime(), losses: measured.losses, order: measured.order,
      paths: measured.paths, taskAccuracy: accuracy, gradients: gradients,
      diagnostics: diagnostics?.numbers() ?? [], isBest: isBest, seconds: watch.lap())
    evaluation.memories = memory.uses
    outlets.report(.evaluated(evaluation))
    if let map = memory.map { outlets.report(.mapped(map)) }
    return evaluation
  }

  /// The share of the questions of `evaluate.task` that are answered right.
  /// - Returns: nil without a task, if it was left at `shouldContinue`, or if there is no memory for the answers, which is reported.
  private func answerTask(_ outlets: Outlets, while shouldContinue: () -> Bool) -> Float? {
    guard let task else { return nil }
    var results: [TaskResult] = []
    do {
      try model.score(task, by: corpus.tokenizer) { result in
        results.append(result)
        return shouldContinue()
      }
    } catch {
      occurred(.warning, "the questions of \(task.source) are not answered: \(error)", by: .program, outlets)
      return nil
    }
    return results.count == task.items.count ? Float(TaskSummary(results).accuracy) : nil
  }

  func look(_ outlets: Outlets) {
    guard let probes else { return }
    orderSamples = probes.samples(of: model, at: state.step, by: corpus.tokenizer)
    guard model.failure == nil else { return }
    report(probe: probe, outlets)
  }

  /// Reports the sample of a probe, with what the MTP heads expect at the same place.
  private func report(probe index: Int, _ outlets: Outlets) {
    guard let probes else { return }
    if orderSamples[index].further == nil, heads.contains(where: { $0.kind.target == .furtherToken }) {
      let expectation = model.expectation(after: probes.text(of: index), heads: heads, by: corpus.tokenizer)
      guard model.failure == nil else { return }
      orderSamples[index].further = expectation.further
    }
    outlets.report(.ordered(orderSamples[index]))
  }

  /// - Returns: true if there is such a probe; otherwise the request was refused.
  func show(probe index: Int, for request: Request, _ outlets: Outlets) -> Bool {
    guard let probes else {
      refuse(
        request, "probe \(index + 1) cannot be shown: the network has no TOP head, or no text is held out", outlets)
      return false
    }
    guard (0..<probes.count).contains(index) else {
      refuse(request, "there is no probe \(index + 1): there are \(probes.count)", outlets)
      return false
    }
    probe = index
    if orderSamples.first?.step == state.step {
      report(probe: probe, outlets)
    } else {
      look(outlets)
    }
    return true
  }

  /// - Parameter prompt: nil takes the recipe's.
  func write(_ inbox: Inbox, after prompt: String? = nil, _ outlets: Outlets) {
    guard heads.first == .ntp else { return }
    let tokenizer = corpus.tokenizer
    if let graphs = corpus.heldOut.graphs { return writePath(graphs, outlets) }
    let words = prompt ?? recipe.sample.prompt
    let prompt = tokenizer.tokens(of: words)
    var written: [Int32] = []
    do {
      try model.write(
        after: prompt, tokens: Self.sampledTokens,
        sampling: Sampling(
          temperature: Self.sampledTemperature,
          random: RandomStream(seed: recipe.seed, purpose: "text at step \(state.step)"))
      ) { token in
        written.append(token)
        return !inbox.isStopping
      }
    } catch {
      occurred(.warning, "no text was written: \(error)", by: .program, outlets)
      return
    }
    let text = tokenizer.text(of: written, continuing: !prompt.isEmpty)
    // Numbers are told apart by a space.
    let gap = tokenizer.kind == .tokens && !words.isEmpty ? " " : ""
    outlets.report(.wrote(TextSample(step: state.step, prompt: words, text: gap + text)))
  }

  /// Writes the path of a test graph, another one at every sample, as the likeliest tokens one after the other.
  private func writePath(_ graphs: StarGraphs, _ outlets: Outlets) {
    let sample = graphs.sample(state.step / max(1, recipe.sample.every) % graphs.count)
    let (prompt, path) = (Array(sample[..<graphs.shape.prefix]), Array(sample[graphs.shape.prefix...]))
    var written: [Int32] = []
    do {
      try model.write(
        after: prompt, tokens: path.count,
        sampling: Sampling(temperature: 0, random: RandomStream(seed: recipe.seed, purpose: "text"))
      ) { token in
        written.append(token)
        return true
      }
    } catch {
      occurred(.warning, "no path was written: \(error)", by: .program, outlets)
      return
    }
    let verdict = written == path ? "right" : "wrong, it is \(corpus.tokenizer.text(of: path))"
    let text = "\(corpus.tokenizer.text(of: written))(\(verdict))"
    outlets.report(.wrote(TextSample(step: state.step, prompt: corpus.tokenizer.text(of: prompt), text: text)))
  }

  /// Length, in tokens, and temperature of the samples during training.
  private static var sampledTokens: Int { 96 }
  private static var sampledTemperature: Double { 0.8 }

  func occurred(
    _ kind: Occurrence.Subject, _ text: String, by actor: Occurrence.Actor, answering request: Int? = nil,
    _ outlets: Outlets
  ) {
    outlets.report(
      .occurred(Occurrence(kind, step: state.step, time: wallTime(), actor: actor, request: request, text: text)))
  }
}
