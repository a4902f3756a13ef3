// What came of cells, by what is stored of them.
import Run
import Testing

@testable import Experiments

@Suite struct ResultTests {
  private static func recipe(until: String = "accuracy/path >= 0.99", patience: Int = 0) -> Recipe {
    var recipe = Recipe()
    recipe.data.kind = .stargraph
    recipe.model.context = 32
    (recipe.batch.rows, recipe.batch.accumulation) = (8, 2)
    (recipe.steps, recipe.evaluate.every) = (400, 100)
    (recipe.stop.until, recipe.stop.patience) = (until, patience)
    return recipe
  }

  private static func evaluation(_ step: Int, loss: Float, path: Float) -> Evaluation {
    Evaluation(
      step: step, tokens: step * 512, time: 0, losses: [HeadLoss(head: .ntp, loss: loss, positions: 10)],
      paths: [1, 1, path, path], isBest: false, seconds: 0)
  }

  private static func reading(_ state: String, _ values: [(step: Int, loss: Float, path: Float)]) -> CellReading {
    CellReading(state: state, events: values.map { .evaluated(evaluation($0.step, loss: $0.loss, path: $0.path)) })
  }

  @Test func `a cell is solved where its condition was first met, however it was interrupted`() {
    // The process was killed after the evaluation and before the end of the run.
    let result = CellResult(
      Self.recipe(), Self.reading("interrupted", [(100, 2, 0.5), (200, 1, 0.995), (300, 0.5, 1)]))
    #expect(result.fate == .solved && result.samples == 200 * 16)
    #expect(result.evaluation?.step == 200)
    #expect(result.observation == .init(3200, isSolved: true))
  }

  @Test func `a cell that took all steps has ended unsolved`() {
    let all: [(step: Int, loss: Float, path: Float)] = [(100, 2, 0.5), (200, 2, 0.5), (300, 2, 0.5), (400, 2, 0.9)]
    #expect(CellResult(Self.recipe(), Self.reading("interrupted", all)).fate == .ended)
    #expect(CellResult(Self.recipe(), Self.reading("stopped", all.dropLast())).fate == .open)
    #expect(CellResult(Self.recipe(), nil).fate == .open)
    #expect(CellResult(Self.recipe(), Self.reading("diverged", all.dropLast())).fate == .diverged)
  }

  @Test func `a cell that finished before more steps were asked for goes on`() {
    let all: [(step: Int, loss: Float, path: Float)] = [(100, 2, 0.5), (200, 2, 0.5), (300, 2, 0.5), (400, 2, 0.9)]
    var longer = Self.recipe()
    longer.steps = 600
    #expect(CellResult(Self.recipe(), Self.reading("finished", all)).fate == .ended)
    #expect(CellResult(longer, Self.reading("finished", all)).fate == .open)
    #expect(CellResult(longer, Self.reading("finished", [(100, 2, 0.5), (200, 2, 0.995)])).fate == .solved)
    // Without evaluations, the steps say so.
    var blind = Self.recipe(until: "")
    blind.evaluate.every = 0
    let last = StepReport(
      step: 400, tokens: 400, time: 1, active: 1, total: 1, losses: [], rate: 1, gradientNorm: 1, tokensPerSecond: 1,
      phases: Phases())
    let taken = CellReading(state: "finished", events: [.stepped(last)])
    #expect(CellResult(blind, taken).fate == .ended)
    blind.steps = 600
    #expect(CellResult(blind, taken).fate == .open)
  }

  @Test func `evaluations that somebody asked for in between do not count`() {
    let result = CellResult(Self.recipe(), Self.reading("stopped", [(100, 2, 0.5), (150, 2, 1)]))
    #expect(result.fate == .open && result.evaluation?.step == 100)
  }

  @Test func `patience counts evaluations without a lower loss`() {
    let losses: [(step: Int, loss: Float, path: Float)] = [(100, 2, 0), (200, 2.5, 0), (300, 2, 0)]
    let result = CellResult(Self.recipe(patience: 2), Self.reading("finished", losses))
    #expect(result.fate == .ended && result.evaluation?.step == 300)
    #expect(CellResult(Self.recipe(patience: 3), Self.reading("stopped", losses)).fate == .open)
  }

  @Test func `steps that are taken again replace what came after them`() {
    var reading = Self.reading("training", [(100, 2, 0.5), (200, 1, 0.995)])
    reading.receive(.evaluated(Self.evaluation(200, loss: 1, path: 0.25)))
    #expect(reading.evaluations.map(\.step) == [100, 200] && reading.evaluations[1].paths.last == 0.25)
  }

  // MARK: The table

