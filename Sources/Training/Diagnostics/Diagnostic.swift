// What a diagnostic is: it looks at the batches of an evaluation, position by position, and makes numbers of them. The next one
// is a file beside this one, its line in the list below, and its row in Run's table (DiagnosticKind).
import Corpus
import Run
import Transformer

extension DiagnosticKind {
  /// What computes each diagnostic, by its name.
  static let computations: [String: any Diagnostic.Type] = [
    DiagnosticKind.function.name: TokenGroupLosses.self, DiagnosticKind.position.name: PlaceLosses.self,
    DiagnosticKind.frequency.name: FrequencyLosses.self, DiagnosticKind.entropy.name: OutputEntropy.self,
    DiagnosticKind.calibration.name: ConfidenceBins.self, DiagnosticKind.states.name: NeighbouringStates.self,
    DiagnosticKind.greedy.name: GreedyVariety.self, DiagnosticKind.collapse.name: NeuralCollapse.self,
  ]
}

/// The part of the text that batches are of.
enum DiagnosticPart: Sendable { case training, heldOut }

/// What a diagnostic needs beside the losses, targets and hits of held-out positions.
struct DiagnosticNeeds: OptionSet, Sendable {
  let rawValue: Int

  /// A pass over training windows, before the one over the held-out part.
  static let training = DiagnosticNeeds(rawValue: 1)
  /// The final hidden states.
  static let states = DiagnosticNeeds(rawValue: 2)
  /// Entropy and confidence of the first head's predictions.
  static let outputs = DiagnosticNeeds(rawValue: 4)
}

/// What a diagnostic is made from.
struct DiagnosticSetting {
  let recipe: Recipe
  let heads: [Head]
  let vocabulary: Int
  let threads: Int
  /// See `Corpus.frequencies`.
  let frequencies: [Int]
  let heldOut: TokenRange
}

/// What a diagnostic costs.
struct DiagnosticCost {
  /// FLOPs for a token of the training part, the pass through the network not counted, and for one of the held-out part.
  var perTrainingToken = 0.0
  var perHeldOutToken = 0.0
  /// FLOPs of a measurement beside these.
  var once = 0.0
  /// Memory during a measurement.
  var bytes = 0
}

/// Measures something over the positions of evaluations. Sums are made in the order of the positions, so that they do not depend on
/// threads.
protocol Diagnostic: SendableMetatype {
  static var needs: DiagnosticNeeds { get }
  /// What a measurement costs.
  static func cost(_ plan: RunPlan) -> DiagnosticCost

  init(_ setting: DiagnosticSetting)
  /// Takes in a batch: all of the training part, if that is needed, come before those of the held-out part.
  mutating func add(_ batch: DiagnosticBatch)
  /// Called after the last batch of a part.
  mutating func finish(_ part: DiagnosticPart, _ model: Transformer) throws
  /// The numbers, by their names without the diagnostic's folder. Those that are NaN were not measured.
  func numbers() -> [(name: String, value: Double)]
}

extension Diagnostic {
  static var needs: DiagnosticNeeds { [] }
  static func cost(_ plan: RunPlan) -> DiagnosticCost { DiagnosticCost() }
  mutating func finish(_ part: DiagnosticPart, _ model: Transformer) throws {}
}

/// Sums of a loss over some positions.
struct BinSum: Equatable {
  var loss = 0.0
  var count = 0

  mutating func add(_ loss: Float) {
    self.loss += Double(loss)
    count += 1
  }

  /// NaN without positions.
  var mean: Double { count > 0 ? loss / Double(count) : .nan }

  /// The mean loss and the number of positions, as `DiagnosticKind` names them.
  func numbers(_ name: String) -> [(name: String, value: Double)] { [(name, mean), ("\(name)-count", Double(count))] }
}
