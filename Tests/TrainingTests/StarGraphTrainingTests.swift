// Star graphs through the trainer: the share of right paths that an evaluation reports is that of greedy decoding.
import Corpus
import Run
import Support
import Testing
import Training

@Suite struct StarGraphTrainingTests {
  private static var recipe: Recipe {
    var recipe = Recipe.tiny(blocks: 2, width: 32, heads: 2, keyValueHeads: 2, inner: 48, context: 12)
    recipe.data.kind = .stargraph
    // The path has three nodes, of which source and goal are given.
    (recipe.data.graph.degree, recipe.data.graph.length, recipe.data.graph.nodes) = (2, 2, 30)
    recipe.data.graph.test = 96
    recipe.batch.rows = 32
    recipe.schedule.rate = 3e-3
    recipe.precision = .fp32
    recipe.optimizer.weightDecay = 0.01
    recipe.steps = 400
    recipe.evaluate.every = 200
    recipe.sample.every = 200
    return recipe
  }

  private static func corpus(_ recipe: Recipe) throws -> Corpus {
    var source = Corpus.Source(paths: [], context: recipe.model.context, cache: "/nowhere")
    source.graphs = Corpus.StarGraphSource(recipe.data.graph, seed: recipe.seed)
    return try Corpus(opening: source)
  }

  @Test(arguments: [0.0, 1.0], [0, 256]) func `reported paths are those of greedy decoding`(
    top: Double, samples: Int
  ) throws {
    var recipe = Self.recipe
    recipe.objective.top = top
    recipe.data.graph.samples = samples
    try recipe.validate(source: "the test")
    let corpus = try Self.corpus(recipe)
    let (log, ending, checkpoint) = try Tiny.train(recipe, on: corpus)
    #expect(ending.reason == .finished)
    #expect(log.evaluations.allSatisfy { $0.paths.count == 2 })
    // Two positions of each graph are scored.
    #expect(log.steps.allSatisfy { $0.losses[0].positions == 64 })
    let network = try TrainedNetwork(checkpoint, threads: 2)
    let measured = try network.measure(on: corpus.heldOut)
    #expect(measured.paths == log.evaluations.last?.paths)
    let graphs = try #require(corpus.heldOut.graphs)
    var right = [0, 0]
    for index in 0..<graphs.count {
      let sample = graphs.sample(index)
      var written: [Int32] = []
      try network.write(after: Array(sample[..<graphs.shape.prefix]), tokens: 2, temperature: 0, seed: 1) {
        written.append($0)
        return true
      }
      let count = zip(written, sample[graphs.shape.prefix...]).prefix { $0 == $1 }.count
      for length in 0..<count { right[length] += 1 }
    }
    // Where two tokens are equally likely, a batch and a cache may round differently.
    for (share, count) in zip(measured.paths, right) { #expect(abs(Double(share) * 96 - Double(count)) <= 1) }
    #expect((log.evaluations.last?.paths[0] ?? 0) > 0.5, "the source was not learned: \(log.evaluations.map(\.paths))")
    #expect(log.texts.last?.text.contains("right") == true || log.texts.last?.text.contains("wrong") == true)
  }

  @Test func `rules between the keys of graphs name them`() {
    func problem(_ change: (inout Recipe) -> Void) -> String {
      var recipe = Self.recipe
      change(&recipe)
      return sentence { try recipe.validate(source: "x") }
    }
    #expect(problem { _ in } == "")
    #expect(problem { $0.data.graph.nodes = 2 }.contains("data.graph.nodes is 2"))
    #expect(problem { $0.data.graph.nodes = 4 }.contains("too few different graphs"))
    #expect(problem { $0.model.context = 10 }.contains("11 or more"))
    #expect(problem { $0.data.paths = ["a.txt"] }.contains("data.paths"))
    #expect(problem { ($0.data.kind, $0.tokenizer.kind) = (.text, .graph) }.contains("tokenizer.kind graph"))
  }
}
