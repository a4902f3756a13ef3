// What a network is going to see, as values for a screen: the text in numbers, and windows with their targets.

/// The text of a recipe in numbers.
package struct DataSummary: Sendable, Equatable {
  /// A token and how often it comes.
  package struct TokenCount: Sendable, Equatable {
    package let token: Int
    package let text: String
    package let count: Int

    package init(token: Int, text: String, count: Int) { (self.token, self.text, self.count) = (token, text, count) }
  }

  package var name: String
  /// The text in one line.
  package var corpus: String
  package var files: Int
  /// Documents of both parts; nil where all is taken as one text.
  package var documents: Int?
  package var bytes: Int
  package var trainingTokens: Int
  package var heldOutTokens: Int
  package var vocabulary: Int
  /// In nats: the loss of a network that knows only frequencies.
  package var unigramEntropy: Double
  /// T, and windows of a pass.
  package var context: Int
  package var windows: Int
  /// Tokens a step, and steps.
  package var tokensPerStep: Int
  package var steps: Int
  /// How far TOP looks ahead, and its weight; MTP's heads.
  package var orderWindow: Int
  package var multiTokenHeads: Int
  /// The commonest tokens, and of how many tokens they were counted.
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
  /// How often training takes each window.
  package var passes: Double { Double(steps) * Double(tokensPerStep) / Double(max(windows * context, 1)) }
}

/// A window of the text.
package struct DataPage: Sendable, Equatable {
  /// What TOP is to predict at a position: a token of the window or after it.
  package struct PageTarget: Sendable, Equatable {
    package let token: Int
    package let text: String
    package let weight: Double
    package let distance: Int

    package init(token: Int, text: String, weight: Double, distance: Int) {
      self.token = token
      self.text = text
      self.weight = weight
      self.distance = distance
    }
  }

  /// Its place in the order of training, from 0.
  package let number: Int
  /// T tokens, and their visible text.
  package let tokens: [Int]
  package let text: [String]
  /// The document of each; nil where all is one text.
  package let documents: [Int]?
  /// Whether a loss counts at each position.
  package let mask: [Bool]
  /// The token after each position, NTP's target; nil where there is none.
  package let next: [Int?]
  /// Of each position, the tokens that NTP and the MTP heads are to predict, at distances 1, 2, …: nil where there is none.
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

  /// Whether a document begins at a token that is not the window's first.
  package func beginsDocument(_ index: Int) -> Bool {
    guard let documents, index > 0 else { return false }
    return documents[index] != documents[index - 1]
  }
}
