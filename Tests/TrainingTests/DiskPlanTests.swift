// The room that a run needs on the disk: as many checkpoints as a run of its recipe has at once, and a refusal with what would fit.
import Foundation
import Run
import Support
import Testing

@testable import Training

@Suite struct DiskPlanTests {
  private static func plan(_ change: (inout Recipe) -> Void) throws -> RunPlan {
    var recipe = Tiny.recipe
    change(&recipe)
    return try RunPlan(recipe, vocabulary: 256, threads: 1)
  }

  /// The most checkpoints that are there at once, found by saving one after the other. The best is the oldest that nothing else keeps.
  private static func most(_ recipe: Recipe) -> Int {
    let (save, steps) = (recipe.save, recipe.steps)
    var (there, most) = ([Int](), 0)
    var best: Int?
    for step in 1...steps where step == steps || (save.every > 0 && step % save.every == 0) {
      there.append(step)
      most = max(most, there.count)
      guard save.keep > 0 else { continue }
      func isKeptForEver(_ step: Int) -> Bool { save.keepEvery > 0 && step % save.keepEvery == 0 }
      if recipe.evaluate.every > 0, best == nil, !isKeptForEver(step) { best = step }
      let newest = there.suffix(save.keep)
      there = there.filter { newest.contains($0) || isKeptForEver($0) || $0 == best }
    }
    return most
  }

