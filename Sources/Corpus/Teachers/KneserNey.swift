// An n-gram model with interpolated Kneser–Ney smoothing (Chen & Goodman 1999, “An empirical study of smoothing techniques for language
// modeling”, equation 23, one discount an order): the probability of w after the context h = x[t−n+2] … x[t] is
//   p_n(w | h) = max(c_n(h w) − D_n, 0) / c_n(h) + D_n · f_n(h) / c_n(h) · p_{n−1}(w | h'),   p_0 = 1 / V
// c_N counts how often h w comes; c_n for n < N how many different tokens precede it; c_n(h) = Σ_w c_n(h w); f_n(h): how many different w
// follow h; h': h without its first token; D_n = n₁ / (n₁ + 2 n₂) from the numbers of n-grams with counts 1 and 2. A context without
// followers, or that begins before its document, is shortened. Letters: N order, V vocabulary.
import Foundation

package struct KneserNey: Sendable {
  /// N.
  package let order: Int
  package let vocabulary: Int
  private let tokens: [Int32]
  /// Of each token, where its document begins.
  private let starts: [Int32]
  /// n = 2 … N.
  private let levels: [GramLevel]
  /// [V]: p_1.
  private let unigram: [Double]
  /// Tokens by p_1, likeliest first; of equal ones the lower first.
  private let likeliest: [Int32]

  /// The highest order.
  package static let mostOrder = 8

  /// The n-grams of one order, sorted by their tokens, so that those of a context stand together.
  private struct GramLevel: Sendable {
    /// n.
    let length: Int
    /// Where in the text each n-gram comes; the same n-grams once.
    let places: [Int32]
    /// c_n.
    let counts: [Int32]
    /// D_n.
    let discount: Double
  }

  /// The followers of one context.
  private struct Followers {
    let range: Range<Int>
    /// c_n(h).
    let total: Double
  }

  /// Counts the n-grams of a text.
  /// - Parameters:
  ///   - part: at most 2³¹ − 1 tokens.
  ///   - order: N, 1 … 8.
  ///   - progress: receives how many of how many orders are counted.
  /// - Throws: `CorpusError` when the text cannot be read.
  package init(
    of part: TokenRange, vocabulary: Int, order: Int, progress: (Int, Int) -> Void = { _, _ in }
  ) throws(CorpusError) {
    precondition((1...Self.mostOrder).contains(order) && part.count < Int(Int32.max) && part.count > 0)
    let tokens = try part.tokens(0..<part.count)
    var starts = [Int32](repeating: 0, count: tokens.count)
    for range in part.documentRanges { for place in range { starts[place] = Int32(range.lowerBound) } }
    var levels: [GramLevel] = []
    for length in Swift.stride(from: order, through: 1, by: -1) {
      var (places, counts) = Self.grams(tokens, starts, length: min(length + 1, order))
      if length < order {
        // Without their first tokens, (n + 1)-grams are n-grams: as many of one kind as tokens precede it.
        (places, counts) = Self.merged(tokens, places.map { $0 + 1 }, length: length)
      }
      let (ones, twos) = (counts.count { $0 == 1 }, counts.count { $0 == 2 })
      let discount = ones > 0 && twos > 0 ? Double(ones) / Double(ones + 2 * twos) : 0.5
      levels.append(GramLevel(length: length, places: places, counts: counts, discount: discount))
      progress(order - length + 1, order)
    }
    let first = levels.removeLast()
    let total = first.counts.reduce(0.0) { $0 + Double($1) }
    // Where no n-gram of two tokens exists, all tokens are as likely.
    let rest = total > 0 ? first.discount * Double(first.counts.count) / total : 1
    var unigram = [Double](repeating: rest / Double(vocabulary), count: vocabulary)
    for (place, count) in zip(first.places, first.counts) {
      unigram[Int(tokens[Int(place)])] += max(0, Double(count) - first.discount) / total
    }
    self.order = order
    self.vocabulary = vocabulary
    self.tokens = tokens
    self.starts = starts
    self.levels = levels.reversed()
    self.unigram = unigram
    likeliest = (0..<Int32(vocabulary)).sorted { (unigram[Int($1)], $0) < (unigram[Int($0)], $1) }
  }

  /// The different n-grams that lie in a document, and how often each comes.
  private static func grams(
    _ tokens: [Int32], _ starts: [Int32], length: Int
  ) -> (places: [Int32], counts: [Int32]) {
    var places: [Int32] = []
    places.reserveCapacity(tokens.count)
    for place in 0..<max(0, tokens.count - length + 1) where starts[place] == starts[place + length - 1] {
      places.append(Int32(place))
    }
    return merged(tokens, places, length: length)
  }

  /// Places of n-grams, sorted by their tokens; each n-gram once, with the number of its places.
  private static func merged(
    _ tokens: [Int32], _ places: [Int32], length: Int
  ) -> (places: [Int32], counts: [Int32]) {
    tokens.withUnsafeBufferPointer { tokens in
      let sorted = places.sorted { a, b in
        for k in 0..<length {
          let (x, y) = (tokens[Int(a) + k], tokens[Int(b) + k])
          if x != y { return x < y }
        }
        return a < b
      }
      var (kept, counts): ([Int32], [Int32]) = ([], [])
      for place in sorted {
        if let last = kept.last, (0..<length).allSatisfy({ tokens[Int(last) + $0] == tokens[Int(place) + $0] }) {
          counts[counts.count - 1] += 1
        } else {
          kept.append(place)
          counts.append(1)
        }
      }
      return (kept, counts)
    }
  }

  /// The followers of the n − 1 tokens that end at `end`; nil where there are none, or the context is not in one document.
  private func followers(_ level: GramLevel, end: Int) -> Followers? {
    let context = level.length - 1
    let first = end - context + 1
    guard first >= 0, starts[first] == starts[end] else { return nil }
    return tokens.withUnsafeBufferPointer { tokens in
      /// Whether an n-gram's context comes before the one that is looked for, or after it: −1, 0, 1.
      func order(_ index: Int) -> Int {
        let place = Int(level.places[index])
        for k in 0..<context {
          let (x, y) = (tokens[place + k], tokens[first + k])
          if x != y { return x < y ? -1 : 1 }
        }
        return 0
      }
      func bound(_ isBefore: (Int) -> Bool) -> Int {
        var (low, high) = (0, level.places.count)
        while low < high {
          let middle = (low + high) / 2
          if isBefore(order(middle)) { low = middle + 1 } else { high = middle }
        }
        return low
      }
      let start = bound { $0 < 0 }
      guard start < level.places.count, order(start) == 0 else { return nil }
      let range = start..<bound { $0 <= 0 }
      return Followers(range: range, total: range.reduce(0.0) { $0 + Double(level.counts[$1]) })
    }
  }

  /// Calls `add` with tokens and what higher orders add to their probabilities, some more than once.
  /// - Returns: the factor of p_1.
  private func eachShare(after end: Int, _ add: (_ token: Int32, _ share: Double) -> Void) -> Double {
    var weight = 1.0
    for level in levels.reversed() {
      guard let followers = followers(level, end: end) else { continue }
      for index in followers.range {
        let share = max(0, Double(level.counts[index]) - level.discount) / followers.total
        add(tokens[Int(level.places[index]) + level.length - 1], weight * share)
      }
      weight *= level.discount * Double(followers.range.count) / followers.total
    }
    return weight
  }

  /// The probability of every token after the text up to and with a place.
  /// - Returns: [V].
  package func probabilities(after end: Int) -> [Double] {
    var sums = [Double](repeating: 0, count: vocabulary)
    let weight = eachShare(after: end) { sums[Int($0)] += $1 }
    for token in sums.indices { sums[token] += weight * unigram[token] }
    return sums
  }

  /// The likeliest tokens after each place of a range, by p^(1/τ) / Σ p^(1/τ).
  /// - Parameter top: tokens a place, at most V.
  package func likeliest(after range: Range<Int>, top: Int, temperature: Double) -> TeacherRows {
    var rows = TeacherRows(tokens: [], weights: [])
    rows.tokens.reserveCapacity(range.count * top)
    rows.weights.reserveCapacity(range.count * top)
    var sums = [Double](repeating: 0, count: vocabulary)
    var isTouched = [Bool](repeating: false, count: vocabulary)
    func sharp(_ p: Double) -> Double { temperature == 1 ? p : pow(p, 1 / temperature) }
    // Σ p_1^(1/τ) over all tokens.
    let base = unigram.reduce(0) { $0 + sharp($1) }
    for end in range {
      var touched: [Int32] = []
      let weight = eachShare(after: end) { token, share in
        if !isTouched[Int(token)] {
          isTouched[Int(token)] = true
          touched.append(token)
        }
        sums[Int(token)] += share
      }
      var candidates = touched.map { (token: $0, p: sums[Int($0)] + weight * unigram[Int($0)]) }
      let left = base - touched.reduce(0) { $0 + sharp(unigram[Int($1)]) }
      var total = candidates.reduce(0) { $0 + sharp($1.p) } + sharp(weight) * max(0, left)
      var more = 0
      for token in likeliest where !isTouched[Int(token)] {
        if more == top { break }
        candidates.append((token, weight * unigram[Int(token)]))
        more += 1
      }
      if total <= 0 { total = 1 }
      let best = Self.best(candidates, top)
      rows.tokens += best.map(\.token)
      rows.weights += best.map { Float(sharp($0.p) / total) }
      for token in touched {
        isTouched[Int(token)] = false
        sums[Int(token)] = 0
      }
    }
    return rows
  }

  /// The largest, largest first; of equal ones the lower token first.
  private static func best(_ all: [(token: Int32, p: Double)], _ top: Int) -> [(token: Int32, p: Double)] {
    var best: [(token: Int32, p: Double)] = []
    best.reserveCapacity(top + 1)
    for candidate in all {
      if best.count == top, let last = best.last, (candidate.p, last.token) <= (last.p, candidate.token) { continue }
      let place = best.firstIndex { ($0.p, candidate.token) < (candidate.p, $0.token) } ?? best.count
      best.insert(candidate, at: place)
      if best.count > top { best.removeLast() }
    }
    return best
  }
}
