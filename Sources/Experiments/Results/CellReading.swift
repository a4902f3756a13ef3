// What a cell's run file says, and what that is worth: a pure function of the recipe and what is stored, so that an experiment that
// was killed ends with the numbers of one that was not.
import Run

/// What is read of a run.
package struct CellReading: Sendable, Equatable {
  /// As `RunStatus` spells it: `training`, `finished`, `interrupted`.
  package var state: String
  package private(set) var step = 0
  package private(set) var active = 0.0
  package private(set) var parameters = 0
  package private(set) var evaluations: [Evaluation] = []
  /// The last reason that the run gave for its end.
  package private(set) var failure: String?

  /// - Parameter events: of the run, in order; steps may be summed up.
  package init(state: String, events: [Event]) {
    self.state = state
    for event in events { receive(event) }
  }

  package mutating func receive(_ event: Event) {
    switch event {
    case .began(let beginning):
      parameters = beginning.parameters
      // The steps after this one are taken again.
      evaluations.removeAll { $0.step > beginning.step }
      step = min(step, beginning.step)
    // A damaged file may say anything.
    case .stepped(let report) where RunState.isPlausible(report.step): (step, active) = (report.step, report.active)
    case .summedUp(let sum) where RunState.isPlausible(sum.mean.step):
      (step, active) = (sum.mean.step, sum.mean.active)
    case .evaluated(let evaluation) where RunState.isPlausible(evaluation.step):
      evaluations.removeAll { $0.step == evaluation.step }
      evaluations.append(evaluation)
    case .occurred(let occurrence): if occurrence.kind == .failure { failure = occurrence.text }
    default: break
    }
  }
}

/// What came of a cell.
package struct CellResult: Sendable, Equatable {
  package enum CellFate: String, Sendable {
    /// Not begun, or begun and not at its end.
    case open
    /// `stop.until` was reached.
    case solved
    /// The last step was taken, or `stop.patience` ended the run.
    case ended
    /// A loss was not finite; the same recipe would diverge again.
    case diverged
  }

  package let fate: CellFate
  /// Rows trained on up to the evaluation that counts, or, of a cell that goes on, up to its last evaluation.
  package let samples: Int
  package let step: Int
  package let active: Double
  package let parameters: Int
  /// The evaluation that counts; of a cell that goes on, the last one.
  package let evaluation: Evaluation?

  package init(_ recipe: Recipe, _ reading: CellReading?) {
    let due = (reading?.evaluations ?? []).filter { evaluation in
      evaluation.step == recipe.steps || (recipe.evaluate.every > 0 && evaluation.step % recipe.evaluate.every == 0)
    }
    let end = (try? StopRule(recipe))?.end(of: due)
    let last = due.last
    if let end {
      fate = end.reason == .reached ? .solved : .ended
    } else if reading?.state == "finished" || (last?.step ?? 0) >= recipe.steps {
      fate = .ended
    } else {
      fate = reading?.state == "diverged" ? .diverged : .open
    }
    evaluation = end?.evaluation ?? last
    samples =
      min(evaluation?.step ?? 0, .max / max(recipe.samplesPerStep, 1)) * recipe.samplesPerStep
    step = reading?.step ?? 0
    active = reading?.active ?? 0
    parameters = reading?.parameters ?? 0
  }

  package var isOver: Bool { fate != .open }

  /// For the curve of solved runs; nil of a cell that goes on.
  package var observation: KaplanMeier.Observation? {
    isOver ? KaplanMeier.Observation(Double(samples), isSolved: fate == .solved) : nil
  }
}
