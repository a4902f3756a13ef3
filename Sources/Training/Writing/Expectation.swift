// Computes the heads' predictions after a text: the answer to `ask`.
import Corpus
import Foundation
import Run
import Transformer

extension Transformer {
  /// The heads' predictions after a text. The activations of the network's last pass are overwritten.
  /// - Parameters:
  ///   - text: the text's tokens, of which as many of the last as fit into the context are read; an empty text becomes token 0.
  ///   - heads: the network's heads, in the order of its objectives.
  func expectation(after text: [Int32], heads: [Head], by tokenizer: Tokenizer) -> Expectation {
    let context = configuration.context
    let known = text.isEmpty ? [0] : Array(text.suffix(context))
    let position = known.count - 1
    let further = configuration.streams.count - 1
    let stride = context + max(further, lookahead) + 1
    var tokens = known + [Int32](repeating: 0, count: rows * stride - known.count)
    func batch(_ tokens: UnsafePointer<Int32>) -> TokenRows {
      TokenRows(tokens: tokens, rows: rows, context: context, stride: stride)
    }
    tokens.withUnsafeBufferPointer { forward(batch($0.baseAddress!)) }
    let state = hidden(row: 0, position: position)
    var expectation = Expectation(context: known.map(tokenizer.visible))
    for (index, head) in heads.enumerated() where configuration.streams[0].contains(index) {
      let logits = logits(head: index, hidden: state)
      let best = logits.largest(Expectation.most).map(Int.init)
      if head.ranks {
        expectation.ranking = best.map { tokenizer.visible(Int32($0)) }
      } else {
        let shares = logits.shares
        expectation.next = best.map { Expectation.Choice(token: tokenizer.visible(Int32($0)), probability: shares[$0]) }
        if let first = best.first, position + 1 < stride { tokens[position + 1] = Int32(first) }
      }
    }
    // A sequential head reads the tokens that earlier heads predict.
    for index in 0..<max(further, 0) {
      let state = tokens.withUnsafeBufferPointer { furtherHidden(index, batch($0.baseAddress!), position: position) }
      let logits = logits(head: configuration.streams[0][0], hidden: state)
      let best = Int(logits.largest)
      expectation.further.append(
        Expectation.FurtherChoice(
          head: heads[configuration.streams[index + 1][0]].name,
          choice: Expectation.Choice(token: tokenizer.visible(Int32(best)), probability: logits.shares[best])))
      if position + 2 + index < stride { tokens[position + 2 + index] = Int32(best) }
    }
    return expectation
  }
}

extension [Float] {
  /// Softmax.
  fileprivate var shares: [Float] {
    let largest = self.max() ?? 0
    let weights = map { exp(Double($0 - largest)) }
    let sum = weights.reduce(0, +)
    return weights.map { Float($0 / sum) }
  }
}

extension Trainer {
  /// Answers an `ask` request. Call this between two steps only.
  func answer(_ text: String, for request: Request, _ outlets: Outlets) {
    let tokenizer = corpus.tokenizer
    guard tokenizer.takesAll(of: text) else {
      return refuse(request, "\(text.quotation) has words that are not tokens of this run", outlets)
    }
    let expectation = model.expectation(after: tokenizer.tokens(of: text), heads: heads, by: tokenizer)
    guard model.failure == nil else { return }
    let line = "\(text.excerpt.quotation) → \(expectation.line)"
    var answer = Occurrence(
      .notice, step: state.step, time: wallTime(), key: request.command.word, actor: request.actor,
      request: request.id, text: line.prefix(ofBytes: Annotation.mostBytes))
    answer.expectation = expectation
    outlets.report(.occurred(answer))
  }
}

extension String {
  /// The longest beginning of at most `most` bytes in UTF-8.
  fileprivate func prefix(ofBytes most: Int) -> String {
    var prefix = self
    while prefix.utf8.count > most { prefix.removeLast() }
    return prefix
  }
}

extension TrainedNetwork {
  /// The heads' predictions after a text; see `Expectation`.
  /// - Throws: `UserError` if a product fails.
  package func expectation(after text: [Int32], by tokenizer: Tokenizer) throws -> Expectation {
    let expectation = model.expectation(after: text, heads: recipe.heads, by: tokenizer)
    if let failure = model.failure { throw UserError(failure) }
    return expectation
  }
}