  /// - Parameter losses: 2 in all cells where there are none.
  private static func table(_ paths: [[Float]], losses: [[Float]] = []) throws -> ExperimentTable {
    let file = try ExperimentFile(
      yaml:
        "recipe: x\nset: {stop.until: accuracy/path >= 0.99}\nsettings: {a: {}, b: {objective.top: 0}}\nseeds: \(paths[0].count)",
      source: "x", name: "x")
    var base = recipe(until: "")
    base.steps = 100
    let cells = try file.cells(of: base)
    let results = cells.enumerated().map { index, cell in
      let (setting, seed) = index.quotientAndRemainder(dividingBy: paths[0].count)
      let loss = losses.isEmpty ? 2 : losses[setting][seed]
      return CellResult(cell.recipe, reading("finished", [(100, loss, paths[setting][seed])]))
    }
    return ExperimentTable(file, cells, results)
  }

  @Test func `rows have means, deviations, differences and shares`() throws {
    let table = try Self.table([[0.5, 0.6, 0.7], [1, 1, 0.4]])
    #expect(table.metrics == ["accuracy/path", "held-out/ntp"])
    let first = try #require(table.rows[0].values[0])
    #expect(abs(first.mean - 0.6) < 1e-6 && abs((first.deviation ?? 0) - 0.1) < 1e-6 && first.count == 3)
    #expect(table.rows[0].difference == nil)
    #expect(abs((table.rows[1].difference?.difference ?? 0) - 0.2) < 1e-6)
    #expect(table.rows[0].solved?.steps.last?.share == 0)
    #expect(abs((table.rows[1].solved?.steps.last?.share ?? 0) - 2.0 / 3) < 1e-12)
    #expect(table.rows[1].solved?.median == 1600)
    let (header, lines) = table.text
    #expect(lines.allSatisfy { $0.count == header.count })
    #expect(lines[1].contains("2/3"))
  }

  @Test func `every value has its difference, and every setting its memory`() throws {
    var table = try Self.table([[0.5, 0.6, 0.7], [1, 1, 0.4]], losses: [[2, 2.1, 2.2], [1, 1.2, 1.1]])
    #expect(table.rows[0].differences.allSatisfy { $0 == nil } && table.rows[1].differences.count == 2)
    // Both deviate by 0.1: an error of 0.1·√(2/3), and 2.776 of it on each side with 4 degrees of freedom.
    let difference = try #require(table.rows[1].differences[1])
    #expect(abs(difference.difference + 1) < 1e-6 && abs(difference.freedom - 4) < 1e-4)
    #expect(abs(difference.upper - difference.lower - 2 * 0.22670) < 1e-4)
    let differences = table.differenceText
    #expect(differences?.header == ["against a", "accuracy/path", "held-out/ntp"])
    let line = try #require(differences?.rows.first)
    #expect(differences?.rows.count == 1 && line.count == 3 && line[0] == "b")
    #expect(line[2] == "−1.000 [−1.227, −0.773]", "\(line)")
    #expect(table.page(sentence: "", command: "", chart: "").contains("| against a | accuracy/path | held-out/ntp |"))
    #expect(table.json[7].line.contains("\"differences\":{\"accuracy/path\":{\"against\":\"a\""))
    #expect(!table.text.header.contains("memory") && !table.json[7].line.contains("\"memory\""))
    table.memory = [nil, 5_000_000]
    let text = table.text
    #expect(Array(text.header.suffix(2)) == ["memory", "time"])
    #expect(text.rows.map { $0[$0.count - 2] } == ["–", "5.0 MB"])
    #expect(table.json[7].line.contains("\"memory\":5000000"))
    // With one value, the table has its difference.
    let file = try ExperimentFile(
      yaml: "recipe: x\nsettings: {a: {}, b: {objective.top: 0}}\nmetrics: held-out/ntp", source: "x", name: "x")
    let cells = try file.cells(of: Self.recipe(until: ""))
    let single = ExperimentTable(file, cells, cells.map { CellResult($0.recipe, nil) })
    #expect(single.metrics == ["held-out/ntp"] && single.differenceText?.rows == nil)
  }

