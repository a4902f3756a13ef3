// Settings, undo, counted steps and conditions: what they do to a run, and that a replay does it again.
import Run
import Testing

@testable import Training

struct SettingTests {
  private func losses(_ log: Log) -> [Float] { log.steps.map(\.total) }

  private func typed(_ lines: String...) throws -> [Command] { try lines.map { try Command(typed: $0) } }

  @Test func `clip and decay act from the next step on, and are replayed to the bit`() throws {
    var recipe = Tiny.recipe
    recipe.schedule.kind = .constant
    let plain = try Tiny.train(recipe)
    let changed = try Tiny.train(recipe, after: [4: typed("clip 0.01"), 7: typed("decay 5")])
    #expect(losses(changed.log).prefix(5) == losses(plain.log).prefix(5))
    #expect(losses(changed.log)[5] != losses(plain.log)[5] || losses(changed.log)[8] != losses(plain.log)[8])
    #expect(changed.log.occurrences.map(\.kind) == [.setting, .setting])
    #expect(changed.log.occurrences.map(\.key) == ["optimizer.clip", "optimizer.weightDecay"])
    #expect(changed.log.occurrences.map(\.step) == [4, 7] && changed.log.occurrences.map(\.new) == [0.01, 5])
    let edits = changed.log.occurrences.compactMap { ReplayedCommand($0) }
    #expect(edits.count == 2)
    #expect(losses(try Tiny.train(recipe, replaying: edits).log) == losses(changed.log))
    #expect(losses(try Tiny.train(recipe, replaying: [edits[0]]).log) != losses(changed.log))
    // A checkpoint has them for the sessions that follow.
    #expect(changed.checkpoint.state.settings == ["optimizer.clip": 0.01, "optimizer.weightDecay": 5])
    #expect(changed.checkpoint.recipe.optimizer.clip == 0.01)
  }

  @Test(arguments: [
    "rate hold 1e-3", "rate hold", "rate warmup 4", "rate anneal 5", "steps 9", "rate x0.3", "rate 2e-4",
  ])
  func `the rates after a command are those that the plan said before it`(line: String) throws {
    var recipe = Tiny.recipe
    (recipe.schedule.kind, recipe.schedule.warmup) = (.cosine, 5)
    for step in [2, 6] {
      let changed = try Tiny.train(recipe, after: [step: typed("rate x1.5", line)])
      let before = RatePlan(recipe, factor: 1).after(.rate(.times(1.5)), at: step)
      let plan = try #require(before?.after(try Command(typed: line), at: step))
      for report in changed.log.steps where report.step > step {
        let rate = plan.rate(at: report.step - 1)
        #expect(abs(rate / report.rate - 1) < 1e-9, "\(line) at \(step): step \(report.step)")
      }
    }
  }

