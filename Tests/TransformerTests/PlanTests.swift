// What a plan says beforehand against what a network really takes.
import Foundation
import Kernels
import Support
import Testing
import Transformer

@Suite struct PlanTests {
  /// The parameters' blocks and the activations of a shard take at least a page each.
  static func pages(_ plan: NetworkPlan) -> Int { (7 + plan.shards.count) * 4096 }

  @Test(arguments: NetworkCase.all, [(Precision.fp32, true), (.fp32, false), (.bf16, true), (.bf16, false)])
  func `a plan says to the byte what a network allocates`(of shape: NetworkCase, how: (Precision, isTrained: Bool))
    throws
  {
    let (precision, isTrained) = how
    try requireHere(precision)
    for (rows, context) in [(shape.rows, shape.context), (64, 150)] {
      var configuration = shape.configuration
      configuration.context = context
      let plan = try NetworkPlan(
        configuration, rows: rows, precision: precision, threads: shape.threads, chunk: shape.chunk,
        isTrained: isTrained)
      let network = try Transformer(
        NetworkPlan(
          configuration, rows: rows, precision: precision, threads: shape.threads, chunk: shape.chunk,
          isTrained: isTrained))
      #expect((plan.bytes...plan.bytes + Self.pages(plan)).contains(network.bytes))
      #expect(plan.parameters.tensors == network.parameters.layout.tensors)
    }
  }
}
