// What is measured must be what is trained: the limit's products, a recipe's workload, and a plan's arithmetic.
import Kernels
@testable import Run
import Testing
import Training
import Transformer

@testable import Benchmark

@Suite struct BenchmarkTests {
  static let recipes: [String] = [
    "model: {kind: gpt2, blocks: 2, width: 64, heads: 4, keyValueHeads: 4, context: 32, tied: true}\nobjective: {top: 0}",
    "model: {kind: gpt2, blocks: 4, width: 64, heads: 4, keyValueHeads: 4, context: 32}\nobjective: {mtp: {heads: 2}}",
    "model: {blocks: 2, width: 64, heads: 4, keyValueHeads: 2, context: 32}",
    "model: {blocks: 2, width: 64, heads: 4, keyValueHeads: 4, context: 32, tied: true}\nobjective: {top: 0}",
    """
    model: {blocks: 5, width: 64, heads: 2, keyValueHeads: 2, context: 32}
    objective: {mtp: {heads: 3}}
    """,
    """
    model: {blocks: 2, width: 64, heads: 2, keyValueHeads: 2, context: 32}
    objective: {top: 0, mtp: {heads: 3, kind: sequential}}
    """,
  ]

  @Test(arguments: recipes)
  func `the limit multiplies with every matrix as often as a step does`(yaml: String) throws {
    let plan = try RunPlan(Recipe(yaml: yaml, source: "test"), vocabulary: 300, threads: 1)
    let layers = ProductsAlone.layers(plan.network.configuration)
    let weights = layers.reduce(0) { $0 + $1.out * $1.input * $1.times }
    let scores = plan.network.operations.first { $0.part == .scores }?.count ?? 0
    #expect(Double(6 * weights) == plan.network.operationsPerToken - scores)
    #expect(ProductsAlone.operationsPerToken(plan.network.configuration) == Double(6 * weights))
    // Every matrix but the embedding; shared unembeddings once more for every further head.
    let c = plan.network.configuration
    let matrices = plan.network.parameters.tensors.filter { $0.isMatrix && $0.part != .embedding }
    let tied = c.isTied ? c.vocabulary * c.width : 0
    let shared = plan.recipe.objective.mtp.heads - 1
    #expect(weights == matrices.reduce(0) { $0 + $1.count } + tied + shared * c.vocabulary * c.width)
  }

  @Test func `a part of a large layer stands for the whole layer`() throws {
    let network = try RunPlan(Recipe(yaml: Self.recipes[2], source: "test"), vocabulary: 300, threads: 1).network
    let configuration = network.configuration
    func products(_ most: Int) throws -> ProductsAlone {
      try ProductsAlone(
        configuration, positions: 32, precision: .fp32, products: Products(threads: 1), mostWeights: most)
    }
    let (whole, part) = (try products(.max), try products(64 * 64))
    #expect(whole.operations == 32 * ProductsAlone.operationsPerToken(configuration))
    #expect(part.operations == whole.operations)
    for (all, some) in zip(whole.runs, part.runs) {
      #expect(all.operations * Double(all.layer.times) == all.allOperations && some.allOperations == all.allOperations)
      let out = min(some.layer.out, max(64, 64 * 64 / some.layer.input))
      #expect(some.operations == Double(6 * 32 * out * some.layer.input), "\(some.layer)")
    }
    #expect(part.runs.contains { $0.operations * Double($0.layer.times) < $0.allOperations })
    part.run()
    try part.requireSuccess()
  }

  @Test func `parameters by part are all parameters`() throws {
    for yaml in Self.recipes {
      let network = try RunPlan(Recipe(yaml: yaml, source: "test"), vocabulary: 300, threads: 1).network
      #expect(network.parametersByPart.reduce(0) { $0 + $1.count } == network.parameters.parameters)
    }
  }

