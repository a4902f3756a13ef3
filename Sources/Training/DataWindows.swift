// What a network is going to see: the windows of a corpus in the order in which training takes them, with the targets of every
// position, by the code that trains.
import Corpus
import Run
import Transformer

/// The windows of a recipe's training part.
package struct DataWindows: Sendable {
  /// A target with its weight, and how far ahead it first comes.
  package struct DataTarget: Sendable, Equatable {
    package let token: Int32
    package let weight: Float
    package let distance: Int
  }

  /// A window.
  package struct DataWindow: Sendable {
    /// Its place in the order of training, from 0.
    package let number: Int
    /// Its tokens, T of them, and the tokens after it that its targets need; −1 where the text ends.
    package let tokens: [Int32]
    /// T.
    package let context: Int
    /// The document of each token, counted from the part's first; nil where all is one text.
    package let documents: [Int32]?
    /// Of each of the T positions, whether a loss counts there: NTP's.
    package let mask: [Bool]
    /// TOP's targets of each of the T positions, nearest first; they sum to 1.
    package let order: [[DataTarget]]

    /// The token that is `distance` ahead of a position, which NTP (1) and the MTP heads (2, 3, …) are to predict; nil where there
    /// is none, or it belongs to another document.
    package func token(ahead distance: Int, of position: Int) -> Int32? {
      let place = position + distance
      guard tokens.indices.contains(place), tokens[place] >= 0 else { return nil }
      if let documents, documents[place] != documents[position] { return nil }
      return tokens[place]
    }
  }

  package let recipe: Recipe
  private let part: TokenRange

  /// - Parameter corpus: opened with the recipe's source.
  package init(_ recipe: Recipe, of corpus: Corpus) {
    self.recipe = recipe
    part = recipe.trained(of: corpus)
  }

  /// Windows of a pass.
  package var count: Int { part.windows(of: recipe.model.context) }

  /// The TOP objective with the recipe's numbers, whether or not the recipe trains that head.
  private var order: Objective { Objective(.top, in: recipe) }

  /// Reads a window.
  /// - Parameter number: its place in the order of training, from 0; beyond `count`, those of later passes.
  /// - Throws: `CorpusError` where the part cannot be read, or has changed.
  package func window(_ number: Int) throws(CorpusError) -> DataWindow {
    let context = recipe.model.context
    let order = order
    var batches = Batches(
      of: part, rows: 1, context: context, lookahead: max(recipe.lookahead, order.lookahead), seed: recipe.seed,
      window: number)
    let batch = try batches.next()
    let tokens = Array(UnsafeBufferPointer(start: batch.tokens, count: batch.stride))
    let documents = batch.documents.map { Array(UnsafeBufferPointer(start: $0, count: batch.stride)) }
    // A source may mask positions: they have no targets, whatever follows.
    let counts = (0..<context).map { position in batch.mask.map { $0[position] != 0 } ?? true }
    let next = Transformer.allTargets(of: .nextToken(NextToken()), in: tokens, documents: documents)
    let upcoming = Transformer.allTargets(of: order, in: tokens, documents: documents)
    return DataWindow(
      number: number, tokens: tokens, context: context, documents: documents,
      mask: (0..<context).map { counts[$0] && !next[$0].isEmpty },
      order: (0..<context).map { position in
        guard counts[position] else { return [] }
        return upcoming[position].map { token, weight in
          // The first place ahead where the token stands.
          let place = tokens[(position + 1)...].firstIndex(of: token) ?? position
          return DataTarget(token: token, weight: weight, distance: place - position)
        }
      })
  }

  /// How often tokens come in the training part.
  /// - Parameter most: tokens that are looked at, from the beginning.
  /// - Returns: counts by token, and how many were looked at.
  /// - Throws: `CorpusError` where the part cannot be read.
  package func counts(most: Int = 1 << 25) throws(CorpusError) -> (counts: [Int32: Int], of: Int) {
    let all = min(part.count, most)
    var counts: [Int32: Int] = [:]
    var start = 0
    while start < all {
      let end = min(start + 65_536, all)
      for token in try part.tokens(start..<end) { counts[token, default: 0] += 1 }
      start = end
    }
    return (counts, all)
  }
}