  @Test func `a rate that is set while the schedule warms up says where the warm-up goes on to`() throws {
    var recipe = Tiny.recipe
    (recipe.schedule.kind, recipe.schedule.warmup) = (.cosine, 5)
    func changed(after step: Int, by line: String = "rate 1e-3") throws -> (text: String, steps: [StepReport]) {
      let log = try Tiny.train(recipe, after: [step: typed(line)]).log
      return (try #require(log.occurrences.first { $0.kind == .rate }).text, log.steps)
    }
    let (text, steps) = try changed(after: 2)
    let peak = try #require(steps.first { $0.step == 6 }).rate
    #expect(text.contains("the warm-up goes on to \(Figure.rate(peak)) at step 6"), "\(text)")
    #expect(text.contains("“rate hold 1.0e-3” would hold the rate"), "\(text)")
    // So does a key, which nobody takes for a rate that stays.
    let (scaled, scaledSteps) = try changed(after: 2, by: "rate x2")
    let scaledPeak = try #require(scaledSteps.first { $0.step == 6 }).rate
    #expect(scaled.hasSuffix("the warm-up goes on to \(Figure.rate(scaledPeak)) at step 6"), "\(scaled)")
    let later = try changed(after: 7).text
    #expect(!later.contains("warm-up"), "\(later)")
  }

  @Test func `steps makes a run longer or shorter, and what is due changes`() throws {
    let longer = try Tiny.train(
      Tiny.recipe, after: [3: typed("steps +3", "evaluate every 5", "save every 0", "sample every 0")])
    #expect(longer.ending.reason == .finished && longer.ending.step == 15)
    #expect(longer.log.evaluations.map(\.step) == [5, 10, 15])
    #expect(longer.log.checkpoints.map(\.state.step) == [15] && longer.log.texts.map(\.step) == [15])
    let shorter = try Tiny.train(Tiny.recipe, after: [3: typed("steps 5")])
    #expect(shorter.ending.reason == .finished && shorter.ending.step == 5)
  }

  @Test func `a setting that makes no sense is refused with a sentence`() throws {
    let asked = typedOut(["steps 2", "steps +999999999"])
    let log = try Tiny.train(Tiny.recipe, after: [3: asked]).log
    #expect(log.occurrences.map(\.kind) == [.refused, .refused])
    #expect(log.occurrences.map(\.key) == ["steps", "steps"])
    #expect(log.occurrences[0].text.contains("the run is at step 3"))
    #expect(losses(log) == losses(try Tiny.train(Tiny.recipe).log))
  }

  private func typedOut(_ lines: [String]) -> [Command] { lines.compactMap { try? Command(typed: $0) } }

  @Test func `undo takes back one change after the other, a chain of a key as one`() throws {
    let up = Command.rate(.times(1.1))
    let asked =
      [up, up, up] + typedOut(["clip 0.5", "weight top 0.5"]) + [.undo, .undo, .undo, .undo, .stop(saving: false)]
    let result = try Tiny.train(Tiny.recipe, asking: asked)
    let log = result.log.occurrences
    #expect(log.map(\.kind) == [.rate, .rate, .rate, .setting, .weight, .weight, .setting, .rate, .refused])
    #expect(log[5].new == 1 && log[6].new == 1 && log[6].key == "optimizer.clip")
    let (before, after) = (try #require(log[0].old), try #require(log[7].new))
    #expect(abs(after / before - 1) < 1e-12)
    #expect(log[8].text.contains("nothing to undo") && log[8].key == "undo")
    // Everything undone is nothing done.
    let undone = try Tiny.train(Tiny.recipe, asking: Array(asked.dropLast(2)))
    #expect(losses(undone.log) == losses(try Tiny.train(Tiny.recipe).log))
  }

  @Test func `undo gives back the prompt, and whoever reads the log knows it`() throws {
    let result = try Tiny.train(
      Tiny.recipe,
      asking: [.prompt("the"), .prompt("sail"), .undo, .generate, .undo, .generate, .undo, .stop(saving: true)])
    let log = result.log.occurrences
    #expect(log.compactMap(\.prompt) == ["the", "sail", "the", "a"])
    #expect(log.filter { $0.prompt != nil }.map(\.text).suffix(2).allSatisfy { $0.contains("is again") })
    #expect(result.log.texts.map(\.prompt) == ["the", "a"])
    #expect(log.filter { $0.kind == .refused }.count == 1)
    #expect(result.checkpoint.state.prompt == Tiny.recipe.sample.prompt)
  }

  @Test func `some steps are taken before a pause, and what is asked meanwhile is heard`() throws {
    let result = try Tiny.train(
      Tiny.recipe, asking: [.step(3)], after: [3: [.step(1), .step(2)], 6: [.stop(saving: false)]])
    #expect(result.log.steps.count == 6)
    let pauses = result.log.occurrences.filter { $0.kind == .pause }
    #expect(pauses.map(\.step) == [3, 4, 6] && pauses.allSatisfy { $0.actor == .key })
    #expect(pauses.map(\.text) == ["3 steps taken, paused", "one step taken, paused", "2 steps taken, paused"])
    let left = try Tiny.train(Tiny.recipe, asking: [.step(10)], after: [2: [.pause, .stop(saving: false)]])
    #expect(left.log.steps.count == 2 && left.log.occurrences.filter { $0.kind == .pause }.map(\.text) == ["paused"])
  }

  @Test func `a run pauses at a step, or below a loss, and says who asked`() throws {
    let result = try Tiny.train(
      Tiny.recipe, asking: [.pause, .until(.step(5))], after: [5: [.stop(saving: false)]], isAttended: true)
    #expect(result.log.steps.count == 5)
    #expect(result.log.occurrences.map(\.kind) == [.pause, .proceed, .pause])
    #expect(result.log.occurrences.last?.step == 5 && result.log.occurrences.last?.actor == .key)
    let all = try Tiny.train(Tiny.recipe).log.steps
    let limit = Double(all[6].losses[0].loss) + 1e-6
    let first = try #require(all.first { Double($0.losses[0].loss) < limit }).step
    let below = try Tiny.train(
      Tiny.recipe, asking: [.until(.lossBelow(limit))], after: [first: [.stop(saving: false)]])
    #expect(below.log.steps.count == first)
    let refused = try Tiny.train(Tiny.recipe, asking: [.until(.step(13))]).log.occurrences
    #expect(refused.map(\.kind) == [.refused] && refused[0].text.contains("ends at step 12"))
  }

  @Test func `a note is a line of the log, and who asked is known of everything`() throws {
    let asked: [Command] = [.note("why?"), .evaluate, .generate, .save]
    let log = try Tiny.train(Tiny.recipe, asking: asked).log
    #expect(log.occurrences.first?.annotation == .note && log.occurrences.first?.text == "why?")
    #expect(log.occurrences.first?.actor == .key)
    #expect(log.evaluations.first?.step == 0 && log.texts.first?.step == 0)
    // Asked twice is done twice.
    let twice = try Tiny.train(Tiny.recipe, asking: [.evaluate, .evaluate, .generate, .generate]).log
    #expect(twice.evaluations.count { $0.step == 0 } == 2 && twice.texts.count { $0.step == 0 } == 2)
  }
}