  @Test func `a recipe that cannot fit is refused with numbers and with what would fit`() throws {
    var recipe = try Recipe(yaml: Self.recipes[2], source: "test")
    recipe.batch.rows = 4096
    let plan = try RunPlan(recipe, vocabulary: 300, threads: 1)
    try plan.check(MachineMemory(total: plan.bytes, available: plan.bytes))
    let error = try #require(throws: UserError.self) {
      try plan.check(MachineMemory(total: plan.bytes, available: plan.bytes - 1))
    }
    #expect(error.status == .unavailable)
    #expect(error.message.contains(Figure.bytes(plan.bytes)))
    #expect(error.message.contains("model.recompute: block would need"))
    recipe.model.recompute = .block
    let again = try RunPlan(recipe, vocabulary: 300, threads: 1)
    #expect(again.bytes < plan.bytes)
    let rows = try #require(throws: UserError.self) {
      try again.check(MachineMemory(total: again.bytes, available: again.bytes - 1))
    }
    #expect(rows.message.contains("batch.rows 2048 with batch.accumulation 2"))
    let hopeless = try #require(throws: UserError.self) {
      try plan.check(MachineMemory(total: 1 << 20, available: 1 << 20))
    }
    #expect(hopeless.message.contains("the parameters alone need"))
  }

  @Test func `a recipe that learns from as many tokens a step in smaller rows needs less`() throws {
    var recipe = try Recipe(yaml: Self.recipes[2], source: "test")
    recipe.batch.rows = 64
    let large = try RunPlan(recipe, vocabulary: 300, threads: 1)
    (recipe.batch.rows, recipe.batch.accumulation) = (16, 4)
    let small = try RunPlan(recipe, vocabulary: 300, threads: 1)
    #expect(small.bytes < large.bytes)
    #expect(small.recipe.tokensPerStep == large.recipe.tokensPerStep)
    let saved =
      large.memory.first { $0.name == "activations" }!.bytes - small.memory.first { $0.name == "activations" }!.bytes
    #expect(saved == large.memory.first { $0.name == "activations" }!.bytes * 3 / 4)
  }

  @Test func `tables say the same as text and as JSON`() {
    var table = ReportTable(
      name: "t", about: [],
      columns: [
        ReportTable.ReportColumn(key: "name", heading: "name"),
        ReportTable.ReportColumn(key: "rate", heading: "rate", digits: 1),
        ReportTable.ReportColumn(key: "count", heading: "count"),
      ])
    table.add(.text("a"), .number(12345.67), .none)
    table.add(.text("b"), .number(-0.5), .number(9999))
    #expect(table.cells == [["name", "rate", "count"], ["a", "12 345.7", ""], ["b", "-0.5", "9 999"]])
    #expect(table.json.line == #"[{"name":"a","rate":12345.67},{"name":"b","rate":-0.5,"count":9999.0}]"#)
    #expect(table.numbers == [1, 2])
  }

  @Test func `what recording holds up is told in milliseconds, beside what is aimed at`() throws {
    let bench = Bench(threads: 1, effort: .quick) { _ in }
    let table = try bench.recording(in: "here") { checkpoints in
      #expect(checkpoints > 1)
      var times = RecordingTimes()
      (times.parameters, times.steps, times.writing) = (99_000_000, [0.2, 0.3, 0.25], [2])
      (times.rows, times.stalls, times.copies) = ([1e-5], [1e-3, 3e-3, 2e-3], [0.1])
      return times
    }
    #expect(table.about[0].contains("99 million parameters") && table.about[1].contains("a step took 250 ms"))
    #expect(
      table.rows.map { Array($0.dropFirst()) } == [
        [.number(1), .number(0.01), .number(0.01), .number(0.1)], [.number(3), .number(2), .number(3), .number(5)],
        [.number(1), .number(100), .number(100), .number(250)],
      ])
  }

  @Test func `the longest step beside a checkpoint with tables is told for many tokens and for few`() throws {
    let bench = Bench(threads: 1, effort: .quick) { _ in }
    var measured: [TableSteps] = []
    let table = try bench.tableCheckpoints(in: "here") { steps, checkpoints in
      #expect(checkpoints > 1)
      measured.append(steps)
      var times = RecordingTimes()
      (times.parameters, times.writing, times.copies) = (101_000_000, [3, 4, 5], [0.2, 0.7])
      times.steps = steps == .many ? [0.4, 0.5, 0.6] : [0.02, 0.03, 0.04]
      (times.stepsAlone, times.stepsBesideWriting) = (times.steps, [1, 3, 2])
      times.pausesBesideWriting = [0.01, 0.03]
      return times
    }
    #expect(measured == TableSteps.allCases && measured.count == 2)
    #expect(table.about.count == 3 && table.about[1].contains("101 million"))
    #expect(table.about[1].contains(Figure.milliseconds(4)))
    #expect(table.rows.count == 8 && table.rows[0][0] != table.rows[4][0])
    let numbers = table.rows.map { Array($0.dropFirst(2)) }
    #expect(numbers[0] == [.number(3), .number(500), .number(600), .none])
    #expect(numbers[1] == [.number(3), .number(2000), .number(3000), .none])
    // A copy may take as long as a step, or 50 ms.
    #expect(numbers[2].last == .number(500) && numbers[6].last == .number(50))
    #expect(numbers[7] == [.number(2), .number(20), .number(30), .number(50)])
  }

  @Test func `reading at once is measured against a token at a time`() throws {
    let plan = try RunPlan(Recipe(yaml: Self.recipes[0], source: "test"), vocabulary: 300, threads: 1)
    let bench = Bench(threads: 1, effort: .quick) { _ in }
    let table = try bench.reading([(.fp32, plan.network.configuration)], prompt: 40, rounds: 2)
    #expect(table.name == "reading" && table.rows.count == 1)
    let keys = ["precision", "tokens", "prefillTokensPerSecond", "singleTokensPerSecond", "prefillRatio", "spread"]
    let row = try #require(table.json.elements?.first)
    #expect(row.members?.map(\.key) == keys)
    #expect(
      table.rows[0].dropFirst(2).dropLast().allSatisfy { if case .number(let value) = $0 { value > 0 } else { false } })
  }

  @Test func `decoding is measured against the weights that a token reads`() throws {
    let plan = try RunPlan(Recipe(yaml: Self.recipes[0], source: "test"), vocabulary: 300, threads: 1)
    let bench = Bench(threads: 1, effort: .quick) { _ in }
    let network = plan.network.configuration
    let table = try bench.decoding([(.fp32, network)], prompt: 10, tokens: 6, rounds: 2)
    #expect(table.name == "decoding" && table.rows.count == 1)
    for (index, value) in table.rows[0].enumerated().dropFirst() {
      guard case .number(let number) = value else {
        Issue.record("column \(index) has \(value)")
        continue
      }
      // Rounds can be equally fast: the spread is then 0.
      #expect(index == 6 ? number >= 0 : number > 0, "column \(index)")
    }
    // Of the embedding a token reads a row; the unembedding, here the same table, it reads in full.
    let matrices = network.shape.tensors.filter { tensor in
      if case .block = tensor.section { tensor.shape.count == 2 } else { false }
    }
    let numbers = matrices.reduce(network.vocabulary * network.width) { $0 + $1.shape.reduce(1, *) }
    #expect(Bench.bytesOfToken(network, .fp32) == 4 * numbers)
  }

  @Test func `medians and spreads are those of the middle`() {
    var samples = Samples()
    for value in [1.0, 100, 2, 3, 4] { samples.add(value) }
    #expect(samples.median == 3)
    #expect(samples.spread == 1.0 / 3)
  }
}
