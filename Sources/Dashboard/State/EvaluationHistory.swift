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
    /// The share of star graphs whose first tokens of the path are right; so many, fewer than all.
    case beginning(Int)
    /// The loss of a head above the entropy of its targets.
    case divergence(Head)
    /// The norm of a head's gradient at the final hidden states.
    case gradientAtH(Head)
    /// The norm of a part's gradient, and its update as a share of its weights.
    case groupNorm(TensorGroup), groupUpdate(TensorGroup)
    /// A number of a memory layer, by its place in `MemoryUse.numbers`.
    case memory(Int, TensorGroup)
    /// A number of a diagnostic, by its path.
    case diagnostic(String)

    /// The name in comparisons of a quantity that is known there by its name alone; nil for others.
    fileprivate var furtherName: String? {
      switch self {
      case .beginning(let count): "accuracy/path-\(count)"
      case .divergence(let head): "kl/\(head.name)"
      case .gradientAtH(let head): "gradient-at-h/\(head.name)"
      case .groupNorm(let group): "gradient/\(group.name)"
      case .groupUpdate(let group): "update/\(group.name)"
      case .memory(let number, let group): "\(MemoryUse.columns)\(MemoryUse.numbers[number].name)/\(group.name)"
      case .loss, .accuracy, .order, .path, .task, .diagnostic: nil
      }
    }
  }

  private(set) var places: Places
  private var series: [Quantity: Series] = [:]
  /// The heads of the newest evaluation, in its order.
  private(set) var heads: [Head] = []
  /// The parts of the network whose gradients the newest evaluation that measured them has.
  private(set) var groups: [TensorGroup] = []
  /// Paths of the diagnostics' numbers that any evaluation has, in the order in which they came.
  private(set) var diagnostics: [String] = []
  /// Names of the diagnostics that have any.
  private(set) var measured: Set<String> = []
  /// The quantities that comparisons know by their names alone, with these, in the order in which they came.
  private(set) var further: [(name: String, quantity: Quantity)] = []

  init(keeping kept: Int = 4096) { places = Places(keeping: kept) }

  var isEmpty: Bool { places.count == 0 }

  /// The step of the newest evaluation.
  var lastStep: Int? { places.last.map { Int($0.step) } }

  /// The values of a quantity, one per entry; nil if no evaluation has it.
  subscript(quantity: Quantity) -> Series? { series[quantity] }

  /// The values of one of the `further` quantities; nil if no evaluation has it.
  subscript(further name: String) -> Series? {
    further.first { $0.name == name }.flatMap { series[$0.quantity] }
  }

  /// - Parameter active: seconds of training up to the evaluation.
  mutating func append(_ evaluation: Evaluation, active: Double) {
    if let lastStep, evaluation.step < lastStep { cut(after: evaluation.step - 1) }
    let quantities = evaluation.quantities
    let values = Dictionary(quantities.map { ($0.quantity, $0.value) }) { _, last in last }
    var isNew: Set<Quantity> = []
    for (quantity, _) in quantities where series[quantity] == nil {
      isNew.insert(quantity)
      series[quantity] = Series(missingAt: places)
      if let name = quantity.furtherName { further.append((name, quantity)) }
    }
    places.append(
      Moment(
        step: Double(evaluation.step), tokens: Double(evaluation.tokens), time: evaluation.time, active: active))
    for quantity in series.keys { series[quantity]?.append(values[quantity] ?? .nan) }
    heads = evaluation.losses.map(\.head)
    if !evaluation.gradients.isEmpty { groups = evaluation.gradients.map(\.group) }
    // Its series was made just now where no evaluation had it.
    for number in evaluation.diagnostics where isNew.contains(.diagnostic(number.path)) {
      diagnostics.append(number.path)
      measured.insert(String(number.path.prefix { $0 != "/" }))
    }
    for fold in places.fold() {
      for quantity in series.keys { series[quantity]?.fold(fold) }
    }
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
  /// Its numbers, in the order of the metric table.
  fileprivate var quantities: [(quantity: EvaluationHistory.Quantity, value: Float)] {
    var values: [(quantity: EvaluationHistory.Quantity, value: Float)] = []
    func add(_ quantity: EvaluationHistory.Quantity, _ value: Float?) {
      if let value { values.append((quantity, value)) }
    }
    for loss in losses { add(.loss(loss.head), loss.loss) }
    for loss in losses { add(.divergence(loss.head), loss.kl) }
    for loss in losses { add(.accuracy(loss.head), loss.accuracy) }
    for (index, part) in (order?.parts ?? []).enumerated() { add(.order(index), part.value) }
    add(.path, paths.last)
    for (index, share) in paths.dropLast().enumerated() { add(.beginning(index + 1), share) }
    add(.task, taskAccuracy)
    for loss in losses { add(.gradientAtH(loss.head), loss.gradientAtH) }
    for part in gradients {
      add(.groupNorm(part.group), part.norm)
      add(.groupUpdate(part.group), part.update)
    }
    for use in memories {
      for (index, number) in MemoryUse.numbers.enumerated() {
        let value = use[keyPath: number.place]
        add(.memory(index, use.group), value.isNaN ? nil : value)
      }
    }
    for number in diagnostics { add(.diagnostic(number.path), Float(number.value)) }
    return values
  }
}
