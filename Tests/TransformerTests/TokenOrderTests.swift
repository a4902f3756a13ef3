// TOP's targets against the definition, read off literally.
import Foundation
import Support
import Testing
import Transformer

@Suite struct TokenOrderTests {
  /// Targets as a table, so that order does not matter.
  private func table(_ targets: [(token: Int32, weight: Float)]) -> [Int: Double] {
    Dictionary(uniqueKeysWithValues: targets.map { (Int($0.token), Double($0.weight)) })
  }

  private func agree(_ a: [Int: Double], _ b: [(token: Int, weight: Double)], capacity: Int) -> Bool {
    let near = b.prefix(capacity)
    return a.count == near.count && near.allSatisfy { abs((a[$0.token] ?? -1) - $0.weight) < 1e-6 }
  }

  @Test(arguments: [(2, 3), (5, 8), (40, 16), (300, 64), (300, 200)], [Float(1), 3])
  func `targets of random sequences are the definition's`(shape: (vocabulary: Int, window: Int), temperature: Float) {
    var dice = Dice(UInt64(shape.vocabulary * 1000 + shape.window))
    for _ in 0..<5 {
      var row = dice.tokens(90, below: shape.vocabulary)
      // Some tokens are missing: they are no targets but take up distance.
      for i in row.indices where Int.random(in: 0..<10, using: &dice) == 0 { row[i] = -1 }
      let order = TokenOrder(window: shape.window, temperature: temperature)
      for t in row.indices where row[t] >= 0 {
        let targets = Transformer.targets(of: .tokenOrder(order), in: row, at: t)
        let expected = Reference.tokenOrder(row, at: t, window: shape.window, temperature: Double(temperature))
        #expect(agree(table(targets), expected, capacity: order.capacity), "position \(t)")
        #expect(targets.isEmpty || abs(targets.reduce(0) { $0 + $1.weight } - 1) < 1e-5)
      }
    }
  }

  @Test func `algorithm 1 leaves the current token out`() {
    var dice = Dice(11)
    let row = dice.tokens(60, below: 6)
    let order = TokenOrder(window: 20, semantics: .algorithm1)
    for t in row.indices {
      let targets = Transformer.targets(of: .tokenOrder(order), in: row, at: t)
      #expect(!targets.contains { $0.token == row[t] })
      let expected = Reference.tokenOrder(row, at: t, window: 20, leavesOutCurrent: true)
      #expect(agree(table(targets), expected, capacity: order.capacity))
    }
  }

  @Test func `an immediate repeat is a target at distance 1`() {
    let targets = Transformer.targets(of: .tokenOrder(TokenOrder(window: 4)), in: [7, 7, 7, 3], at: 0)
    #expect(targets.map(\.token) == [7, 3])
    #expect(abs(targets[0].weight / targets[1].weight - Float(M_E * M_E)) < 1e-4)
  }

  @Test func `distinct tokens ahead weigh .632 .233 .086 and their entropy is 1.0407 nats`() {
    let row = (0..<40).map(Int32.init)
    let targets = Transformer.targets(of: .tokenOrder(TokenOrder(window: 39)), in: row, at: 0)
    #expect(targets.count == 32)
    #expect(abs(targets[0].weight - 0.632) < 1e-3 && abs(targets[1].weight - 0.2325) < 1e-3)
    #expect(abs(targets[2].weight - 0.0855) < 1e-3)
    let entropy = -targets.reduce(0.0) { $0 + Double($1.weight) * log(Double($1.weight)) }
    #expect(abs(entropy - 1.0407) < 1e-4)
  }

  @Test func `half-precision scores tie the first two ranks at a window of 4096`() {
    let row = (0..<100).map(Int32.init)
    let order = TokenOrder(window: 4096, semantics: .float16Scores)
    let targets = Transformer.targets(of: .tokenOrder(order), in: row, at: 0)
    #expect(abs(targets[0].weight - 0.456) < 1e-3 && abs(targets[1].weight - 0.456) < 1e-3)
    #expect(abs(targets[2].weight - 0.062) < 1e-3)
  }

  @Test func `the last position has no target`() {
    #expect(Transformer.targets(of: .tokenOrder(TokenOrder(window: 4)), in: [1, 2, 3], at: 2).isEmpty)
    #expect(Transformer.targets(of: .nextToken(NextToken()), in: [1, 2, 3], at: 2).isEmpty)
  }
}
