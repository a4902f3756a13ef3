// The data that a network is trained on, as values for the data screen: the corpus in numbers, and windows with their targets.
import Run

/// The corpus of a recipe in numbers.
package struct DataSummary: Sendable, Equatable {
  /// A token and its number of occurrences.
  package struct TokenCount: Sendable, Equatable {
    package let token: Int
    package let text: String
    package let count: Int

    package init(token: Int, text: String, count: Int) { (self.token, self.text, self.count) = (token, text, count) }
  }

  package var name: String
  /// The corpus in one line: its name and its size.
  package var corpus: String
  package var files: Int
  /// The number of documents in both parts; nil if the corpus is one text.
  package var documents: Int?
  package var bytes: Int
  package var trainingTokens: Int
  package var heldOutTokens: Int
  package var vocabulary: Int
  /// Entropy of the token frequencies in nats: the loss of a network that knows nothing else.
  package var unigramEntropy: Double
  /// The context T in tokens, and the number of windows in one pass.
  package var context: Int
  package var windows: Int
  /// Tokens per step, and the number of steps.
  package var tokensPerStep: Int
  package var steps: Int
  /// TOP's window in tokens, and the number of MTP heads.
  package var orderWindow: Int
  package var multiTokenHeads: Int
  /// The commonest tokens, and the number of tokens among which they were counted.
  package var commonest: [TokenCount]
  package var counted: Int

  package init(
    name: String, corpus: String, files: Int, documents: Int?, bytes: Int, trainingTokens: Int, heldOutTokens: Int,
    vocabulary: Int, unigramEntropy: Double, context: Int, windows: Int, tokensPerStep: Int, steps: Int,
    orderWindow: Int, multiTokenHeads: Int, commonest: [TokenCount], counted: Int
  ) {
    self.name = name
    self.corpus = corpus
    self.files = files
    self.documents = documents
    self.bytes = bytes
    self.trainingTokens = trainingTokens
    self.heldOutTokens = heldOutTokens
    self.vocabulary = vocabulary
    self.unigramEntropy = unigramEntropy
    self.context = context
    self.windows = windows
    self.tokensPerStep = tokensPerStep
    self.steps = steps
    self.orderWindow = orderWindow
    self.multiTokenHeads = multiTokenHeads
    self.commonest = commonest
    self.counted = counted
  }

  package var bytesPerToken: Double { Double(bytes) / Double(max(trainingTokens + heldOutTokens, 1)) }
  /// The number of passes over the training part: how often each window is trained on.
  package var passes: Double { Double(steps) * Double(tokensPerStep) / Double(max(windows * context, 1)) }

  /// `0.0249 passes in 200 steps`.
  package var passesWords: String {
    let words = passes >= 1000 ? Figure.short(passes) : Figure.factor(passes)
    return "\(words) passes in \(Figure.grouped(steps)) steps"
  }
}

/// A window of the text.
package struct DataPage: Sendable, Equatable {
  /// A target of TOP at a position: an upcoming token and its weight.
  package struct PageTarget: Sendable, Equatable {
    package let token, distance: Int
    package let text: String
    package let weight: Double

    package init(token: Int, text: String, weight: Double, distance: Int) {
      (self.token, self.text, self.weight, self.distance) = (token, text, weight, distance)
    }
  }

  /// The window's place in the order of training, from 0.
  package let number: Int
  /// T tokens, and the visible text of each.
  package let tokens: [Int]
  package let text: [String]
  /// The document of each token; nil if the corpus is one text.
  package let documents: [Int]?
  /// For each position, true if its losses count.
  package let mask: [Bool]
  /// NTP's target at each position, the next token; nil at positions without a target.
  package let next: [Int?]
  /// For each position, the targets of NTP and the MTP heads at distances 1, 2, … as text; nil without a target.
  package let ahead: [[String?]]
  package let order: [[PageTarget]]

  package init(
    number: Int, tokens: [Int], text: [String], documents: [Int]?, mask: [Bool], next: [Int?],
    ahead: [[String?]],
    order: [[PageTarget]]
  ) {
    self.number = number
    self.tokens = tokens
    self.text = text
    self.documents = documents
    self.mask = mask
    self.next = next
    self.ahead = ahead
    self.order = order
  }

  /// True if a document begins at this token; false for the window's first token.
  package func beginsDocument(_ index: Int) -> Bool {
    guard let documents, index > 0 else { return false }
    return documents[index] != documents[index - 1]
  }

  /// The first token after a position with which a document begins; nil if none begins there inside this window.
  func documentBeginning(after position: Int) -> Int? {
    tokens.indices.first { $0 > position && beginsDocument($0) }
  }
}
