// What the rules of sampling leave, beside a slow twin, and how often each token is drawn.
import Foundation
import Kernels
import Run
import Support
import Testing

@testable import Training

@Suite struct SamplingTests {
  /// The probabilities that are left, by definition: sort, cut, divide.
  private func twin(_ logits: [Float], _ rules: SamplingRules) -> [Double] {
    let top = logits.map(Double.init).max()!
    var shares = logits.map { exp((Double($0) - top) / rules.temperature) }
    func divide() {
      let sum = shares.reduce(0, +)
      shares = shares.map { $0 / sum }
    }
    func order() -> [Int] { shares.indices.sorted { (shares[$0], $1) > (shares[$1], $0) } }
    divide()
    if rules.topK > 0 { for token in order().dropFirst(rules.topK) { shares[token] = 0 } }
    divide()
    if rules.topP < 1 {
      var likelier = 0.0
      for (place, token) in order().enumerated() {
        let share = shares[token]
        if place > 0 && likelier >= rules.topP { shares[token] = 0 }
        likelier += share
      }
      divide()
    }
    let most = shares.max()!
    for token in shares.indices where shares[token] < rules.minP * most { shares[token] = 0 }
    divide()
    return shares
  }

  private func left(_ logits: [Float], _ rules: SamplingRules) -> [Double] {
    let sampling = Sampling(rules: rules, random: RandomStream(seed: 1, purpose: "test"))
    let weights = sampling.weights(of: logits, best: Int(logits.largest))
    let sum = weights.reduce(0, +)
    return weights.map { $0 / sum }
  }

  @Test func `what is left is what the twin leaves`() {
    var dice = Dice(for: "sampling rules")
    for trial in 0..<400 {
      let count = Int.random(in: 1...300, using: &dice)
      // Flat ones, steep ones, and some with many equal logits.
      var logits = dice.floats(count, scale: [0.1, 1, 8, 60][trial % 4])
      if trial % 3 == 0 { logits = logits.map { ($0 * 4).rounded() / 4 } }
      var rules = SamplingRules(temperature: [0.3, 1, 2.5].randomElement(using: &dice)!)
      if Bool.random(using: &dice) { rules.topK = Int.random(in: 0...count + 2, using: &dice) }
      if Bool.random(using: &dice) { rules.topP = [1e-9, 0.1, 0.5, 0.9, 0.999].randomElement(using: &dice)! }
      if Bool.random(using: &dice) { rules.minP = [0.001, 0.05, 0.5, 1].randomElement(using: &dice)! }
      let (found, expected) = (left(logits, rules), twin(logits, rules))
      let difference = zip(found, expected).map { abs($0 - $1) }.max()!
      // A sum that meets top-p to rounding may fall on either side: the twin divides, and the rule does not.
      let isBorderline = zip(found, expected).count { ($0 == 0) != ($1 == 0) } == 1
      #expect(difference < 1e-9 || (rules.topP < 1 && isBorderline), "trial \(trial), \(rules), \(Trial.note)")
      #expect(found.contains { $0 > 0 })
    }
  }

  @Test func `tokens are drawn as often as their probabilities say`() {
    var rules = SamplingRules(temperature: 1.3)
    rules.topK = 6
    rules.minP = 0.05
    let logits: [Float] = [0, 2, -1, 1.5, 0.5, 3, -8, 2.2, 1]
    let shares = twin(logits, rules)
    let sampling = Sampling(rules: rules, random: RandomStream(seed: Trial.seed, purpose: "statistics"))
    let draws = 40_000
    var counts = [Int](repeating: 0, count: logits.count)
    for index in 0..<draws { counts[Int(sampling.token(from: logits, index: index))] += 1 }
    // Pearson's chi-square: 5 degrees of freedom, p = 1e-5 at 30.9.
    #expect(shares.count { $0 > 0 } == 6)
    let square = zip(counts, shares).reduce(0.0) { sum, pair in
      guard pair.1 > 0 else { return sum + Double(pair.0) * 1e9 }
      let expected = pair.1 * Double(draws)
      return sum + (Double(pair.0) - expected) * (Double(pair.0) - expected) / expected
    }
    #expect(square < 30.9, "\(counts) \(shares), \(Trial.note)")
  }

