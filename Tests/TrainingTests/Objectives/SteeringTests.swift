// Weights of objectives that commands change: they act from the next step on, are recorded, and are repeated to the bit by replays,
// resumed runs and undo. What a command sets is what the recipe would have set.
import Corpus
import Foundation
import Run
import Support
import Testing

@testable import Training

struct SteeringTests {
  private static func recipe(_ change: (inout Recipe) -> Void) -> Recipe {
    var recipe = Tiny.recipe
    recipe.objective.top = 0
    change(&recipe)
    return recipe
  }

  private func typed(_ lines: String...) throws -> [Command] { try lines.map { try Command(typed: $0) } }

  private func losses(_ log: Log) -> [[HeadLoss]] { log.steps.map(\.losses) }

  /// As a resumed run has it: with the numbers that commands had changed before its checkpoint.
  private func resumed(_ recipe: Recipe, from checkpoint: Checkpoint) -> Recipe {
    var recipe = recipe
    recipe.take(checkpoint.state.settings ?? [:])
    return recipe
  }

  /// A run that is steered, the same replayed, and the same gone on with from each of its checkpoints.
  private func expectExact(_ recipe: Recipe, _ commands: [Int: [Command]], keys: [String]) throws -> Log {
    var recipe = recipe
    recipe.save.every = 1
    let whole = try Tiny.train(recipe, after: commands)
    #expect(whole.log.occurrences.map(\.key) == keys && whole.log.occurrences.allSatisfy { $0.kind != .refused })
    let edits = whole.log.occurrences.compactMap { ReplayedCommand($0) }
    #expect(edits.count == keys.count)
    let replayed = try Tiny.train(recipe, replaying: edits)
    #expect(losses(replayed.log) == losses(whole.log))
    #expect(replayed.checkpoint.weights == whole.checkpoint.weights)
    #expect(losses(try Tiny.train(recipe).log) != losses(whole.log))
    for half in whole.log.checkpoints where half.state.step < 12 {
      let step = half.state.step
      let rest = try Tiny.train(
        resumed(recipe, from: half), from: half, replaying: edits.filter { $0.step >= step })
      #expect(losses(rest.log) == Array(losses(whole.log).dropFirst(step)), "from step \(step)")
      #expect(rest.checkpoint.drawing == whole.checkpoint.drawing)
    }
    return whole.log
  }

  // MARK: Further targets

