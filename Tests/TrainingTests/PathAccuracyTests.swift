// The share of right paths, by networks made by hand: one that knows the answer, and one that guesses at the source.
import Corpus
import Run
import Support
import Testing

@testable import Training

@Suite struct PathAccuracyTests {
  /// The share of whole paths where `next` says the token after each position of the true path.
  private static func share(
    _ graphs: StarGraphs, _ recipe: Recipe, next: (_ known: ArraySlice<Int32>) -> Int32
  ) -> [Float] {
    var sum = PathSum(graphs, recipe: recipe)
    for index in 0..<graphs.count {
      let sample = graphs.sample(index)
      var hits = [UInt8](repeating: 0, count: graphs.context)
      for position in 0..<sample.count - 1 where graphs.scored.contains(position) {
        hits[position] = next(sample[...position]) == sample[position + 1] ? 1 : 0
      }
      sum.add(hits, rows: 1, context: graphs.context)
    }
    return sum.shares
  }

  @Test(arguments: [(2, 4, 8), (3, 3, 12), (5, 3, 30)]) func `who knows gets all, who guesses gets one of the degree`(
    shape: (degree: Int, length: Int, nodes: Int)
  ) throws {
    var recipe = Recipe()
    recipe.data.kind = .stargraph
    (recipe.data.graph.degree, recipe.data.graph.length, recipe.data.graph.nodes) = shape
    recipe.data.graph.test = 6000
    recipe.model.context = recipe.data.graph.sampleLength + 3
    try recipe.validate(source: "the test")
    var source = Corpus.Source(paths: [], context: recipe.model.context, cache: "/nowhere")
    source.graphs = Corpus.StarGraphSource(recipe.data.graph, seed: recipe.seed)
    let graphs = try #require(try Corpus(opening: source).heldOut.graphs)
    let prefix = graphs.shape.prefix
    /// The edges before the question, from the tokens alone.
    func edges(_ known: ArraySlice<Int32>) -> [(Int32, Int32)] {
      (0..<graphs.shape.edges).map { (known[3 * $0], known[3 * $0 + 1]) }
    }
    let knowing = Self.share(graphs, recipe) { known in
      let edges = edges(known)
      var path = [known[prefix - 2]]
      while path[0] != known[prefix - 3], let edge = edges.first(where: { $0.1 == path[0] }) {
        path.insert(edge.0, at: 0)
      }
      return path[known.count - prefix]
    }
    #expect(knowing == Array(repeating: 1, count: shape.length))

    var dice = Dice(11)
    let guessing = Self.share(graphs, recipe) { known in
      guard known.count > prefix else { return known[prefix - 3] }
      // Follows the edges; at the source it takes any of them.
      let ways = edges(known).filter { $0.0 == known[known.endIndex - 1] }
      return ways.randomElement(using: &dice)?.1 ?? -1
    }
    let chance = 1 / Double(shape.degree)
    // Five standard deviations of a share of 6000.
    let room = 5 * (chance * (1 - chance) / 6000).squareRoot()
    #expect(abs(Double(guessing[shape.length - 1]) - chance) < room, "\(guessing), seed 11")
    #expect(guessing[0] == 1)
  }
}