  @Test func `without a condition, the chart has the mean of each setting's cells, with its spread`() throws {
    let file = try ExperimentFile(
      yaml: "recipe: x\nsettings: {a: {}, b: {objective.top: 0}}\nseeds: 2", source: "x", name: "x")
    let cells = try file.cells(of: Self.recipe(until: ""))
    let losses: [[Float]] = [[4, 3, 2.5, 2], [4.2, 3.2, 2.7, 2.2], [4, 3.5, 3, 3]]
    var readings: [CellReading?] = losses.map { losses in
      Self.reading("finished", losses.enumerated().map { (step: 100 * $0 + 100, loss: $1, path: 0) })
    }
    readings.append(nil)
    // An evaluation that somebody asked for: the other cell has none there.
    readings[0]?.receive(.evaluated(Self.evaluation(150, loss: 1, path: 0)))
    let table = ExperimentTable(file, cells, zip(cells, readings).map { CellResult($0.recipe, $1) })
    #expect(table.solvedChart == nil)
    let chart = try #require(table.resultChart(of: readings))
    #expect(chart.curves.map(\.name) == ["a (2)", "b (1)"] && chart.yLabel == "held-out/ntp")
    let curve = chart.curves[0]
    #expect(curve.xs == [1600, 3200, 4800, 6400] && curve.upper.count == 4)
    for (value, expected) in zip(curve.ys, [4.1, 3.1, 2.6, 2.1]) { #expect(abs(value - expected) < 1e-6) }
    // The deviation of two numbers that lie 0.2 apart is 0.1·√2.
    #expect(abs(curve.upper[0] - curve.lower[0] - 0.2 * 2.0.squareRoot()) < 1e-6)
    #expect(chart.curves[1].lower.isEmpty && chart.curves[1].ys.last == 3)
    // Nothing is over yet.
    let none: [CellReading?] = cells.map { _ in nil }
    #expect(ExperimentTable(file, cells, cells.map { CellResult($0.recipe, nil) }).resultChart(of: none) == nil)
  }

  @Test func `all formats have every cell, and the same numbers`() throws {
    let table = try Self.table([[0.5, 0.25], [1, 0.75]])
    let lines = table.csv.split(separator: "\n")
    #expect(lines.count == 5 && lines[1].hasPrefix("a,1,ended,100,1600,0.5,2.0,"))
    #expect(lines[3].hasPrefix("b,1,solved,100,1600,1.0,2.0,"))
    #expect(table.json.count == 6)
    #expect(table.json[2].line.contains("\"state\":\"solved\""))
    #expect(table.markdown.split(separator: "\n").count == 4)
    let page = table.page(sentence: "A test", command: "foretop experiment x", chart: "▀")
    #expect(page.contains("objective.top") && page.contains("    ▀") && page.contains("seeds: 1, 2"))
    let chart = try #require(table.solvedChart)
    #expect(chart.curves.count == 2 && chart.curves.allSatisfy(\.isStepped))
    // Both of a's runs ended unsolved, and one of b's.
    #expect(chart.curves.map(\.ticks) == [[1600, 1600], [1600]])
    #expect(chart.csv.split(separator: "\n")[0] == "curve,samples,share of runs,lower,upper")
  }

  @Test func `the rate of the lowest loss is named, with those that cannot be told apart`() throws {
    var base = Recipe()
    (base.steps, base.evaluate.every) = (100, 50)
    var file = ExperimentFile(
      name: "rates", recipe: "x", settings: ExperimentFile.grid("schedule.rate", ["1e-4", "1e-3", "3e-3", "1e-2"]),
      seeds: [1])
    file.metrics = ["held-out/ntp"]
    let cells = try file.cells(of: base)
    let losses: [Float] = [5, 3, 3.005, .nan]
    let results = zip(cells, losses).map { cell, loss in
      CellResult(
        cell.recipe,
        loss.isNaN ? CellReading(state: "diverged", events: []) : Self.reading("finished", [(100, loss, 0)]))
    }
    let table = ExperimentTable(file, cells, results)
    let choice = RateChoice(table)
    #expect(choice.best == 1e-3)
    #expect(choice.sentence.contains("3.0e-3 cannot be told apart"), "\(choice.sentence)")
    #expect(!choice.sentence.contains("was tried"))
    #expect(table.sweepChart(over: "schedule.rate")?.curves[0].xs == [1e-4, 1e-3, 3e-3])
    // A share of right answers is the better the higher.
    file.metrics = ["accuracy/ntp"]
    let shares = zip(cells, losses).map { cell, loss in
      let event = Evaluation(
        step: 100, tokens: 100, time: 1,
        losses: [HeadLoss(head: .ntp, loss: 1, accuracy: loss.isNaN ? 0 : loss / 10, positions: 1)],
        isBest: true, seconds: 1)
      return CellResult(cell.recipe, CellReading(state: "finished", events: [.evaluated(event)]))
    }
    let highest = RateChoice(ExperimentTable(file, cells, shares))
    #expect(highest.best == 1e-4 && highest.sentence.contains("highest accuracy/ntp"), "\(highest.sentence)")
    #expect(RateChoice.grid(around: 1e-3).count == 7 && RateChoice.grid(around: 0.5).allSatisfy { $0 <= 1 })
  }
}
