// The result of a cell, as a pure function of its recipe and its stored events. A killed and resumed experiment therefore ends
// with the numbers of an undisturbed one.
import Run

/// The part of a run's events that its result depends on.
package struct CellReading: Sendable, Equatable {
  /// The run's state as `RunStatus` spells it: `training`, `finished`, `interrupted`.
  package var state: String
  package private(set) var step = 0
  package private(set) var active = 0.0
  package private(set) var parameters = 0
  /// The size of the vocabulary and the number of threads; 0 before the first session.
  package private(set) var vocabulary = 0
  package private(set) var threads = 0
  package private(set) var evaluations: [Evaluation] = []
  /// The text of the run's last failure; nil without one.
  package private(set) var failure: String?

  /// - Parameter events: the run's events in order; sums may stand for steps.
  package init(state: String, events: [Event]) {
    self.state = state
    for event in events { receive(event) }
  }

  package mutating func receive(_ event: Event) {
    switch event {
    case .began(let beginning):
      parameters = beginning.parameters
      vocabulary = beginning.vocabulary
      threads = beginning.threads
      // A session begins at this step, so that later steps are repeated.
      evaluations.removeAll { $0.step > beginning.step }
      step = min(step, beginning.step)
    // A damaged file may have any number here.
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

/// The result of a cell.
package struct CellResult: Sendable, Equatable {
  package enum CellFate: String, Sendable {
    /// Not begun, or not at its end.
    case open
    /// `stop.until` was reached.
    case solved
    /// The last step was taken, or `stop.patience` ended the run.
    case ended
    /// A loss was not finite; the same recipe would diverge again.
    case diverged
  }

  package let fate: CellFate
  /// The number of rows trained on before `evaluation`.
  package let samples: Int
  package let step: Int
  package let active: Double
  package let parameters: Int
  /// The evaluation that ended the run, or else the last one; nil before the first.
  package let evaluation: Evaluation?

  package init(_ recipe: Recipe, _ reading: CellReading?) {
    let due = (reading?.evaluations ?? []).filter { evaluation in
      evaluation.step == recipe.steps || (recipe.evaluate.every > 0 && evaluation.step % recipe.evaluate.every == 0)
    }
    let end = (try? StopRule(recipe))?.end(of: due)
    let last = due.last
    if let end {
      fate = end.reason == .reached ? .solved : .ended
    } else if (last?.step ?? 0) >= recipe.steps {
      fate = .ended
    } else if let reading, reading.state == "finished", reading.step >= recipe.steps {
      // Without an evaluation at its end. A run that finished before more steps were asked for goes on.
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

  /// The cell's observation for the Kaplan–Meier curve; nil until the cell is over.
  package var observation: KaplanMeier.Observation? {
    isOver ? KaplanMeier.Observation(Double(samples), isSolved: fate == .solved) : nil
  }
}
