// What rank 0 has the others do. An order is a fixed number of numbers, so that everybody knows how many to receive.
import Run

/// An order of rank 0, with the numbers that steps depend on and that commands change.
struct RankOrder: Equatable {
  enum Kind: Int {
    /// Takes a step: see `Trainer.step`.
    case step = 1
    /// Measures its share of held-out windows.
    case evaluate
    /// Computes the gradients at the hidden states of its rows of the first held-out ones.
    case gradientsAtHidden
    /// Adds up the squares of gradients and updates that it owns.
    case groupGradients
    /// Sends the moments that it owns.
    case moments
    /// Nothing more comes in this session.
    case end
  }

  var kind: Kind
  var step: Int
  var window: Int
  var rate: Double
  /// Of the optimizer, as they are now.
  var numbers: [Double]
  /// Held-out tokens that an evaluation measures; 0 for all.
  var tokens: Int
  /// λ, one a head.
  var weights: [Double]

  private static let plain = 5
  private static let optimizer: [WritableKeyPath<Recipe.OptimizerSettings, Double> & Sendable] = [
    \.beta1, \.beta2, \.epsilon, \.momentum, \.weightDecay, \.clip,
  ]

  /// How many numbers an order has, for a network with so many heads.
  static func count(heads: Int) -> Int { plain + optimizer.count + heads }

  init(
    _ kind: Kind, step: Int, window: Int, rate: Double, optimizer: Recipe.OptimizerSettings, tokens: Int,
    weights: [Float]
  ) {
    self.kind = kind
    self.step = step
    self.window = window
    self.rate = rate
    numbers = Self.optimizer.map { optimizer[keyPath: $0] }
    self.tokens = tokens
    self.weights = weights.map(Double.init)
  }

  var words: [Double] {
    [Double(kind.rawValue), Double(step), Double(window), rate, Double(tokens)] + numbers + weights
  }

  /// - Throws: `UserError` where another version of the program gives orders.
  init(_ words: [Double]) throws(UserError) {
    guard words.count >= Self.count(heads: 0), let kind = Kind(rawValue: Int(words[0])) else {
      throw UserError(
        .data, "rank 0 gives an order that this foretop does not know: start the same program on every rank")
    }
    self.kind = kind
    (step, window, rate, tokens) = (Int(words[1]), Int(words[2]), words[3], Int(words[4]))
    numbers = Array(words[Self.plain..<Self.plain + Self.optimizer.count])
    weights = Array(words[(Self.plain + Self.optimizer.count)...])
  }

  /// Sets the optimizer's numbers.
  func apply(to settings: inout Recipe.OptimizerSettings) {
    for (path, number) in zip(Self.optimizer, numbers) { settings[keyPath: path] = number }
  }
}
