// What ends a run before its last step.
import Run
import Support
import Testing

@Suite struct StopRuleTests {
  @Test func `conditions are read as they are written`() throws {
    for (text, relation) in [
      ("a/b >= 0.5", StopCondition.Relation.atLeast), ("a/b<=0.5", .atMost), ("a/b > 5e-1", .above), ("a/b<.5", .below),
    ] {
      let condition = try StopCondition(typed: text)
      #expect(condition.metric == "a/b" && condition.value == 0.5 && condition.relation == relation)
    }
    for wrong in ["", "a", "a >= ", ">= 3", "a >= x", "a = 3", "a >= inf"] {
      #expect(throws: UserError.self, "\(wrong)") { try StopCondition(typed: wrong) }
    }
  }

  @Test func `a recipe with a condition that cannot be met is refused`() {
    func problem(_ change: (inout Recipe) -> Void) -> String {
      var recipe = Recipe()
      change(&recipe)
      return sentence { try recipe.validate(source: "x") }
    }
    #expect(problem { $0.stop.until = "held-out/ntp <= 3" } == "")
    #expect(problem { $0.stop.until = "heldout/ntp <= 3" }.contains("did you mean held-out/ntp?"))
    #expect(problem { $0.stop.until = "accuracy/path >= 1" }.contains("evaluations of this recipe lack"))
    #expect(problem { $0.stop.until = "entropy/ntp <= 1" }.contains("set measure.entropy above 0"))
    #expect(problem { ($0.stop.patience, $0.evaluate.every) = (3, 0) }.contains("evaluate.every is 0"))
  }

  @Test func `the trunk of parallel heads is that of the code, or of the paper's text`() {
    var recipe = Recipe()
    recipe.model.blocks = 8
    recipe.objective.mtp.heads = 4
    #expect(recipe.trunkBlocks == 4 && recipe.inferenceBlocks == 5)
    recipe.objective.mtp.budget = .added
    #expect(recipe.trunkBlocks == 7 && recipe.inferenceBlocks == 8)
    recipe.objective.mtp.trunk = 3
    #expect(recipe.trunkBlocks == 3)
  }
}
