// Diagnostics of evaluations: counts and losses add up, a slow look at the logits says the same, and steps are as without them.
import Corpus
import Foundation
import Kernels
import Run
import Support
import Testing
import Transformer

@testable import Training

@Suite struct DiagnosticTests {
  /// A tiny run that measures everything at every evaluation.
  private static var recipe: Recipe {
    var recipe = Tiny.recipe
    recipe.model.blocks = 3
    recipe.objective.mtp.heads = 2
    recipe.data.documents = .separate
    recipe.data.separator = " sail "
    for kind in DiagnosticKind.all { recipe.measure[every: kind.name] = 1 }
    return recipe
  }

  /// A text with letters of every frequency down to the rarest.
  private static func corpus(_ recipe: Recipe) throws -> Corpus {
    let words = ["the", "lookout", "sees", "a", "sail", "and", "calls", "down", "to", "deck"]
    var dice = Dice(1)
    let text = (0..<800).map { number in
      number % 300 == 250 ? "Zulu" : number % 40 == 39 ? "Quay" : words.randomElement(using: &dice)!
    }
    return try Corpus(text: text.joined(separator: " "), for: recipe)
  }

  @Test func `every row has its computation, and every number a row`() throws {
    #expect(Set(DiagnosticKind.computations.keys) == Set(DiagnosticKind.all.map(\.name)))
    let recipe = Self.recipe
    let names = recipe.diagnosticNumbers.map(\.path)
    #expect(Set(names).count == names.count)
    let evaluation = try #require(try Tiny.train(recipe, on: Self.corpus(recipe)).log.evaluations.last)
    let measured = evaluation.diagnostics.map(\.path)
    #expect(Set(measured).isSubset(of: names))
    for kind in DiagnosticKind.all {
      let numbers = measured.filter { $0.hasPrefix(kind.name + "/") }
      #expect(numbers.count >= 3 && numbers.contains("\(kind.name)/seconds"), "\(kind.name): \(numbers)")
    }
  }

