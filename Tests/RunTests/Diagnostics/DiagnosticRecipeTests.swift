// The keys of diagnostics, and what a recipe may ask for.
import Testing

@testable import Run

@Suite struct DiagnosticRecipeTests {
  @Test func `every diagnostic has a key, which YAML keeps`() throws {
    var recipe = Recipe()
    #expect(recipe.diagnostics.isEmpty && recipe.diagnosticNumbers.isEmpty)
    for (index, kind) in DiagnosticKind.all.enumerated() { recipe.measure[every: kind.name] = index + 1 }
    recipe.measure.tokens = 4096
    let read = try Recipe(yaml: recipe.yaml, source: "a.yaml")
    #expect(read == recipe)
    #expect(read.diagnostics.map(\.name) == DiagnosticKind.all.map(\.name))
    for kind in DiagnosticKind.all { recipe.measure[every: kind.name] = 0 }
    recipe.measure.tokens = 0
    #expect(recipe == Recipe())
  }

  @Test func `numbers are in the order in which HDF5 lists them`() {
    var recipe = Recipe()
    for kind in DiagnosticKind.all { recipe.measure[every: kind.name] = 1 }
    for kind in DiagnosticKind.all {
      let paths = kind.numbers(recipe).map(\.path)
      #expect(paths.map { Array($0.utf8) } == paths.map { Array($0.utf8) }.sorted { $0.lexicographicallyPrecedes($1) })
      #expect(paths.allSatisfy { $0.hasPrefix(kind.name + "/") && !$0.contains(".") })
    }
    #expect(Metric.ofEvaluations(recipe.evaluationContent).count > 150)
  }

  @Test func `a diagnostic that cannot be measured is refused`() throws {
    func refusal(_ change: (inout Recipe) -> Void) throws -> String {
      var recipe = Recipe()
      change(&recipe)
      do {
        try recipe.validate(source: "a.yaml")
        return ""
      } catch let error as UserError { return error.message }
    }
    #expect(
      try refusal {
        $0.measure[every: "function"] = 1
        $0.data.kind = .stargraph
      }.contains("measure.function needs text, and data.kind is stargraph"))
    #expect(
      try refusal {
        $0.measure[every: "collapse"] = 1
        $0.objective.ntp = 0
      }.contains("measure.collapse needs next-token prediction"))
    #expect(
      try refusal {
        $0.measure[every: "position"] = 1
        $0.objective.ntp = 0
      }.isEmpty)
  }

  @Test func `what is better high says so`() {
    #expect(Evaluation.isBetterHigh("collapse/nc4-agreement") && Evaluation.isBetterHigh("greedy/distinct-2"))
    #expect(!Evaluation.isBetterHigh("function/ntp-fc") && !Evaluation.isBetterHigh("collapse/nc1-cdnv"))
    #expect(!Evaluation.isBetterHigh("rate"))
  }

  @Test func `events with diagnostics are read back`() throws {
    var recipe = Recipe()
    recipe.measure[every: "function"] = 1
    recipe.measure[every: "collapse"] = 1
    var evaluation = Evaluation(
      step: 3, tokens: 9, time: 2.5, losses: [HeadLoss(head: .ntp, loss: 3, positions: 40)], isBest: false, seconds: 0.5
    )
    evaluation.diagnostics = recipe.diagnosticNumbers.enumerated().map { MeasuredNumber($1.path, Double($0) / 4) }
    var reader = EventReader()
    let event = NumberedEvent(7, .evaluated(evaluation))
    let read = try #require(try reader.read(try JSON.read(Array(event.json.utf8))))
    #expect(read == event)
    // Another evaluation of the same run need not measure them.
    evaluation.diagnostics = []
    let plain = NumberedEvent(8, .evaluated(evaluation))
    #expect(try reader.read(try JSON.read(Array(plain.json.utf8))) == plain)
  }
}
