// Where parameters lie in memory: pages belong to the thread that writes to them first.
import Glibc
import Kernels
import Testing
import Transformer

@Suite struct FirstTouchTests {
  private static let page = 4096

  /// The share of a block's pages that are in memory.
  private func resident(_ start: UnsafeMutablePointer<Float>, count: Int) throws -> Double {
    let pages = (4 * count + Self.page - 1) / Self.page
    var states = [UInt8](repeating: 0, count: pages)
    let status = mincore(UnsafeMutableRawPointer(start), 4 * count, &states)
    try #require(status == 0)
    return Double(states.count { $0 & 1 == 1 }) / Double(pages)
  }

  private func network(momentShares: Int, isTrained: Bool = true) throws -> Transformer {
    let c = NetworkCase(testDescription: "", vocabulary: 500, width: 256, heads: 4, keyValueHeads: 4, inner: 512)
    return try Transformer(
      NetworkPlan(
        c.configuration, rows: 2, precision: .fp32, threads: 2, isTrained: isTrained, momentShares: momentShares))
  }

  @Test func `all parameters are touched by the threads that update them, before anyone else writes`() throws {
    let model = try network(momentShares: 1)
    let (parameters, count) = (model.parameters.layout.parameters, model.parameters.layout.count)
    #expect(parameters > 1_000_000)
    #expect(try resident(model.parameters.weights, count: count) == 1)
    #expect(try resident(model.parameters.gradients, count: count) == 1)
    #expect(try resident(model.parameters.firstMoments, count: count) == 1)
    #expect(try resident(model.parameters.secondMoments, count: count) == 1)
  }

  @Test func `moments that other processes keep are not touched`() throws {
    let model = try network(momentShares: 2)
    let count = model.parameters.layout.count
    #expect(try resident(model.parameters.gradients, count: count) == 1)
    #expect(try resident(model.parameters.firstMoments, count: count) == 0)
    #expect(try resident(model.parameters.secondMoments, count: count) == 0)
  }

  @Test func `what is touched is still zero`() throws {
    let model = try network(momentShares: 1)
    let weights = UnsafeBufferPointer(start: model.parameters.weights, count: model.parameters.layout.count)
    let moments = UnsafeBufferPointer(start: model.parameters.secondMoments, count: model.parameters.layout.count)
    let areZero = weights.allSatisfy { $0 == 0 } && moments.allSatisfy { $0 == 0 }
    #expect(areZero)
  }

  @Test func `a network for reading has weights alone`() throws {
    let model = try network(momentShares: 1, isTrained: false)
    #expect(try resident(model.parameters.weights, count: model.parameters.layout.count) == 1)
  }
}
