// The stage of a run that targets depend on, from the recipe and the steps taken.
import Corpus
import Kernels
import Run
import Transformer

extension Recipe {
  /// The tokens of a corpus that `data.windows` leaves for training: whole windows, the last of which has no token after it to
  /// look ahead at.
  package func trained(of corpus: Corpus) -> TokenRange {
    let part = corpus.training
    guard data.windows > 0, data.windows < part.windows(of: model.context) else { return part }
    return part.part(0..<data.windows * model.context)
  }

  /// The stage of a step.
  /// - Parameters:
  ///   - step: steps taken before it.
  ///   - prefixes: as `Tokenizer.prefixes` makes them; empty where the recipe has no use for them.
  package func stage(at step: Int, prefixes: [Int32]) -> TargetStage {
    let next = objective.next
    return TargetStage(
      progress: Double(step) / Double(max(1, steps)), further: Float(next.further), prefix: Float(next.prefix),
      prefixes: prefixes, isMean: next.mean,
      shape: WeightShape(
        beta: Float(next.beta), head: Float(next.head), tail: Float(next.tail), likeliest: next.likeliest),
      teacher: Float(objective.teacher.weight(at: step)))
  }

  /// The number of steps whose next-token loss is not plain cross-entropy. They are the first ones: whatever shapes the loss stays
  /// for the whole run, or comes to an end.
  package var shapedSteps: Int {
    guard shapesNextToken else { return 0 }
    // Which tokens begin with which does not matter here.
    let prefixes: [Int32] = objective.next.prefix > 0 ? [-1] : []
    var (shaped, plain) = (0, steps)
    while shaped < plain {
      let step = (shaped + plain) / 2
      let isPlain = stage(at: step, prefixes: prefixes).isPlain(ahead: objective.next.ahead)
      if isPlain { plain = step } else { shaped = step + 1 }
    }
    return shaped
  }
}

extension Tokenizer {
  /// Of each token the longest other one that its text begins with; −1 where there is none. Special tokens and those without
  /// text begin no other. Of a piece and a byte with the same text, the piece counts: a text never has that byte's token.
  var prefixes: [Int32] {
    let texts = (0..<Int32(vocabulary)).map { isSpecial($0) ? [] : bytes(of: [$0], continuing: true) }
    var tokens: [[UInt8]: Int32] = [:]
    let fallbacks = texts.indices.filter { isByteOfUnknown(Int32($0)) }
    let others = texts.indices.filter { !isByteOfUnknown(Int32($0)) }
    for token in others + fallbacks where !texts[token].isEmpty && tokens[texts[token]] == nil {
      tokens[texts[token]] = Int32(token)
    }
    return texts.map { text in
      for length in Swift.stride(from: text.count - 1, through: 1, by: -1) {
        if let prefix = tokens[Array(text[..<length])] { return prefix }
      }
      return -1
    }
  }
}