  @Test func `a plan counts as many checkpoints as a run has at once`() throws {
    var dice = Dice(for: "checkpoints on the disk")
    var counts: Set<Int> = []
    for _ in 0..<300 {
      let plan = try Self.plan {
        $0.steps = Int.random(in: 1...200, using: &dice)
        $0.save.every = Int.random(in: 0...30, using: &dice)
        $0.save.keep = Int.random(in: 0...4, using: &dice)
        $0.save.keepEvery = Bool.random(using: &dice) ? 0 : Int.random(in: 1...60, using: &dice)
        $0.evaluate.every = Bool.random(using: &dice) ? 0 : 5
      }
      let save = plan.recipe.save
      #expect(
        plan.disk.checkpoints == Self.most(plan.recipe),
        "\(plan.recipe.steps) steps, \(save), evaluations every \(plan.recipe.evaluate.every), \(Trial.note)")
      counts.insert(plan.disk.checkpoints)
    }
    #expect(counts.count > 8)
  }

  @Test func `a checkpoint has all numbers that its recipe stores, and longer runs have more metrics`() throws {
    func disk(_ change: (inout Recipe) -> Void) throws -> DiskPlan { try Self.plan(change).disk }
    func tables(_ recipe: inout Recipe) {
      recipe.model.memory.keys = 24
      (recipe.model.memory.keyWidth, recipe.model.memory.top) = (8, 8)
      (recipe.model.memory.valueWidth, recipe.model.memory.preWidth) = (12, 4)
    }
    let full = try disk(tables)
    let less = try disk {
      tables(&$0)
      $0.save.weightsOnly = true
    }
    #expect(full.checkpoint - less.checkpoint == 8 * 24 * 24 * 16 && full.metrics == less.metrics)
    let plan = try Self.plan(tables)
    #expect(full.checkpoint > plan.checkpointBytes && full.most > full.checkpoint)
    #expect(full.bytes == (full.checkpoints - 1) * full.checkpoint + full.most + full.metrics)
    func metrics(steps: Int) throws -> Int {
      try disk { ($0.steps, $0.evaluate.every, $0.sample.every) = (steps, 0, 0) }.metrics
    }
    let (short, long) = (try metrics(steps: 10_000), try metrics(steps: 1_010_000))
    // Three times what a row has: some twenty numbers of 4 or 8 bytes.
    #expect((3 * 80...3 * 200).contains((long - short) / 1_000_000))
    // A recipe that is never to end asks for much, and for no number that there is not.
    let endless = try disk {
      $0.steps = 1_000_000_000
      ($0.save.every, $0.save.keep) = (1, 0)
    }
    #expect(endless.checkpoints == 1_000_000_000 && endless.bytes > 1 << 40)
  }

  @Test func `a run whose checkpoints do not fit is refused with the numbers and what would fit`() throws {
    /// A checkpoint of about 770 MB, of which moments of tables are two thirds.
    func large(_ recipe: inout Recipe) {
      recipe.model.memory.keys = 2000
      (recipe.model.memory.keyWidth, recipe.model.memory.top) = (8, 8)
      (recipe.model.memory.valueWidth, recipe.model.memory.preWidth) = (12, 4)
      (recipe.steps, recipe.save.every, recipe.save.keep, recipe.evaluate.every) = (1000, 10, 3, 10)
    }
    let plan = try Self.plan(large)
    let disk = plan.disk
    #expect(disk.checkpoints == 5)
    try plan.check(freeDisk: disk.demanded, of: "runs/a")
    try plan.check(freeDisk: nil, of: "runs/a")
    func refusal(_ plan: RunPlan, free: Int, beside existing: Int = 0) throws -> String {
      let error = try #require(throws: UserError.self) {
        try plan.check(freeDisk: free, beside: existing, of: "runs/a")
      }
      #expect(error.status == .unavailable)
      return error.message
    }
    func expect(_ message: String, has words: [String]) {
      for words in words { #expect(message.contains(words), "“\(words)” is missing: \(message)") }
    }
    expect(
      try refusal(plan, free: disk.demanded - 1),
      has: [
        "needs \(Figure.bytes(disk.demanded)) on the disk", "5 checkpoints of \(Figure.bytes(disk.checkpoint))",
        "the newest 3, the best, and one that is being written", "of metrics",
        "but \(Figure.bytes(disk.demanded - 1)) are free on the disk of runs/a",
        "--runs, or set save.keep: 1: then it needs",
      ])
    // Less room, and more is asked for.
    expect(
      try refusal(plan, free: 2 * disk.checkpoint),
      has: ["or set save.weightsOnly: true, which leaves out the moments of tables: then it needs"])
    expect(
      try refusal(plan, free: disk.checkpoint * 6 / 5),
      has: ["or set save.keep: 1 and save.weightsOnly: true"])
    // Where nothing is enough, nothing is advised.
    #expect(try !refusal(plan, free: 1 << 20).contains("or set"))
    // Checkpoints that are kept for ever grow with the steps, and are not asked for in advance.
    let kept = try Self.plan {
      large(&$0)
      $0.save.keepEvery = 100
    }
    #expect(kept.disk.kept == 9 && kept.disk.demanded == disk.demanded)
    let all = try Self.plan {
      large(&$0)
      $0.save.keep = 0
    }
    #expect(all.disk.checkpoints == 100)
    try all.check(freeDisk: 2 * disk.most, of: "runs/a")
    _ = try refusal(all, free: disk.most - 1)
    // Metrics that may never be written are not asked for.
    let endless = try Self.plan { ($0.steps, $0.evaluate.every) = (1_000_000_000, 1000) }
    #expect(endless.disk.metrics > 1 << 35)
    try endless.check(freeDisk: 1 << 30, of: "runs/a")

    // A run that goes on has some of it already, but a new checkpoint comes before an old one goes.
    let four = 4 * disk.checkpoint
    try plan.check(freeDisk: disk.demanded - four, beside: four, of: "runs/a")
    expect(
      try refusal(plan, free: disk.demanded - four - 1, beside: four),
      has: ["needs \(Figure.bytes(disk.demanded - four)) more than the \(Figure.bytes(four)) that it has"])
    try plan.check(freeDisk: disk.most, beside: 100 * disk.checkpoint, of: "runs/a")
    _ = try refusal(plan, free: disk.most - 1, beside: 100 * disk.checkpoint)
  }
}
