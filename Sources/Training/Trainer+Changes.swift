// The user's changes of the rate and of the losses' weights during the run, and refusals of commands. Settings and
// undo: Trainer+Settings.
import Foundation
import Run

extension [WeightChange] {
  /// The weights of changes of single heads, by the head's name.
  var byHead: [String: Double] { reduce(into: [:]) { $0[$1.head.name] = $1.weight } }
}

/// Changes that wait for the end of a step, since all its micro-batches have one rate and the same weights.
struct StepChanges {
  var rateFactor: Double?
  /// New weights λ, by the head's name.
  var weights: [String: Double] = [:]

  var isEmpty: Bool { rateFactor == nil && weights.isEmpty }
}

extension Trainer {
  /// The number of steps that are taken before a change requested now takes effect.
  private var changedStep: Int { state.step + (isInStep ? 1 : 0) }

  /// λ of a head in the first step that a change requested now affects.
  private func changedWeight(of head: Head) -> Double { changes.weights[head.name] ?? weight(of: head) }

  /// Why a request is refused that changes the rate or a weight by more than ten times, and to which nobody has said yes; nil
  /// where it may be carried out.
  func doubt(about request: Request) -> String? {
    guard !request.isSure else { return nil }
    let (what, span, words, jump): (String, String, (Double) -> String, LargeChange?)
    if case .weight(let change) = request.command {
      (what, span, words) = ("the weight of \(change.name)", "", Figure.factor)
      jump = change.jump(among: heads) { changedWeight(of: $0) }
    } else {
      (what, span, words) = ("the rate", " within \(RateCaution.steps) steps", Figure.rate)
      let plan = RatePlan(recipe, factor: state.rateFactor)
      var expected = plan
      expected.factor = changes.rateFactor ?? state.rateFactor
      jump = rateCaution.change(by: request.command, at: changedStep, of: plan, expecting: expected)
    }
    guard let jump else { return nil }
    return
      "\(what) stays: \(words(jump.old)) → \(words(jump.new)) is a factor of \(Figure.factor(jump.factor)), and a change by more "
      + "than 10\(span) needs a yes: “tell --yes”, or \"yes\":true on the "
      + "socket"
  }

  func change(_ change: RateChange, for request: Request, _ outlets: Outlets) {
    let step = changedStep
    guard !isInStep || step < recipe.steps else { return refuseLate("the rate", request, outlets) }
    let scheduled = scheduledRate(at: step)
    let old = scheduled * (changes.rateFactor ?? state.rateFactor)
    let new = change.applied(to: old)
    guard RateChange.bounds.contains(new), scheduled > 0 else {
      return refuse(
        request,
        "the rate stays \(Figure.rate(old)): \(Figure.rate(new)) is not above 0 and at most \(RateChange.largest)",
        outlets)
    }
    // Always by the new rate, so that replaying a stored rate gives the same bits.
    let factor = new / scheduled
    rateCaution.note(changes.rateFactor ?? state.rateFactor, before: step)
    if new != old { remember(.rate(factor: changes.rateFactor ?? state.rateFactor), for: request) }
    if isInStep { changes.rateFactor = factor } else { state.rateFactor = factor }
    report(rate: old, to: new, at: step, for: request, outlets, why: warmingUp(change, to: new, factor, at: step))
  }

  /// What a change of the rate while the schedule warms up makes of the rest of the warm-up, to continue a sentence.
  private func warmingUp(_ change: RateChange, to new: Double, _ factor: Double, at step: Int) -> String {
    guard recipe.schedule.isWarmingUp(at: step) else { return "" }
    let end = recipe.schedule.endOfWarmup(at: step)
    let peak = "\(Figure.rate(scheduledRate(at: end) * factor)) at step \(Figure.grouped(end + 1))"
    let goesOn = "; the warm-up goes on to \(peak)"
    guard case .to = change else { return goesOn }
    return goesOn + ", and “rate hold \(Figure.rate(new))” would hold the rate"
  }

  func report(
    rate old: Double, to new: Double, at step: Int, for request: Request, _ outlets: Outlets, why: String = ""
  ) {
    outlets.report(
      .occurred(
        Occurrence(
          .rate, step: step, time: wallTime(), key: "rate", old: old, new: new, actor: request.actor,
          request: request.id, text: "rate \(Figure.rate(old)) → \(Figure.rate(new))\(why)")))
  }

