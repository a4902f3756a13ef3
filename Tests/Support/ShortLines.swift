// A text that is made up of a few words: the same bytes on every machine and with every compiler, and easy to learn.

/// Lines of two to nine words.
package enum ShortLines {
  private static let words = [
    "the", "lookout", "sees", "a", "sail", "and", "calls", "down", "to", "deck", "who", "answers", "it", "is", "far",
  ]

  /// - Parameter count: lines.
  package static func text(_ count: Int, seed: UInt64 = 1) -> String {
    var dice = Dice(seed)
    // Remainders rather than the library's own choice, which another release of it may make otherwise.
    func number(below bound: Int) -> Int { Int(dice.next() % UInt64(bound)) }
    return (0..<count).map { _ in
      (0..<2 + number(below: 8)).map { _ in words[number(below: words.count)] }.joined(separator: " ")
    }.joined(separator: "\n")
  }
}
