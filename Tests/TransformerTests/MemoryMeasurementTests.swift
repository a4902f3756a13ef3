// What memory layers are measured by at evaluations: it follows from the weights as it must, and changes nothing.
import Foundation
import Kernels
import Run
import Support
import Testing
import Transformer

@Suite struct MemoryMeasurementTests {
  private static let cases = NetworkCase.all.filter { $0.memory != nil && $0.dropout == 0 }

  private func measured(_ c: NetworkCase, _ model: Transformer, _ rows: Rows) -> [MemoryOutput] {
    model.beginMeasuringMemory()
    rows.view { _ = model.gradientsAtHidden($0, weights: c.weights) }
    return model.endMeasuringMemory()
  }

  @Test(arguments: cases.indices) func `every layer is measured, and what it adds grows with its values`(index: Int)
    throws
  {
    let c = Self.cases[index]
    let rows = Rows(c, seed: 4)
    let model = try Transformer(NetworkPlan(c.configuration, rows: c.rows, precision: .fp32, threads: c.threads))
    model.shake(3)
    let losses = model.learn(rows, weights: c.weights)
    let gradients = model.tensors(model.parameters.gradients)
    let before = measured(c, model, rows)
    #expect(before.count == model.parameters.layout.tensors.count { $0.description.role == .memoryTable })
    for output in before {
      #expect(output.outputDeviation > 0 && output.feedForwardDeviation > 0 && output.spread > 0)
      #expect(output.gap.isNaN == (c.memory!.top == c.memory!.candidates * c.memory!.candidates) && !(output.gap < 0))
    }
    // Measuring changes no bit of what is learned.
    #expect(model.learn(rows, weights: c.weights) == losses)
    for (path, gradient) in model.tensors(model.parameters.gradients) {
      #expect(gradients[path]! == gradient, "\(path)")
    }
    // The last layer's output is linear in what takes it into the stream; nothing before it changes.
    let last = try #require(model.parameters.layout.tensors.last { $0.description.role == .memoryOut })
    for i in 0..<last.count { model.parameters.weights[last.offset + i] *= 3 }
    model.parameters.roundOperands(threads: 1)
    let after = measured(c, model, rows)
    let end = before.count - 1
    #expect(abs(after[end].outputDeviation / before[end].outputDeviation - 3) < 1e-5)
    #expect(abs(after[end].feedForwardDeviation / before[end].feedForwardDeviation - 1) < 1e-6)
    #expect(after[end].spread == before[end].spread)
  }

  @Test func `without memory layers nothing is measured`() throws {
    let c = NetworkCase.all[0]
    let model = try Transformer(NetworkPlan(c.configuration, rows: c.rows, precision: .fp32, threads: c.threads))
    model.shake(3)
    #expect(measured(c, model, Rows(c, seed: 4)).isEmpty && model.parameters.takeTableCounts().isEmpty)
  }
}