  func change(_ change: WeightChange, for request: Request, _ outlets: Outlets) {
    let name = change.name
    let parts = change.parts(among: heads) { changedWeight(of: $0) }
    guard !parts.isEmpty else {
      return refuse(request, "the weight of \(name) cannot change: this network does not have that head", outlets)
    }
    let step = changedStep
    guard !isInStep || step < recipe.steps else { return refuseLate("the weight of \(name)", request, outlets) }
    let before = parts.map { WeightChange($0.head, to: changedWeight(of: $0.head)) }
    let stays = "the weight of \(name) stays \(before.map { Figure.factor($0.weight) }.joined(separator: ", "))"
    if let wrong = parts.first(where: { !$0.isInRange }) {
      return refuse(
        request, "\(stays): \(Figure.factor(wrong.weight)) is not from 0 to \(Int(WeightChange.largest))", outlets)
    }
    guard learns(after: parts) else {
      return refuse(request, "\(stays): all other weights are 0, and nothing would be learned", outlets)
    }
    if parts != before { remember(.weights(before), for: request) }
    let weights = parts.byHead
    if isInStep { changes.weights.merge(weights) { $1 } } else { setWeights(to: weights) }
    report(parts, after: before, at: step, for: request, outlets)
  }

  /// Whether some loss has a weight after changes of single heads.
  func learns(after parts: [WeightChange]) -> Bool {
    let weights = parts.byHead
    return heads.contains { (weights[$0.name] ?? changedWeight(of: $0)) > 0 }
  }

  /// Reports changes of single heads; the last line of the log answers the request.
  /// - Parameter before: the weights of the same heads before.
  func report(
    _ parts: [WeightChange], after before: [WeightChange], at step: Int, for request: Request, _ outlets: Outlets,
    why: String = ""
  ) {
    var others: [String] = []
    for (index, (old, new)) in zip(before, parts).enumerated() {
      let name = new.head.name
      guard index == parts.count - 1 else {
        others.append("\(name) \(Figure.factor(old.weight)) → \(Figure.factor(new.weight))")
        let program = Request(request.command, by: request.actor)
        report(weightOf: name, old.weight, to: new.weight, at: step, for: program, outlets, why: why)
        continue
      }
      // Who asked hears of all heads in one line.
      let all = others.isEmpty ? why : "; also \(others.joined(separator: ", "))\(why)"
      report(weightOf: name, old.weight, to: new.weight, at: step, for: request, outlets, why: all)
    }
  }

  func report(
    weightOf name: String, _ old: Double, to new: Double, at step: Int, for request: Request, _ outlets: Outlets,
    why: String = ""
  ) {
    outlets.report(
      .occurred(
        Occurrence(
          .weight, step: step, time: wallTime(), key: name, old: old, new: new, actor: request.actor,
          request: request.id, text: "weight of \(name) \(Figure.factor(old)) → \(Figure.factor(new))\(why)")))
  }

  /// Makes the changes that waited for the end of a step. If the step was abandoned, the changes apply to the step that
  /// replaces it, and are reported again with the number of that step, at which a replay repeats them.
  func makeChanges(isTaken: Bool, _ outlets: Outlets) {
    guard !changes.isEmpty else { return }
    let program = Request(.pause, by: .program)
    let why = " from step \(Figure.grouped(state.step + 1)) on, which was not taken"
    if let factor = changes.rateFactor {
      let (scheduled, old) = (scheduledRate(at: state.step), rate)
      if isTaken || scheduled <= 0 {
        state.rateFactor = factor
      } else {
        let new = scheduled * factor
        state.rateFactor = new / scheduled
        report(rate: old, to: new, at: state.step, for: program, outlets, why: why)
      }
    }
    if !isTaken {
      for head in heads {
        guard let new = changes.weights[head.name] else { continue }
        report(weightOf: head.name, weight(of: head), to: new, at: state.step, for: program, outlets, why: why)
      }
    }
    if !changes.weights.isEmpty { setWeights(to: changes.weights) }
    changes = StepChanges()
  }

  private func refuseLate(_ what: String, _ request: Request, _ outlets: Outlets) {
    refuse(request, "\(what) stays: the last step of the run is under way", outlets)
  }

  /// Reports that a command is refused; `key` names the command.
  func refuse(_ request: Request, _ text: String, _ outlets: Outlets) {
    outlets.report(
      .occurred(
        Occurrence(
          .refused, step: state.step, time: wallTime(), key: request.command.word, actor: request.actor,
          request: request.id, text: text)))
  }
}
