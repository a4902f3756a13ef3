// A batch as diagnostics see it, after the heads' losses were measured.
import Run
import Transformer

/// Lists of the M positions of a batch, row by row.
struct DiagnosticBatch {
  var part: DiagnosticPart
  /// The token that each position reads; −1 where the row has none.
  var current: [Int32]
  /// The place of each position in its document: the tokens of the document before it in its row.
  var places: [Int32]
  /// The loss of each head, nats; 0 where it has no target.
  var losses: [[Float]]
  /// The target of each head (of several the nearest); −1 where it has none, and the position does not count.
  var targets: [[Int32]]
  /// 1 where the first head's likeliest token is its target.
  var hits: [UInt8]
  /// Entropy (nats) and confidence of the first head's predictions; empty where no diagnostic needs them.
  var entropy: [Float] = []
  var confidence: [Float] = []
  /// [M, d]: the final hidden states; empty where no diagnostic needs them.
  var states: [Float] = []

  /// True if the position after this one is of the same document and row.
  func isFollowed(_ position: Int) -> Bool {
    position + 1 < current.count && current[position] >= 0 && current[position + 1] >= 0
      && places[position + 1] == places[position] + 1
  }
}

extension DiagnosticBatch {
  /// - Parameter rows: the batch that the network's losses were last measured on.
  init(_ part: DiagnosticPart, _ rows: TokenRows, of model: Transformer, needs: DiagnosticNeeds) {
    var current: [Int32] = []
    var places: [Int32] = []
    current.reserveCapacity(rows.rows * rows.context)
    places.reserveCapacity(rows.rows * rows.context)
    for row in 0..<rows.rows {
      var start = 0
      for t in 0..<rows.context {
        let index = row * rows.stride + t
        if let documents = rows.documents, t > 0, documents[index] != documents[index - 1] { start = t }
        current.append(rows.tokens[index])
        places.append(Int32(t - start))
      }
    }
    let heads = 0..<model.configuration.objectives.count
    var losses: [[Float]] = []
    var targets: [[Int32]] = []
    for head in heads {
      losses.append(model.positionLosses(head: head))
      targets.append(model.firstTargets(head: head))
    }
    self.init(
      part: part, current: current, places: places, losses: losses, targets: targets, hits: model.firstHits)
    if needs.contains(.outputs) { (entropy, confidence) = model.outputStatistics() }
    if needs.contains(.states) { states = model.hiddenStates() }
  }
}
