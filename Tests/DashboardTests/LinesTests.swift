// A run as lines.
import Foundation
import Testing

@testable import Dashboard
@testable import Run

struct LinesTests {
  let run = MadeUpRun()

  @Test func `a step a second at most, and always the last one`() {
    var lines = Lines()
    _ = lines.line(for: run.began, now: 0)
    var run = run
    run.recipe.steps = 40
    _ = lines.line(for: run.began, now: 0)
    let shown = (1...40).filter { lines.line(for: .stepped(run.step($0)), now: Double($0) * 0.1) != nil }
    #expect(shown == [1, 11, 21, 31, 40])
  }

  @Test func `every number of the status bar is in a line`() throws {
    var lines = Lines()
    _ = lines.line(for: run.began, now: 0)
    for number in 1...99 { _ = lines.line(for: .stepped(run.step(number)), now: 1) }
    let shown = lines.line(for: .stepped(run.step(100)), now: 10)
    let line = try #require(shown)
    for part in [
      "step 100/2 000", "410 k tokens", "ntp 6.0", "top 6.0", "kl 4.9", "rate 9.99e-4", "tok/s", "16 m ",
      " ± 7 s left", "total ",
    ] {
      #expect(line.contains(part), "“\(line)” lacks “\(part)”")
    }
    #expect(!line.contains("\n"))
  }

  @Test func `the speed of a line is a mean, as the time left is`() throws {
    var lines = Lines()
    _ = lines.line(for: run.began, now: 0)
    // One step in ten takes ten times as long.
    var shown: String?
    var active = 0.0
    for number in 1...40 {
      var report = run.step(number)
      let seconds = number % 10 == 0 ? 1.0 : 0.1
      active += seconds
      (report.active, report.tokens, report.tokensPerSecond) = (active, number * 1000, 1000 / seconds)
      shown = lines.line(for: .stepped(report), now: Double(number) * 2)
    }
    let line = try #require(shown)
    // 40 steps of 1 000 tokens in some 7.5 s; the last step alone had 1 000 tok/s.
    #expect(line.contains(#/5 [2-6]\d\d tok/s/#), "\(line)")
  }

  @Test func `a range is told in one unit, and none that exceeds the time`() {
    let known = TimeLeft(1440, range: 190, shownAbove: 1)
    #expect(known.time == "24 m 00 s" && known.range == " ± 3 m" && !known.isVague)
    let vague = TimeLeft(1440, range: 1566, shownAbove: 1)
    #expect(vague.time == "about 24 m" && vague.range.isEmpty && vague.isVague)
    let sure = TimeLeft(1440, range: 20, shownAbove: 144)
    #expect(sure.time == "24 m 00 s" && sure.range.isEmpty)
  }

  @Test func `what happens is a line at once`() {
    var lines = Lines()
    let begun = lines.line(for: run.began, now: 0) ?? ""
    #expect(begun.contains("kjv-top-3 begins: 6.8 M parameters, bf16, 2 threads"))
    #expect(lines.line(for: run.occurred(.saved, 200, "saved x.h5"), now: 0)?.hasSuffix("step 200  saved x.h5") == true)
    #expect(lines.line(for: .evaluated(run.evaluation(100)), now: 0)?.contains("held-out ntp") == true)
    #expect(lines.line(for: .wrote(run.text(100)), now: 0)?.contains("And the king said unto him") == true)
    #expect(lines.line(for: .ordered(run.order(100)), now: 0)?.contains("probe 3/16") == true)
    #expect(lines.line(for: .ended(Ending(.finished, step: 100, time: 0)), now: 0)?.contains("finished") == true)
  }
}
