// A token that the TOP head is to rank, as a sample shows it.

extension OrderSample {
  /// An upcoming token.
  package struct Upcoming: Codable, Sendable, Equatable {
    /// The token's text, in visible form (see `Visible` in Corpus).
    package var token: String
    /// How many tokens ahead it first occurs: 1 is next.
    package var distance: Int
    /// Its share of the target distribution.
    package var weight: Float
    /// Its place in the head's ranking of the whole vocabulary: 1 is first.
    package var rank: Int

    package init(token: String, distance: Int, weight: Float, rank: Int) {
      (self.token, self.distance, self.weight, self.rank) = (token, distance, weight, rank)
    }
  }
}