  @Test func `the factor of further targets acts from the next step on, and 0 is plain cross-entropy`() throws {
    let ahead = Self.recipe { $0.objective.next.ahead = 3 }
    let plain = try Tiny.train(Self.recipe { _ in }).log
    let none = Self.recipe {
      $0.objective.next.ahead = 3
      $0.objective.next.further = 0
    }
    #expect(try losses(Tiny.train(none).log) == losses(plain))
    let log = try expectExact(
      ahead, [2: typed("ntp further 0.3"), 5: typed("ntp further 0")],
      keys: ["objective.next.further", "objective.next.further"])
    #expect(losses(log).prefix(2) == losses(try Tiny.train(ahead).log).prefix(2))
    #expect(log.steps.map { $0.losses[0].trained != nil } == (0..<12).map { $0 < 5 })
    #expect(log.occurrences.map(\.old) == [1, 0.3] && log.occurrences.map(\.new) == [0.3, 0])
    // At first all tokens are about as likely: weights of 1 + 0.3 · (½ + ¼) lose so many times as much.
    let factor = Self.recipe {
      $0.objective.next.ahead = 3
      $0.objective.next.further = 0.3
    }
    let first = try #require(try Tiny.train(factor).log.steps.first?.losses[0])
    #expect(abs(try #require(first.trained) / first.loss - 1.225) < 0.03)
    #expect(
      try losses(Tiny.train(ahead, asking: typed("ntp further 0.3")).log) == losses(Tiny.train(factor).log))
  }

  @Test func `a factor that comes too late is taken with a remark, and refused without further targets`() throws {
    let ahead = Self.recipe { $0.objective.next.ahead = 2 }
    let late = try Tiny.train(ahead, after: [9: typed("ntp further 0.5")]).log
    #expect(late.occurrences.map(\.kind) == [.setting] && late.occurrences[0].text.contains("no effect"))
    #expect(losses(late) == losses(try Tiny.train(ahead).log))
    let beta = Self.recipe { $0.objective.next.beta = 0.5 }
    let refused = try Tiny.train(beta, after: [3: typed("ntp further 0.5")]).log
    #expect(refused.occurrences.map(\.kind) == [.refused])
    #expect(refused.occurrences[0].text.contains("objective.next.ahead is 1"))
    let plain = try Tiny.train(Self.recipe { _ in }, after: [3: typed("ntp further 0.5")]).log
    #expect(plain.occurrences[0].text.contains("train --set objective.next.ahead=3"))
  }

  // MARK: Shaped and steered to plain

  @Test func `a loss that was steered to plain cross-entropy can be shaped again after a resume`() throws {
    let shaped = Self.recipe { $0.objective.next.beta = 0.5 }
    let log = try expectExact(
      shaped, [3: typed("ntp beta 0"), 8: typed("ntp tail 0.2", "ntp likeliest 4", "ntp head 0.1")],
      keys: ["beta", "tail", "likeliest", "head"].map { "objective.next.\($0)" })
    #expect(log.steps.map { $0.losses[0].trained != nil } == (0..<12).map { $0 < 3 || $0 >= 8 })
    let half = try #require(log.checkpoints.first { $0.state.step == 5 })
    #expect(half.recipe.objective.next.steerable && half.recipe.objective.next.beta == 0)
    #expect(resumed(shaped, from: half).objective.next.steerable)
    #expect(try Recipe(yaml: half.recipe.yaml, source: "test").shapesNextToken)
  }

  @Test func `a run that begins plain and steerable is plain to the bit until it is steered`() throws {
    let steerable = Self.recipe { $0.objective.next.steerable = true }
    let plain = try Tiny.train(Self.recipe { _ in }).log
    #expect(try losses(Tiny.train(steerable).log) == losses(plain))
    let log = try expectExact(steerable, [4: typed("ntp beta 0.5")], keys: ["objective.next.beta"])
    #expect(losses(log).prefix(4) == losses(plain).prefix(4))
    #expect(log.steps.map { $0.losses[0].trained != nil } == (0..<12).map { $0 >= 4 })
  }

  @Test(arguments: [
    "objective.next.ahead=3", "objective.next.ahead=5", "objective.next.beta=0.5", "objective.next.tail=0.1",
    "objective.next.steerable=true", "objective.top=0",
  ]) func `the plan knows how many steps have a shaped loss`(assignment: String) throws {
    var recipe = Self.recipe { _ in }
    try recipe.set(assignment, source: "test")
    let shaped = try Tiny.train(recipe).log.steps.count { $0.losses[0].trained != nil }
    #expect(recipe.shapedSteps == shaped, "\(assignment)")
    for steps in [1, 2, 3, 7, 100, 1_000_003] {
      recipe.steps = steps
      let next = recipe.objective.next
      let expected = (0..<min(steps, 2000)).count {
        !recipe.stage(at: $0, prefixes: []).isPlain(ahead: next.ahead)
      }
      #expect(steps > 2000 || recipe.shapedSteps == (recipe.shapesNextToken ? expected : 0), "\(steps) steps")
      if next.ahead == 3 { #expect(recipe.shapedSteps == (2 * steps + 2) / 3) }
    }
  }

  // MARK: Drawn inputs

  private static var drawn: Recipe {
    recipe {
      $0.data.drawn.share = 0.4
      $0.data.drawn.every = 3
    }
  }

  @Test(arguments: [false, true]) func `the share of drawn inputs is steered down, off, and on again`(masks: Bool)
    throws
  {
    var recipe = Self.drawn
    recipe.data.drawn.mask = masks
    let key = "data.drawn.share"
    let log = try expectExact(
      recipe, [2: typed("drawn share 0.1"), 4: typed("drawn share 0"), 7: typed("drawn share 0.5")],
      keys: [key, key, key])
    #expect(losses(log).prefix(2) == losses(try Tiny.train(recipe).log).prefix(2))
    if masks {
      let all = try Tiny.train(Self.recipe { _ in }).log.steps.map { $0.losses[0].positions }
      #expect(
        zip(log.steps, all).enumerated().allSatisfy { ($1.0.losses[0].positions == $1.1) == (4..<7).contains($0) })
    }
    for checkpoint in log.checkpoints {
      let step = checkpoint.state.step
      // A checkpoint is saved before what is asked for at its step.
      let isOn = !(5...7).contains(step)
      #expect(checkpoint.drawing.count == (isOn ? checkpoint.weights.count : 0), "step \(step)")
      #expect(checkpoint.recipe.data.drawn.isOn == isOn)
    }
    // The copy is frozen when it is needed again, and then at every third step.
    let again = try #require(log.checkpoints.first { $0.state.step == 8 })
    #expect(again.drawing == log.checkpoints.first { $0.state.step == 7 }?.weights)
  }

  @Test func `a run that reads the text alone draws inputs when it is told to`() throws {
    let plain = Self.recipe { $0.data.drawn.every = 3 }
    let log = try expectExact(plain, [5: typed("drawn share 0.4")], keys: ["data.drawn.share"])
    #expect(losses(log).prefix(5) == losses(try Tiny.train(plain).log).prefix(5))
    // Told before the first step, it is the run whose recipe says so.
    let told = try Tiny.train(plain, asking: typed("drawn share 0.4"))
    let set = try Tiny.train(Self.drawn)
    #expect(losses(told.log) == losses(set.log) && told.checkpoint.drawing == set.checkpoint.drawing)
    // Undone, it is the run that nobody told.
    let undone = try Tiny.train(plain, asking: typed("drawn share 0.4", "undo"))
    #expect(losses(undone.log) == losses(try Tiny.train(plain).log) && undone.checkpoint.drawing.isEmpty)
  }

  @Test func `inputs are not drawn without next-token prediction`() throws {
    let order = Self.recipe {
      $0.objective.ntp = 0
      $0.objective.top = 1
    }
    let log = try Tiny.train(order, after: [3: typed("drawn share 0.2")]).log
    #expect(log.occurrences.map(\.kind) == [.refused] && log.occurrences[0].text.contains("objective.ntp is 0"))
    #expect(losses(log) == losses(try Tiny.train(order).log))
  }

  // MARK: All heads of a kind

  private static var joint: Recipe {
    recipe {
      $0.objective.jtp.weight = 0.3
      $0.objective.jtp.tokens = 3
    }
  }

  @Test func `one command sets the weight that all JTP heads share`() throws {
    let names = ["jtp-2", "jtp-3", "jtp-4"]
    let log = try expectExact(
      Self.joint, [4: typed("weight jtp 0.6"), 8: typed("weight jtp x0.5")], keys: names + names)
    #expect(log.steps[3].losses.map(\.weight) == [1, 0.1, 0.1, 0.1])
    for step in 4..<8 { #expect(log.steps[step].losses.map(\.weight) == [1, 0.2, 0.2, 0.2]) }
    for step in 8..<12 { #expect(log.steps[step].losses.map(\.weight) == [1, 0.1, 0.1, 0.1]) }
    // Told before the first step, it is the run whose recipe says so.
    var set = Self.joint
    set.objective.jtp.weight = 0.6
    #expect(
      try losses(Tiny.train(Self.joint, asking: typed("weight jtp 0.6")).log) == losses(Tiny.train(set).log))
    // One undo takes back what one command did, heads that were steered alone too.
    let undone = try Tiny.train(Self.joint, asking: typed("weight jtp-3 0.7", "weight jtp 0", "undo")).log
    #expect(undone.steps.last?.losses.map(\.weight) == [1, 0.1, 0.7, 0.1])
    #expect(undone.occurrences.map { Float($0.new ?? .nan) } == [0.7, 0, 0, 0, 0.1, 0.7, 0.1])
    let none = try Tiny.train(Self.recipe { _ in }, after: [3: typed("weight jtp 0.2", "weight mtp 0.2")]).log
    #expect(none.occurrences.map(\.kind) == [.refused, .refused] && none.occurrences.map(\.key) == ["jtp", "mtp"])
  }

  @Test func `MTP heads have the weight each, and not all weights can be 0`() throws {
    let several = Self.recipe {
      $0.model.blocks = 4
      $0.objective.mtp.heads = 3
    }
    let log = try expectExact(several, [4: typed("weight mtp 0.5")], keys: ["mtp-2", "mtp-3"])
    #expect(log.steps.last?.losses.map(\.weight) == [1, 0.5, 0.5])
    #expect(log.occurrences.last?.text == "weight of mtp-3 1 → 0.5; also mtp-2 1 → 0.5")
    let zero = try Tiny.train(several, after: [2: typed("weight ntp 0", "weight mtp 0", "weight mtp x101")]).log
    #expect(zero.occurrences.map(\.kind) == [.weight, .refused, .refused])
    #expect(zero.occurrences[1].text.contains("nothing would be learned"))
    #expect(zero.occurrences[2].text.contains("is not from 0 to 100"))
  }

  // MARK: Stages

  @Test func `the heads' own steps end later or sooner, as if the recipe had said so`() throws {
    let caft = Self.recipe {
      $0.model.blocks = 3
      $0.objective.mtp.heads = 2
      $0.objective.mtp.alone = 4
      $0.objective.mtp.schedule = .sine
    }
    for (number, other) in [(3, 7), (2, 3), (1, 0)] {
      let log = try expectExact(caft, [number: typed("mtp alone \(other)")], keys: ["objective.mtp.alone"])
      var said = caft
      said.objective.mtp.alone = max(other, number)
      #expect(log.steps.map { $0.losses[0].weight == 0 } == (0..<12).map { $0 < max(other, number) })
      if other >= number { #expect(losses(log) == losses(try Tiny.train(said).log)) }
    }
    let late = try Tiny.train(caft, after: [6: typed("mtp alone 5")]).log
    #expect(late.occurrences.last?.text == "objective.mtp.alone 4 → 5: no effect, since step 5 is over")
    let plain = try Tiny.train(Self.recipe { _ in }, after: [2: typed("mtp alone 5")]).log
    #expect(
      plain.occurrences.map(\.kind) == [.refused] && plain.occurrences[0].text.contains("objective.mtp.heads is 1"))
  }
}
