// Scores a task: the log-likelihood of every continuation, and the share of right answers. The numbers are those of
// lm-evaluation-harness for the exported network.
import Corpus
import Foundation
import Run
import Transformer

/// The result of one question.
package struct TaskResult: Sendable, Equatable {
  package var item: TaskItem
  /// The log-likelihood of each continuation after the context: the sum over its tokens, nats.
  package var logLikelihoods: [Double]
  /// The number of tokens of each continuation.
  package var tokens: [Int]
  /// For each continuation, true if each of its tokens is the likeliest one.
  package var isGreedy: [Bool]

  /// The likeliest continuation; of equal ones the first.
  package var choice: Int { Self.best(logLikelihoods) }
  /// The likeliest continuation by log-likelihood per character.
  package var normalizedChoice: Int { Self.best(zip(logLikelihoods, item.lengths).map { $0 / Double(max(1, $1)) }) }

  private static func best(_ values: [Double]) -> Int {
    values.indices.reduce(0) { values[$1] > values[$0] ? $1 : $0 }
  }

  /// True if the answer is right.
  package var isRight: Bool {
    switch item.answer {
    case .choice(let answer): choice == answer
    case .word: isGreedy[0]
    }
  }

  /// True if the choice normalised for length is right; nil for a last word.
  package var isRightNormalized: Bool? {
    if case .choice(let answer) = item.answer { normalizedChoice == answer } else { nil }
  }

  package var json: JSON {
    var members = [JSON.Member("line", .integer(item.line))]
    if case .choice(let answer) = item.answer {
      members += [
        JSON.Member("answer", .integer(answer)), JSON.Member("choice", .integer(choice)),
        JSON.Member("normalizedChoice", .integer(normalizedChoice)),
      ]
    }
    members += [
      JSON.Member("right", .flag(isRight)), JSON.Member("logLikelihoods", .array(logLikelihoods.map(JSON.double))),
      JSON.Member("tokens", .array(tokens.map(JSON.integer))), JSON.Member("greedy", .array(isGreedy.map(JSON.flag))),
    ]
    return .object(members)
  }
}

/// The result of a task.
package struct TaskSummary: Sendable {
  package var items: Int
  package var accuracy: Double
  /// The share of right choices by log-likelihood per character; nil for last words.
  package var normalizedAccuracy: Double?
  /// Perplexity of last words: e to the mean negative log-likelihood of a word; nil for choices.
  package var perplexity: Double?
  /// The expected share of right guesses; nil for last words.
  package var chance: Double?

  package init(_ results: [TaskResult]) {
    let count = Double(max(1, results.count))
    func share(_ isRight: (TaskResult) -> Bool) -> Double { Double(results.count(where: isRight)) / count }
    items = results.count
    accuracy = share(\.isRight)
    guard case .choice = results.first?.item.answer else {
      perplexity = exp(-results.reduce(0) { $0 + $1.logLikelihoods[0] } / count)
      return
    }
    normalizedAccuracy = share { $0.isRightNormalized == true }
    chance = results.reduce(0) { $0 + 1 / Double($1.item.continuations.count) } / count
  }

  /// The standard error of a share of these items.
  package func standardError(_ share: Double) -> Double {
    items > 1 ? (share * (1 - share) / Double(items - 1)).squareRoot() : 0
  }

  package var json: JSON {
    var members = [
      JSON.Member("items", .integer(items)), JSON.Member("accuracy", .double(accuracy)),
      JSON.Member("accuracyStandardError", .double(standardError(accuracy))),
    ]
    if let normalizedAccuracy {
      members += [
        JSON.Member("normalizedAccuracy", .double(normalizedAccuracy)),
        JSON.Member("normalizedAccuracyStandardError", .double(standardError(normalizedAccuracy))),
      ]
    }
    if let perplexity { members.append(JSON.Member("perplexity", .double(perplexity))) }
    if let chance { members.append(JSON.Member("chance", .double(chance))) }
    return .object(members)
  }
}

