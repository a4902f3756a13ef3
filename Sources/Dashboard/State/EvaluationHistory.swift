// The held-out evaluations of a run as curves; if there are very many, old ones are summed up.
import Run

/// The evaluations of a run.
struct EvaluationHistory: Sendable {
  /// A number of an evaluation.
  enum Quantity: Hashable, Sendable {
    case loss(Head), accuracy(Head)
    /// A part of `OrderQuality`, by its place.
    case order(Int)
    /// The share of star graphs whose path is right.
    case path
    /// The share of the questions of `evaluate.task` that are answered right.
    case task
    /// The norm of a head's gradient at the final hidden states.
    case gradientAtH(Head)
    /// The norm of a part's gradient, and its update as a share of its weights.
    case groupNorm(TensorGroup), groupUpdate(TensorGroup)
    /// A number of a diagnostic, by its path.
    case diagnostic(String)
  }

  private(set) var places: Places
  private var series: [Quantity: Series] = [:]
  /// The heads of the newest evaluation, in its order.
  private(set) var heads: [Head] = []
  /// The parts of the network whose gradients the newest evaluation that measured them has.
  private(set) var groups: [TensorGroup] = []
  /// Paths of the diagnostics' numbers that any evaluation has, in the order in which they came.
  private(set) var diagnostics: [String] = []

  init(keeping kept: Int = 4096) { places = Places(keeping: kept) }

  var isEmpty: Bool { places.count == 0 }

  /// The step of the newest evaluation.
  var lastStep: Int? { places.last.map { Int($0.step) } }

  /// The values of a quantity, one per entry; nil if no evaluation has it.
  subscript(quantity: Quantity) -> Series? { series[quantity] }

  /// - Parameter active: seconds of training up to the evaluation.
  mutating func append(_ evaluation: Evaluation, active: Double) {
    if let lastStep, evaluation.step < lastStep { cut(after: evaluation.step - 1) }
    let values = evaluation.quantities
    let isNew = Set(values.keys.filter { series[$0] == nil })
    for quantity in isNew { addSeries(quantity) }
    places.append(
      Moment(
        step: Double(evaluation.step), tokens: Double(evaluation.tokens), time: evaluation.time, active: active))
    for quantity in series.keys { series[quantity]?.append(values[quantity] ?? .nan) }
    heads = evaluation.losses.map(\.head)
    if !evaluation.gradients.isEmpty { groups = evaluation.gradients.map(\.group) }
    // Its series was made just now where no evaluation had it.
    for number in evaluation.diagnostics where isNew.contains(.diagnostic(number.path)) {
      diagnostics.append(number.path)
    }
    for fold in places.fold() {
      for quantity in series.keys { series[quantity]?.fold(fold) }
    }
  }

  /// Adds a new quantity, without values for earlier evaluations.
  private mutating func addSeries(_ quantity: Quantity) {
    var missing = Series()
    for index in 0..<places.count {
      if index < places.summedUp { missing.append(.missing(places.size(of: index))) } else { missing.append(.nan) }
    }
    series[quantity] = missing
  }

  /// Forgets the evaluations after a step.
  mutating func cut(after step: Int) {
    let kept = places[.step].lowerBound(of: Double(step).nextUp)
    guard kept < places.count else { return }
    places.cut(to: kept)
    for quantity in series.keys { series[quantity]?.cut(to: kept) }
  }
}

extension Evaluation {
  fileprivate var quantities: [EvaluationHistory.Quantity: Float] {
    var values: [EvaluationHistory.Quantity: Float] = [:]
    for loss in losses {
      values[.loss(loss.head)] = loss.loss
      if let gradient = loss.gradientAtH { values[.gradientAtH(loss.head)] = gradient }
      if let accuracy = loss.accuracy { values[.accuracy(loss.head)] = accuracy }
    }
    for part in gradients {
      values[.groupNorm(part.group)] = part.norm
      values[.groupUpdate(part.group)] = part.update
    }
    for number in diagnostics { values[.diagnostic(number.path)] = Float(number.value) }
    if let path = paths.last { values[.path] = path }
    if let taskAccuracy { values[.task] = taskAccuracy }
    for (index, part) in (order?.parts ?? []).enumerated() { values[.order(index)] = part.value }
    return values
  }
}
