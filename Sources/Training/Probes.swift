// Fixed held-out positions at which the TOP head's ranking is compared with the true order of upcoming tokens.
import Corpus
import Run
import Transformer

/// A set of held-out positions that stays the same over the whole run.
struct Probes {
  /// The most positions; a short text has fewer.
  private static let most = 16
  /// How many tokens of context, of the head's ranking and of the upcoming text are shown.
  private static let shown = (context: 24, ranking: 12, upcoming: 12)

  /// One row per probe, of T + lookahead tokens.
  private let rows: [Int32]
  /// The document number of each token; nil if the text is not divided into documents.
  private let documents: [Int32]?
  private let stride: Int
  private let position: Int
  private let head: Int
  private let objective: Objective
  let count: Int

  /// - Returns: nil if no TOP head is trained, or less than one window is held out.
  /// - Throws: `CorpusError` when the part cannot be read.
  init?(_ part: TokenRange, recipe: Recipe, configuration: Configuration) throws(CorpusError) {
    guard let head = recipe.heads.firstIndex(where: \.ranks) else { return nil }
    let context = configuration.context
    let windows = part.windows(of: context)
    guard windows > 0 else { return nil }
    count = min(Self.most, windows, recipe.batch.rows)
    stride = context + recipe.lookahead
    position = part.graphs.map { $0.scored.lowerBound } ?? context - 1 - context / 4
    self.head = head
    objective = configuration.objectives[head]
    var rows = [Int32](repeating: -1, count: recipe.batch.rows * stride)
    for probe in 0..<count {
      let start = probe * windows / count * context
      let tokens = try part.tokens(start..<start + min(stride, part.available(from: start)))
      rows.replaceSubrange(probe * stride..<probe * stride + tokens.count, with: tokens)
    }
    self.rows = rows
    guard part.hasDocuments else {
      documents = nil
      return
    }
    var documents = [Int32](repeating: -1, count: rows.count)
    let (count, stride) = (count, stride)
    documents.withUnsafeMutableBufferPointer { documents in
      for probe in 0..<count {
        let start = probe * windows / count * context
        part.copyDocuments(
          start..<start + min(stride, part.available(from: start)), to: documents.baseAddress! + probe * stride)
      }
    }
    self.documents = documents
  }

  /// The head's current ranking at every probe.
  func samples(of model: Transformer, at step: Int, by tokenizer: Tokenizer) -> [OrderSample] {
    var samples: [OrderSample] = []
    // A network that takes some rows of each batch takes the probes in turns.
    for first in Swift.stride(from: 0, to: count, by: model.rows) {
      rows.withUnsafeBufferPointer { rows in
        (documents ?? []).withUnsafeBufferPointer { places in
          model.forward(
            TokenRows(
              tokens: rows.baseAddress! + first * stride, rows: model.rows, context: model.configuration.context,
              stride: stride, documents: documents == nil ? nil : places.baseAddress! + first * stride))
        }
      }
      for probe in first..<min(first + model.rows, count) {
        let row = Array(rows[probe * stride..<(probe + 1) * stride])
        let logits = model.logits(head: head, hidden: model.hidden(row: probe - first, position: position))
        samples.append(sample(probe, row, logits, step, tokenizer))
      }
    }
    return samples
  }

  /// The text up to a probe's position, for heads that are asked what they expect there.
  func text(of probe: Int) -> [Int32] {
    Array(rows[probe * stride...probe * stride + position])
  }

  private func sample(
    _ probe: Int, _ row: [Int32], _ logits: [Float], _ step: Int, _ tokenizer: Tokenizer
  ) -> OrderSample {
    // A row with a NaN has no order: nothing is ranked, and every rank is 0.
    let isOrdered = !logits.contains(where: \.isNaN)
    let ranking = isOrdered ? logits.indices.sorted { (logits[$0], $1) > (logits[$1], $0) } : []
    var ranks = [Int32](repeating: 0, count: logits.count)
    for (place, token) in ranking.enumerated() { ranks[token] = Int32(place) + 1 }
    let targets = Transformer.targets(
      of: objective, in: row, at: position,
      documents: documents.map { Array($0[probe * stride..<(probe + 1) * stride]) })
    let upcoming = targets.prefix(Self.shown.upcoming).map { token, weight in
      let distance = row[(position + 1)...].firstIndex(of: token)! - position
      return OrderSample.Upcoming(
        token: tokenizer.visible(token), distance: distance, weight: weight, rank: Int(ranks[Int(token)]))
    }
    let quality = RankQuality(ranks: targets.map { ranks[Int($0.token)] })
    return OrderSample(
      step: step, probe: probe, probes: count,
      context: row[max(0, position + 1 - Self.shown.context)...position].map(tokenizer.visible),
      upcoming: Array(upcoming), ranking: ranking.prefix(Self.shown.ranking).map { tokenizer.visible(Int32($0)) },
      ndcg8: Float(quality.ndcg8), tau: Float(quality.tau), recall8: Float(quality.recall8),
      reciprocalRank: Float(quality.reciprocalRank))
  }
}
