// A step's parts: they add up to the step, and each has the work that the network's shape says.
import Kernels
import Run
import Testing
import Training

@testable import Benchmark

@Suite(.serialized) struct PartsTests {
  @Test(arguments: [1, 2], [("llama", OptimizerKind.adamw), ("llama", .muon), ("gpt2", .adamw)])
  func `parts add up to the step, and each is counted`(
    threads: Int, network: (kind: String, optimizer: OptimizerKind)
  ) throws {
    let (kind, optimizer) = network
    var recipe = try Recipe(
      yaml: "model: {kind: \(kind), blocks: 2, width: 64, heads: 4, keyValueHeads: 4, context: 32}", source: "test")
    recipe.batch.rows = 4
    recipe.precision = .fp32
    recipe.optimizer.kind = optimizer
    let plan = try RunPlan(recipe, vocabulary: 300, threads: threads)
    let bench = Bench(threads: threads, effort: .quick) { _ in }
    let table = try bench.parts([Workload(plan, name: "test")], rounds: 2)
    let rows = try #require(table.json.elements)
    func milliseconds(_ row: JSON) -> Double { row["milliseconds"]?.number ?? .nan }
    let step = try #require(rows.last)
    #expect(step["part"]?.string == "the step")
    let sum = rows.dropLast().reduce(0) { $0 + milliseconds($1) }
    #expect(abs(sum - milliseconds(step)) < 1e-6 * milliseconds(step))
    let named = Set(rows.compactMap { $0["part"]?.string })
    var expected: Set = [
      "products of linear layers", "attention", "norms", "activations", "losses", "targets", "embeddings",
      "norm of the gradient", "AdamW", "waiting, and the rest", "the step",
    ]
    if kind == "llama" { expected.insert("rotary positions") }
    if threads > 1 { expected.insert("threads' gradients, added up") }
    if optimizer == .muon { expected.insert("Muon") }
    #expect(named.isSuperset(of: expected), "\(expected.subtracting(named))")
    for row in rows where row["part"]?.string != "waiting, and the rest" {
      #expect(milliseconds(row) > 0)
      if row["part"]?.string != "targets" { #expect((row["limit"]?.number ?? 0) > 0, "\(row.line)") }
    }
  }

  @Test func `what is measured inside of a part counts once, and nothing is counted when nobody asks`() {
    StepPart.norms.measured { StepPart.losses.measured {} }
    let counts = StepClock.counted {
      StepPart.muon.measured(bytes: 5) {
        StepPart.products.measured(bytes: 7) {}
        _ = Peak.multiplyAdd(rounds: 100_000, threads: 1)
      }
      StepPart.adamw.measured(bytes: 3) {}
    }
    #expect(counts[.products]?.seconds == 0 && counts[.products]?.bytes == 0)
    #expect(counts[.muon]!.seconds > 0 && counts[.muon]?.bytes == 5 && counts[.adamw]?.bytes == 3)
    #expect(counts[.norms]?.seconds == 0)
  }
}