  @Test func `the penalty divides positive logits and multiplies negative ones of what was seen`() {
    var rules = SamplingRules(temperature: 0)
    rules.repetitionPenalty = 2
    let sampling = Sampling(rules: rules, random: RandomStream(seed: 1, purpose: "test"))
    #expect(sampling.token(from: [1, 1.9, 0.9], index: 0) == 1)
    #expect(sampling.token(from: [1, 1.9, 0.9], index: 0, seen: [1]) == 0)
    #expect(sampling.token(from: [1, 2.1, 0.9], index: 0, seen: [1]) == 1)
    #expect(sampling.token(from: [-1, -0.6, -1.1], index: 0, seen: [1]) == 0)
    #expect(sampling.token(from: [-1, -0.4, -1.1], index: 0, seen: [1]) == 1)
  }

  @Test func `texts beside each other are those that their seeds give alone`() throws {
    let network = try TrainedNetwork(Tiny.train(Tiny.recipe).checkpoint, threads: 2)
    var rules = SamplingRules(temperature: 1)
    rules.topP = 0.95
    rules.repetitionPenalty = 1.2
    func texts(_ count: Int) throws -> [[Int32]] {
      var texts = [[Int32]](repeating: [], count: count)
      try network.write(after: [97, 98], texts: count, tokens: 40, rules: rules, seed: 5) { text, token in
        texts[text].append(token)
        // Some end early, which changes nothing in the others.
        return text % 2 == 0 || texts[text].count < 7
      }
      return texts
    }
    let (one, many) = (try texts(1), try texts(20))
    #expect(one[0] == many[0])
    #expect(try texts(3) == Array(many[..<3]))
    #expect(many.map(\.count) == (0..<20).map { $0 % 2 == 0 ? 40 : 7 })
    #expect(Set(many.map { Array($0.prefix(7)) }).count > 15)
  }
}

@Suite struct StopWatcherTests {
  @Test func `a text ends before the stop string that is complete first, however its bytes come`() {
    var dice = Dice(for: "stop")
    for _ in 0..<500 {
      let stops = (0..<Int.random(in: 1...3, using: &dice)).map { _ in
        dice.tokens(Int.random(in: 1...4, using: &dice), below: 2).map { UInt8($0) }
      }
      let text = dice.tokens(Int.random(in: 0...12, using: &dice), below: 2).map { UInt8($0) }
      // The first end of a stop string, and of those that end there the first beginning.
      let end = (0...text.count).first { end in
        stops.contains { $0.count <= end && text[(end - $0.count)..<end] == $0[...] }
      }
      let place = end.flatMap { end in
        stops.filter { $0.count <= end && text[(end - $0.count)..<end] == $0[...] }.map { end - $0.count }.min()
      }
      var watcher = StopWatcher(stops)
      var shown: [UInt8] = []
      var rest = text[...]
      while !rest.isEmpty, !watcher.hasStopped {
        let size = Int.random(in: 1...3, using: &dice)
        shown += watcher.take(Array(rest.prefix(size)))
        rest = rest.dropFirst(size)
        #expect(text.starts(with: shown), "\(Trial.note)")
      }
      #expect(watcher.hasStopped == (place != nil), "\(stops) in \(text), \(Trial.note)")
      if !watcher.hasStopped { shown += watcher.finish() }
      #expect(shown == Array(text[..<(place ?? text.count)]), "\(stops) in \(text), \(Trial.note)")
    }
  }

  @Test func `nothing waits that no stop string begins with`() {
    var watcher = StopWatcher([Array("END".utf8)])
    #expect(watcher.take(Array("the E".utf8)) == Array("the ".utf8))
    #expect(watcher.take(Array("N".utf8)) == [])
    #expect(watcher.take(Array("d".utf8)) == Array("ENd".utf8))
    #expect(watcher.finish() == [])
  }
}
