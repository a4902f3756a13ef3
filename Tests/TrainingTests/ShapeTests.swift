// A recipe and the network made from it say the same of its tensors: what checkpoints are checked by, and what is trained.
import Run
import Testing
import Training
import Transformer

@Suite struct ShapeTests {
  @Test(arguments: [
    "objective: {top: 0}", "model: {kind: gpt2, tied: true}", "model: {qkNorm: true, headWidth: 32, keyValueHeads: 2}",
    "objective: {ntp: 0}", "objective: {mtp: {heads: 3}}\nmodel: {blocks: 6}",
    "objective: {mtp: {heads: 3, kind: sequential, weights: [1, 0]}}\nmodel: {kind: gpt2}",
  ])
  func `a recipe's shape is its network's`(yaml: String) throws {
    let recipe = try Recipe(yaml: yaml, source: "test")
    try recipe.validate(source: "test")
    let configuration = recipe.configuration(vocabulary: 300)
    #expect(recipe.shape(vocabulary: 300) == configuration.shape)
    #expect(try recipe.tensors(vocabulary: 300).map(\.path) == configuration.shape.tensors.map(\.path))
  }
}
