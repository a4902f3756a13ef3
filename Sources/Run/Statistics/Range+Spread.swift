// Some of many: for tables and legends that have room for a few.

extension Range<Int> {
  /// At most so many of these numbers, evenly spread, with the first and the last among them.
  /// - Parameter most: at least 2.
  package func spread(most: Int) -> [Int] {
    precondition(most >= 2, "the first and the last are among them")
    return count <= most ? Array(self) : (0..<most).map { lowerBound + $0 * (count - 1) / (most - 1) }
  }
}
