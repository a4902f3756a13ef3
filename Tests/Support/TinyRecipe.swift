// A recipe to begin with, of a network that takes a step in microseconds.
import Run

extension Recipe {
  /// A network of this shape on bytes; everything else is the default recipe's.
  package static func tiny(
    blocks: Int = 1, width: Int = 16, heads: Int = 2, keyValueHeads: Int = 1, inner: Int = 24, context: Int = 16
  ) -> Recipe {
    var recipe = Recipe()
    recipe.tokenizer.kind = .bytes
    recipe.model.blocks = blocks
    recipe.model.width = width
    recipe.model.heads = heads
    recipe.model.keyValueHeads = keyValueHeads
    recipe.model.inner = inner
    recipe.model.context = context
    return recipe
  }

  /// A tiny network's short run in fp32, with a tenth of the text held out.
  package static func tinyRun(steps: Int) -> Recipe {
    var recipe = tiny()
    recipe.steps = steps
    recipe.schedule.warmup = 3
    recipe.precision = .fp32
    recipe.data.heldOut = 0.1
    recipe.sample.prompt = "a"
    return recipe
  }
}
