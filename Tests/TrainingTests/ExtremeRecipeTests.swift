// Recipes whose numbers are as small or as large as keys take: they are planned, and those that fit take a step.
import Run
import Support
import Testing
import Training

struct ExtremeRecipeTests {
  @Test func `every number that a key takes makes a plan, or a sentence`() throws {
    for (name, recipe) in ExtremeNumbers.recipes(from: Tiny.recipe) {
      do {
        let plan = try RunPlan(recipe, vocabulary: 256, threads: 2)
        #expect(plan.bytes > 0, "\(name)")
        #expect(plan.network.operationsPerToken.isFinite, "\(name)")
      } catch let error as UserError {
        #expect(error.message.count < 2000, "\(name)")
      }
    }
  }

  @Test func `every number that does not make the network larger takes a step`() throws {
    var plain = Tiny.recipe
    plain.steps = 1
    (plain.evaluate.every, plain.sample.every, plain.save.every) = (0, 0, 0)
    let tried = ExtremeNumbers.recipes(from: plain).filter { _, recipe in
      recipe.steps == 1 && recipe.tokenizer == plain.tokenizer && recipe.data == plain.data
        && recipe.objective.teacher.file.isEmpty && recipe.batch == plain.batch
        && recipe.objective.window == plain.objective.window
        && (try? RunPlan(recipe, vocabulary: 256, threads: 2).bytes < 100_000_000) == true
    }
    #expect(tried.count > 100)
    let corpus = try Tiny.corpus(plain)
    for (name, recipe) in tried {
      // Networks of a thousand blocks are among them: with more threads they would mostly wait for each other.
      let result = try Tiny.train(
        recipe, on: recipe.model.context == plain.model.context ? corpus : nil, threads: 1)
      #expect(result.ending.reason == .finished || result.ending.reason == .diverged, "\(name)")
      if case .diverged = result.ending.reason { continue }
      #expect(result.log.steps.allSatisfy { $0.total.isFinite }, "\(name)")
    }
  }
}