  @Test func `groups and bins add up to the whole loss of every head`() throws {
    let recipe = Self.recipe
    let log = try Tiny.train(recipe, on: Self.corpus(recipe)).log
    #expect(log.evaluations.map(\.step) == [6, 12])
    let bins = [
      ("function", TokenGroup.allCases.map(\.name)),
      ("position", PlaceBin.lowest(context: recipe.model.context).map { "from-\($0)" }),
      ("frequency", FrequencyBin.all.map(\.name)),
    ]
    for evaluation in log.evaluations {
      for loss in evaluation.losses {
        for (folder, names) in bins {
          var (count, sum) = (0.0, 0.0)
          for name in names {
            let path = "\(folder)/\(loss.head.name)-\(name)"
            let positions = try #require(evaluation.diagnostics["\(path)-count"])
            count += positions
            if positions > 0 { sum += positions * (try #require(evaluation.diagnostics[path])) }
          }
          #expect(Int(count) == loss.positions, "\(folder) \(loss.head.name)")
          #expect(abs(sum / count - Double(loss.loss)) < 1e-5 * sum / count, "\(folder) \(loss.head.name)")
        }
        let shares = TokenGroup.allCases.compactMap {
          evaluation.diagnostics["function/\(loss.head.name)-\($0.name)-share"]
        }
        #expect(abs(shares.reduce(0, +) - 1) < 1e-5)
      }
    }
    // Something is in more than one bin of each.
    let last = try #require(log.evaluations.last).diagnostics
    for (folder, names) in bins {
      #expect(names.count { (last["\(folder)/ntp-\($0)-count"] ?? 0) > 0 } > 1, "\(folder)")
    }
  }

  @Test func `the training part is measured as a text is`() throws {
    var recipe = Self.recipe
    recipe.measure.tokens = 5 * recipe.model.context
    let (log, _, checkpoint) = try Tiny.train(recipe)
    let corpus = try Tiny.corpus(recipe)
    let network = try TrainedNetwork(checkpoint, threads: 2, rows: recipe.batch.rows)
    let measured = try #require(
      try network.model.measure(
        on: corpus.training, by: recipe, weights: recipe.weights, tokens: recipe.measure.tokens))
    let evaluation = try #require(log.evaluations.last)
    for loss in measured.losses {
      var (count, sum) = (0.0, 0.0)
      for group in TokenGroup.allCases {
        let path = "function/train-\(loss.head.name)-\(group.name)"
        let positions = evaluation.diagnostics["\(path)-count"] ?? 0
        count += positions
        if positions > 0 { sum += positions * (evaluation.diagnostics[path] ?? .nan) }
      }
      #expect(Int(count) == loss.positions && count > 0)
      #expect(abs(sum / count / Double(loss.loss) - 1) < 1e-5)
    }
  }

  @Test func `steps and held-out losses are the same to the bit without diagnostics`() throws {
    let with = try Tiny.train(Self.recipe)
    var recipe = Self.recipe
    recipe.measure = Recipe.MeasureSettings()
    let without = try Tiny.train(recipe)
    #expect(with.log.steps.map(\.losses) == without.log.steps.map(\.losses))
    #expect(with.log.steps.map(\.gradientNorm) == without.log.steps.map(\.gradientNorm))
    #expect(with.log.evaluations.map(\.losses) == without.log.evaluations.map(\.losses))
    #expect(with.checkpoint.weights == without.checkpoint.weights)
    #expect(without.log.evaluations.allSatisfy { $0.diagnostics.isEmpty })
    #expect(with.log.evaluations.allSatisfy { !$0.diagnostics.isEmpty })
  }

  @Test func `the same weights have the same numbers whatever the threads`() throws {
    var recipe = Self.recipe
    let checkpoint = try Tiny.train(recipe).checkpoint
    recipe.steps += 1
    func numbers(threads: Int) throws -> (losses: [HeadLoss], diagnostics: [MeasuredNumber]) {
      let log = try Tiny.train(recipe, from: checkpoint, asking: [.evaluate], threads: threads).log
      let evaluation = try #require(log.evaluations.first)
      #expect(evaluation.step == 12)
      return (evaluation.losses, evaluation.diagnostics.filter { !$0.path.hasSuffix("/seconds") })
    }
    let one = try numbers(threads: 1)
    #expect(one.diagnostics.count > 50)
    for threads in [2, 3] {
      let several = try numbers(threads: threads)
      #expect(several.losses.map(\.loss) == one.losses.map(\.loss))
      // Threads divide the rows of a product, and on some CPUs oneDNN rounds a product by its number of rows.
      #expect(several.diagnostics.map(\.path) == one.diagnostics.map(\.path))
      for (a, b) in zip(several.diagnostics, one.diagnostics) {
        #expect(abs(a.value - b.value) <= 1e-6 * max(abs(b.value), 1), "\(threads) threads: \(a) and \(b)")
      }
    }
  }

  @Test func `measurements come at every n-th evaluation, at the last, and when asked for between two`() throws {
    var recipe = Self.recipe
    recipe.steps = 13
    recipe.evaluate.every = 2
    recipe.measure = Recipe.MeasureSettings()
    recipe.measure[every: "states"] = 2
    recipe.measure[every: "entropy"] = 3
    let log = try Tiny.train(recipe, after: [5: [.evaluate]]).log
    func steps(_ path: String) -> [Int] { log.evaluations.filter { $0.diagnostics[path] != nil }.map(\.step) }
    #expect(log.evaluations.map(\.step) == [2, 4, 5, 6, 8, 10, 12, 13])
    #expect(steps("states/cosine") == [4, 5, 8, 12, 13])
    #expect(steps("entropy/mean") == [5, 6, 12, 13])
  }

  @Test func `function tokens are the most frequent ones, until they make forty percent`() {
    #expect(FunctionTokens([5, 0, 30, 30, 35]).tokens == [4, 2])
    #expect(FunctionTokens([10, 10, 10, 10, 10]).tokens == [0, 1])
    #expect(FunctionTokens([41, 59]).tokens == [1])
    #expect(FunctionTokens([0, 0]).tokens.isEmpty)
    let tokens = FunctionTokens([5, 0, 30, 30, 35])
    #expect((0..<5).map { tokens.contains(Int32($0)) } == [false, false, true, false, true])
  }

  @Test func `the time of a measurement has its part of what is computed for several`() throws {
    let recipe = Self.recipe
    let corpus = try Self.corpus(recipe)
    let model = try recipe.network(vocabulary: 256, rows: 4, threads: 2, isTrained: true, from: nil)
    model.parameters.initialize(seed: 3, deviation: 0.3, threads: 2)
    let pass = DiagnosticPass(
      [.entropy, .calibration, .position],
      DiagnosticSetting(
        recipe: recipe, heads: recipe.heads, vocabulary: 256, threads: 2, frequencies: corpus.frequencies,
        heldOut: corpus.heldOut))
    // One batch, whose time the network still knows.
    _ = try model.measure(on: corpus.heldOut, by: recipe, weights: recipe.weights, tokens: 1, for: pass)
    try pass.finish(.heldOut, of: model)
    let numbers = pass.numbers()
    let half = model.secondsOfOutputs / 2
    #expect(half > 0)
    for path in ["entropy/seconds", "calibration/seconds"] {
      #expect(try #require(numbers[path]) >= half * 0.999, "\(path)")
    }
    // The training part is looked at by none of them.
    #expect(pass.needs(lookingAt: .training).isEmpty && pass.needs(lookingAt: .heldOut) == .outputs)
  }

  @Test func `bins have the bounds that they say`() {
    let lowest = PlaceBin.lowest(context: 17)
    #expect(lowest == [0, 1, 2, 4, 8, 16])
    for place in 0..<17 {
      let bin = PlaceBin.index(of: place)
      #expect(lowest[bin] <= place && (bin + 1 == lowest.count || place < lowest[bin + 1]))
    }
    #expect([0.5, 1e-2, 9e-3, 1e-4, 9.9e-5, 1e-6, 0].map(FrequencyBin.index) == [0, 0, 1, 2, 3, 4, 4])
  }

  /// Everything that comes from single positions, in Double, from the logits and hidden states that the network gives one by one.
  @Test(arguments: Machine.hasBF16 ? [Precision.fp32, .bf16] : [.fp32])
  func `a slow look at logits and states says the same`(
    _ precision: Precision
  ) throws {
    var recipe = Self.recipe
    recipe.precision = precision == .fp32 ? .fp32 : .bf16
    recipe.measure.least = 2
    let corpus = try Self.corpus(recipe)
    let model = try recipe.network(vocabulary: 256, rows: 4, threads: 2, isTrained: true, from: nil)
    model.parameters.initialize(seed: 3, deviation: 0.3, threads: 2)
    let setting = DiagnosticSetting(
      recipe: recipe, heads: recipe.heads, vocabulary: 256, threads: 2, frequencies: corpus.frequencies,
      heldOut: corpus.heldOut)
    let pass = DiagnosticPass(DiagnosticKind.all, setting)
    _ = try model.look(at: corpus.training, by: recipe, tokens: 64 * 4, for: pass) { _, _ in true }
    try pass.finish(.training, of: model)
    _ = try model.measure(on: corpus.heldOut, by: recipe, weights: recipe.weights, for: pass)
    try pass.finish(.heldOut, of: model)
    let numbers = pass.numbers()

    let slow = try SlowDiagnostics(model, corpus, recipe, training: 64 * 4)
    for (path, expected, tolerance) in slow.numbers() {
      let value = try #require(numbers[path], "\(path)")
      #expect(
        abs(value - expected) <= tolerance * max(abs(expected), 1e-3),
        "\(path): \(value) and \(expected), \(Trial.note)")
    }
  }
}
