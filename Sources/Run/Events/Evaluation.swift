// The losses on the held-out part.

/// Losses on the held-out part.
package struct Evaluation: Codable, Sendable, Equatable {
  package var step: Int
  package var tokens: Int
  /// Unix time, seconds.
  package var time: Double
  package var losses: [HeadLoss]
  /// Rank quality of the TOP head; nil if there is none.
  package var order: OrderQuality?
  /// Of star graphs, the share whose first 1, 2, … tokens of the path greedy decoding writes right; empty for text. The last
  /// is that of whole paths.
  package var paths: [Float] = []
  /// The share of the questions of `evaluate.task` that are answered right; nil without a task.
  package var taskAccuracy: Float?
  /// Gradients and updates by part of the network; empty where no step was taken before.
  package var gradients: [GroupGradient] = []
  /// Memory layers, in the order of blocks; empty without any.
  package var memories: [MemoryUse] = []
  /// The numbers of the diagnostics that were due; empty where none was.
  package var diagnostics: [MeasuredNumber] = []
  /// True if the NTP loss (or the first head's) is the lowest of this run so far.
  package var isBest: Bool
  /// Duration of the evaluation, in seconds.
  package var seconds: Double

  package init(
    step: Int, tokens: Int, time: Double, losses: [HeadLoss], order: OrderQuality? = nil, paths: [Float] = [],
    taskAccuracy: Float? = nil, gradients: [GroupGradient] = [], diagnostics: [MeasuredNumber] = [], isBest: Bool,
    seconds: Double
  ) {
    self.paths = paths
    self.taskAccuracy = taskAccuracy
    self.gradients = gradients
    self.diagnostics = diagnostics
    self.step = step
    self.tokens = tokens
    self.time = time
    self.losses = losses
    self.order = order
    self.isBest = isBest
    self.seconds = seconds
  }
}

/// What the evaluations of a run have.
package struct EvaluationContent: Sendable {
  package var heads: [Head]
  /// Tokens of the path of star graphs; 0 for text.
  package var path = 0
  /// Whether questions are asked.
  package var hasTask = false
  /// The parts of the network whose gradients are measured.
  package var groups: [TensorGroup] = []
  /// Whether steps have a trained loss besides NTP's cross-entropy.
  package var isShaped = false
  /// The blocks that have a memory layer.
  package var memories: [TensorGroup] = []
  /// The numbers of diagnostics.
  package var diagnostics: [DiagnosticNumber] = []

  package init(
    heads: [Head], path: Int = 0, hasTask: Bool = false, groups: [TensorGroup] = [], isShaped: Bool = false,
    memories: [TensorGroup] = [], diagnostics: [DiagnosticNumber] = []
  ) {
    self.isShaped = isShaped
    self.heads = heads
    self.memories = memories
    self.path = path
    self.hasTask = hasTask
    self.groups = groups
    self.diagnostics = diagnostics
  }
}

extension Evaluation {
  /// What this evaluation has.
  package var content: EvaluationContent {
    EvaluationContent(
      heads: losses.map(\.head), path: paths.count, hasTask: taskAccuracy != nil,
      groups: gradients.map(\.group), memories: memories.map(\.group),
      diagnostics: diagnostics.map { DiagnosticNumber($0.path) })
  }

  /// True if a higher value of the number with this name is better: shares of right answers, rank quality, use of a memory layer.
  package static func isBetterHigh(_ name: String) -> Bool {
    ["accuracy/", "order/", "task/", "memory-used/", "memory-entropy/"].contains { name.hasPrefix($0) }
      || DiagnosticKind.isBetterHigh(name)
  }
}

extension Recipe {
  /// What the evaluations of a run of this recipe have.
  package var evaluationContent: EvaluationContent {
    EvaluationContent(
      heads: heads, path: pathLength, hasTask: !evaluate.task.isEmpty, groups: tensorGroups,
      isShaped: shapesNextToken, memories: memoryGroups, diagnostics: diagnosticNumbers)
  }
}
