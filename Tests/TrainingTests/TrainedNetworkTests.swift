// A stored network, asked: its losses, its texts, its refusals.
import Corpus
import Foundation
import Kernels
import Run
import Testing
import Training

@Suite struct TrainedNetworkTests {
  @Test func `it reads the losses that training measured`() throws {
    let result = try Tiny.train(Tiny.recipe)
    let reader = try TrainedNetwork(result.checkpoint, threads: 1)
    let again = try reader.measure(on: Tiny.corpus(Tiny.recipe).heldOut)
    let measured = try #require(result.log.evaluations.last)
    for (a, b) in zip(again.losses, measured.losses) {
      #expect(abs(a.loss - b.loss) < 1e-5)
      #expect(a.positions == b.positions)
      #expect(a.accuracy == b.accuracy)
    }
    #expect(again.order != nil && again.order == measured.order && again.paths.isEmpty)
  }

  @Test func `the ranking of a network whose weights are not numbers has no quality`() throws {
    var checkpoint = try Tiny.train(Tiny.recipe).checkpoint
    checkpoint.weights = Array(repeating: .nan, count: checkpoint.weights.count)
    let measured = try TrainedNetwork(checkpoint, threads: 1).measure(on: Tiny.corpus(Tiny.recipe).heldOut)
    let order = try #require(measured.order)
    #expect(order.parts.allSatisfy { $0.value.isNaN })
    #expect(measured.losses.allSatisfy { !$0.loss.isFinite })
  }

  @Test func `what it writes depends on the seed, and at temperature 0 on nothing`() throws {
    let reader = try TrainedNetwork(Tiny.train(Tiny.recipe).checkpoint, threads: 2)
    func text(_ temperature: Double, _ seed: UInt64) throws -> [Int32] {
      var tokens: [Int32] = []
      try reader.write(after: [97, 98], tokens: 40, temperature: temperature, seed: seed) {
        tokens.append($0)
        return true
      }
      return tokens
    }
    #expect(try text(1, 1).count == 40)
    #expect(try text(1, 1) == text(1, 1))
    #expect(try text(1, 1) != text(1, 2))
    #expect(try text(0, 1) == text(0, 2))
  }

  @Test func `a text shorter than a window is refused with its length`() throws {
    let reader = try TrainedNetwork(Tiny.train(Tiny.recipe).checkpoint, threads: 1)
    #expect(throws: UserError.self) { try reader.measure(on: TokenRange([1, 2, 3])) }
  }
}