/// The tokens of a context, to which continuations are added.
private struct TaskContext {
  let text: String
  /// The tokens without final white space, which belongs to the continuation.
  let tokens: [Int32]

  init(_ text: String, by tokenizer: Tokenizer) {
    let scalars = Array(text.unicodeScalars)
    let end = (scalars.lastIndex { !$0.isPythonSpace } ?? -1) + 1
    self.text = text
    tokens = tokenizer.tokens(of: String(String.UnicodeScalarView(scalars[..<end])))
  }

  /// The tokens of a continuation: both are tokenized together and divided where the context alone ends. This is what
  /// lm-evaluation-harness does.
  func tokens(of continuation: String, by tokenizer: Tokenizer) -> [Int32] {
    Array(tokenizer.tokens(of: text + continuation).dropFirst(tokens.count))
  }
}

extension TrainedNetwork {
  /// Scores a task.
  /// - Parameter each: receives every result in order; scoring stops when it returns false.
  /// - Throws: `UserError` when the network has no NTP head, the tokenizer takes no text, or a continuation does not fit.
  package func score(_ task: TaskSet, by tokenizer: Tokenizer, each: (TaskResult) throws -> Bool) throws {
    try requireText()
    guard tokenizer.kind != .tokens, tokenizer.kind != .graph else {
      throw UserError(.usage, "--task needs a network of text, and this one reads \(tokenizer.kind.rawValue)")
    }
    try model.score(task, by: tokenizer, each: each)
  }
}

extension Transformer {
  /// Scores a task with the weights as they are.
  /// - Parameter each: receives every result in order; scoring stops when it returns false.
  /// - Throws: `UserError` when a continuation does not fit into the network's context.
  func score(_ task: TaskSet, by tokenizer: Tokenizer, each: (TaskResult) throws -> Bool) throws {
    var decoder = try Decoder(configuration)
    for item in task.items {
      var result = TaskResult(item: item, logLikelihoods: [], tokens: [], isGreedy: [])
      let question = try TaskQuestion(item, by: tokenizer, context: configuration.context, source: task.source)
      for (inputs, tokens) in question.continuations {
        let scored = inputs.count - tokens.count
        try decoder.keep(inputs[..<scored], by: self)
        let scores = try decoder.logLikelihoods(reading: Array(inputs[scored...]), of: tokens, by: self)
        result.logLikelihoods.append(scores.reduce(0) { $0 + Double($1.value) })
        result.tokens.append(tokens.count)
        result.isGreedy.append(scores.allSatisfy(\.isLikeliest))
      }
      guard try each(result) else { return }
    }
  }
}

/// A question as tokens.
private struct TaskQuestion {
  /// For each continuation: what is read, as many of the last tokens as the context holds, and the tokens that are scored, the
  /// last of which nothing is predicted from.
  private(set) var continuations: [(inputs: [Int32], tokens: [Int32])] = []

  /// - Throws: `UserError` with the file and the line when a continuation does not fit into the context.
  init(_ item: TaskItem, by tokenizer: Tokenizer, context: Int, source: String) throws {
    let before = TaskContext(item.context, by: tokenizer)
    for continuation in item.continuations {
      let tokens = before.tokens(of: continuation, by: tokenizer)
      guard !before.tokens.isEmpty, (1...context).contains(tokens.count) else {
        throw UserError(
          .data,
          "\(source):\(item.line): \(continuation.quotation) has \(tokens.count) tokens after a context of "
            + "\(before.tokens.count): at least one of each is needed, and at most \(context), as long as the network's context"
        )
      }
      continuations.append((Array((before.tokens + tokens).suffix(context + 1).dropLast()), tokens))
    }
  }
}

extension TaskSet {
  /// - Throws: `UserError` with the file and the line of the first question that does not fit into the context.
  func check(by tokenizer: Tokenizer, context: Int) throws {
    for item in items { _ = try TaskQuestion(item, by: tokenizer, context: context, source: source) }
  }
}
