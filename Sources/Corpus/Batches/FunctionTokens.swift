// Function tokens: the few tokens that a text has most of its grammar from (“Memory retrieval and consolidation in large language models
// through function tokens”, arXiv 2510.08203).

/// The function tokens of a text: the most frequent tokens, from the first on until they make 40 % of all occurrences. The set
/// follows from the frequencies in the training part alone, so that every session of a run has the same.
package struct FunctionTokens: Sendable, Equatable {
  /// The share of the occurrences that function tokens have.
  package static let share = 0.4

  /// The tokens, most frequent first; of equally frequent ones the lower comes first.
  package let tokens: [Int32]
  private let isFunction: [Bool]

  /// - Parameter frequencies: how often each token of the vocabulary comes.
  package init(_ frequencies: [Int]) {
    let order = frequencies.indices.filter { frequencies[$0] > 0 }.sorted {
      (frequencies[$0], $1) > (frequencies[$1], $0)
    }
    let total = frequencies.reduce(0, +)
    var taken = 0
    var tokens: [Int32] = []
    var isFunction = [Bool](repeating: false, count: frequencies.count)
    for token in order where Double(taken) < Self.share * Double(total) {
      taken += frequencies[token]
      tokens.append(Int32(token))
      isFunction[token] = true
    }
    self.tokens = tokens
    self.isFunction = isFunction
  }

  package func contains(_ token: Int32) -> Bool {
    isFunction.indices.contains(Int(token)) && isFunction[Int(token)]
  }
}
