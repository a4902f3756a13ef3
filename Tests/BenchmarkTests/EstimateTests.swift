// What the plan says of objectives beside next-token prediction: which steps they are in, what they take more, and memory.
import Kernels
import Run
import Testing
import Training
import Transformer

@testable import Benchmark

@Suite(.serialized) struct EstimateTests {
  private func plan(_ assignments: String...) throws -> RunPlan {
    var recipe = try Recipe(
      yaml: "model: {blocks: 2, width: 32, heads: 2, keyValueHeads: 2, context: 32}\nobjective: {top: 0}",
      source: "test")
    (recipe.batch.rows, recipe.steps, recipe.precision) = (8, 120, .fp32)
    for assignment in assignments { try recipe.set(assignment, source: "test") }
    try recipe.validate(source: "test")
    return try RunPlan(recipe, vocabulary: 2000, threads: 1)
  }

  private func estimate(_ plan: RunPlan) throws -> Estimate { try #require(try Estimate(plan, memory: nil)) }

  /// Measurements on a busy machine are disturbed now and then.
  private static let mostTries = 20

  /// Measures until a condition holds, several times at most.
  private func estimate(_ plan: RunPlan, until holds: (Estimate) -> Bool) throws -> Estimate {
    for _ in 1..<Self.mostTries {
      let found = try estimate(plan)
      if holds(found) { return found }
    }
    return try estimate(plan)
  }

  @Test func `a run's time is that of its steps, of which the first ones differ`() {
    var estimate = Estimate(steps: 100)
    (estimate.blocks, estimate.heads, estimate.drawing, estimate.update) = (1, 0.5, 0.25, 0.25)
    estimate.shaping = Estimate.FirstSteps(seconds: 0.5, steps: 40)
    estimate.alone = Estimate.FirstSteps(seconds: -0.125, steps: 8)
    #expect(estimate.duration(of: 0..<100) == 200 + 20 - 1)
    #expect(estimate.step == 2.19)
    // Of a run that is at step 30, ten steps with a shaped loss are left.
    #expect(estimate.duration(of: 30..<100) == 140 + 5)
    #expect(estimate.duration(of: 50..<60) == 20 && estimate.duration(of: 100..<100) == 0)
  }

  @Test func `a loss that is shaped is measured as a step trains it`() throws {
    for assignment in ["ahead=3", "beta=0.5", "tail=-0.1"] {
      let plan = try plan("objective.next.\(assignment)")
      let stepper = try Stepper(Workload(plan, name: "test"), threads: 1)
      _ = try stepper.step()
      #expect(stepper.sums[0].trained == nil)
      _ = try stepper.step(stage: plan.recipe.stage(at: 0, prefixes: []))
      let (trained, plain) = (try #require(stepper.sums[0].trained), stepper.sums[0].loss)
      #expect(trained.isFinite && trained != plain, "\(assignment)")
    }
    let taught = try plan("objective.teacher.file=none", "objective.teacher.weight=0.5")
    let stepper = try Stepper(Workload(taught, name: "test"), threads: 1)
    _ = try stepper.step(stage: taught.recipe.stage(at: 0, prefixes: []))
    #expect(try #require(stepper.sums[0].trained).isFinite)
  }

  @Test(arguments: [
    ("objective.next.ahead=3", 80), ("objective.next.beta=0.5", 120), ("objective.next.tail=-0.1", 120),
    ("objective.next.steerable=true", 0), ("objective.bag=0.1", 0),
  ]) func `the steps with a shaped loss are known, and that they take longer`(assignment: String, steps: Int) throws {
    let estimate = try estimate(plan(assignment))
    #expect(estimate.shaping.steps == steps && estimate.alone == Estimate.FirstSteps())
    #expect(estimate.shaping.seconds >= 0 && (steps > 0 || estimate.shaping.seconds == 0))
    #expect(estimate.step > 0.999 * (estimate.blocks + estimate.heads + estimate.update))
    #expect(estimate.drawing == 0)
  }

  @Test func `the likeliest of many tokens take time to find`() throws {
    // A search among 2000 logits takes longer than all else that the heads of so narrow a network do.
    let plan = try plan("objective.next.head=0.1", "objective.next.likeliest=256")
    let estimate = try estimate(plan) { $0.shaping.seconds > 0 }
    #expect(estimate.shaping.seconds > 0 && estimate.shaping.steps == 120)
    #expect(abs(estimate.step / estimate.duration(of: 0..<1) - 1) < 1e-9)
  }

  @Test func `a teacher teaches as many steps as the recipe says`() throws {
    let estimate = try estimate(plan("objective.teacher.file=none", "objective.teacher.steps=30"))
    #expect(estimate.shaping.steps == 30)
  }

  @Test func `JTP's heads cost as many unembeddings more, and Fetch`() throws {
    let (one, joint) = (try plan(), try plan("objective.jtp.weight=0.1"))
    // Five unembeddings instead of one. The least times of both are those that nothing disturbed.
    var heads = (one: Double.infinity, joint: Double.infinity)
    for _ in 0..<Self.mostTries where heads.joint <= 2 * heads.one {
      heads = (min(heads.one, try estimate(one).heads), min(heads.joint, try estimate(joint).heads))
    }
    #expect(heads.joint > 2 * heads.one, "\(heads)")
    let operations = joint.network.operations.first { $0.part == .heads }?.count
    #expect(operations == 5 * (one.network.operations.first { $0.part == .heads }?.count ?? 0))
    #expect(joint.network.operations.contains { $0.part == .joints && $0.count > 0 })
    #expect(joint.bytes > one.bytes)
  }

  @Test func `drawn inputs take a pass forward, tokens drawn from logits, and a frozen network's memory`() throws {
    let (text, drawn) = (try plan(), try plan("data.drawn.share=0.2"))
    let estimate = try estimate(drawn)
    #expect(estimate.drawing > 0 && estimate.step > estimate.blocks + estimate.heads + estimate.drawing)
    #expect(try self.estimate(text).drawing == 0)
    let parameters = text.network.parameters.count
    func bytes(_ plan: RunPlan, _ name: String) -> Int { plan.memory.first { $0.name == name }?.bytes ?? 0 }
    // The frozen network, and all weights as they were frozen.
    #expect(bytes(drawn, "drawn") > 8 * parameters && bytes(text, "drawn") == 0)
    #expect(bytes(drawn, "checkpoint") == bytes(text, "checkpoint") + 4 * parameters)
    let share = drawn.drawingOperations / text.network.operationsPerToken
    #expect(share > 0.1 && share < 0.4, "\(share)")
  }

  @Test func `while MTP heads learn alone less is updated, and the rest is computed all the same`() throws {
    let caft = try plan(
      "objective.mtp.heads=2", "objective.mtp.kind=sequential", "objective.mtp.alone=30", "objective.mtp.schedule=sine")
    let estimate = try estimate(caft) { $0.alone.seconds < 0 && -$0.alone.seconds < $0.update }
    #expect(estimate.alone.steps == 30 && estimate.shaping.steps == 0)
    #expect(estimate.alone.seconds < 0 && -estimate.alone.seconds < estimate.update)
    #expect(estimate.duration(of: 0..<30) < estimate.duration(of: 30..<60))
  }
}
