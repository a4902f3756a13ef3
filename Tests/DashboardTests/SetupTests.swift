// What a run shows while it is set up, and what evaluations measured of its gradients.
import Foundation
import Testing

@testable import Dashboard
@testable import Run
@testable import TerminalUI

struct SetupTests {
  private let run = MadeUpRun()

  @Test(arguments: [
    (SetupWork.tokenizer, 4096, "tokenizer", "pieces/s"), (.tokens, 40_000_000, "tokens", "MB/s"),
    (.texts, 40_000_000, "reading", "MB/s"),
    (.weights, 400_000_000, "weights", "M weights/s"),
  ]) func `each part of setting up has a bar, a rate and the time left`(
    work: SetupWork, total: Int, name: String, rate: String
  ) {
    var dashboard = Dashboard(.live)
    dashboard.prepare(work, done: 0, total: total, at: 100)
    dashboard.prepare(work, done: total / 4, total: total, at: 102)
    let text = dashboard.draw(size: (120, 36), now: 102).text
    for word in [name + "  ━━━", "25 %", rate, "6.0 s left"] { #expect(text.contains(word), "\(word):\n\(text)") }
    // The next part begins anew, and one that is done has none.
    dashboard.prepare(.weights, done: total, total: total, at: 103)
    #expect(!dashboard.draw(size: (120, 36), now: 103).text.contains("━━━"))
  }

  @Test(arguments: [(80, 24), (120, 36), (220, 60)])
  func `the text of setting up stays at its place when a bar comes, or a long line`(columns: Int, rows: Int) throws {
    var dashboard = run.dashboard(at: 0)
    func place(of text: String) throws -> Int {
      let lines = dashboard.draw(size: (columns, rows), now: run.now(0)).text.split(separator: "\n")
      let line = try #require(lines.first { $0.contains(text) }, "\(text)")
      return line.distance(from: line.startIndex, to: try #require(line.firstRange(of: text)).lowerBound)
    }
    let first = try place(of: "6.8 M parameters")
    dashboard.prepare(.tokens, done: 0, total: 40_000_000, at: 100)
    for second in 1...9 {
      dashboard.prepare(.tokens, done: second * second * 400_000, total: 40_000_000, at: 100 + Double(second))
      let (text, bar) = (try place(of: "6.8 M parameters"), try place(of: "tokens  ━"))
      #expect(text == first && bar == first, "after \(second) s")
    }
    dashboard.prepare("reading " + String(repeating: "a very long path/", count: 8), at: 110)
    let last = try place(of: "6.8 M parameters")
    #expect(last == first)
  }

  @Test func `lines say the same, at most one a second`() {
    var work = WorkProgress(of: .setup(.tokens))
    #expect(work.line(.tokenizer, done: 100, total: 1000, now: 10) == nil)
    let line = work.line(.tokenizer, done: 400, total: 1000, now: 13)
    #expect(line == "          tokenizer of 400 of 1 000   40 %   100 pieces/s   6.0 s left")
    #expect(work.line(.tokenizer, done: 500, total: 1000, now: 13.5) == nil)
    #expect(work.line(.tokens, done: 1_000_000, total: 4_000_000, now: 15) != nil)
    #expect(work.line(.tokens, done: 4_000_000, total: 4_000_000, now: 19) == nil)
  }

  @Test func `the rate is that of the last seconds, not of a slow beginning`() {
    var work = WorkProgress(of: .setup(.tokenizer))
    for second in 0...10 { work.take(done: second, total: 2000, now: Double(second)) }
    for second in 11...30 { work.take(done: 10 + (second - 10) * 50, total: 2000, now: Double(second)) }
    #expect(work.rate == 50 && work.words == "50 %   50 pieces/s   20 s left", "\(work.words)")
    // What begins anew is counted anew.
    work.take(done: 0, total: 2000, now: 31)
    work.take(done: 10, total: 2000, now: 32)
    #expect(work.rate == 10)
  }

  @Test func `the gradients of parts are a table where there is room`() throws {
    var dashboard = run.dashboard(at: 300)
    let layout = try #require(try shippedLayouts().first { $0.key == 3 })
    dashboard.use([layout], problems: [], time: 0)
    dashboard.show(layout)
    let text = dashboard.draw(size: (120, 36), now: run.now(300)).text
    #expect(text.contains("part") && text.contains("Δw/w"))
    #expect(text.contains("embedding") && text.contains("block-0") && text.contains("1.00e-3"))
    // Whole, it has every part and the chart beside it.
    dashboard.focus = .gradients
    dashboard.isFullScreen = true
    let whole = dashboard.draw(size: (120, 36), now: run.now(300)).text
    for group in run.recipe.tensorGroups { #expect(whole.contains(group.name), "\(group.name):\n\(whole)") }
    #expect(whole.contains("┤"))
    for size in [(20, 4), (40, 12), (24, 8), (220, 60)] { dashboard.draw(size: size, now: 0).expectSound() }
  }

  @Test func `the heads have their gradients at h where there is room`() {
    var dashboard = run.dashboard(at: 300)
    dashboard.focus = .heads
    dashboard.isFullScreen = true
    let text = dashboard.draw(size: (120, 36), now: run.now(300)).text
    #expect(text.contains("grad at h") && text.contains("3.10e-2") && text.contains("2.24e-2"), "\(text)")
    // On a narrow panel they stand in a second table below the first one.
    let narrow = dashboard.draw(size: (48, 24), now: run.now(300)).text
    for title in ["now", "smooth", "held-out", "best", "share", "λ", "accuracy", "grad at h"] {
      #expect(narrow.contains(" \(title) "), "\(title):\n\(narrow)")
    }
    #expect(narrow.contains("3.10e-2") && narrow.contains("2.24e-2"), "\(narrow)")
    #expect(narrow.components(separatedBy: "held-out").count == 2, "\(narrow)")
    // Where there is no room for both tables, the first one stands alone.
    #expect(!dashboard.draw(size: (48, 7), now: run.now(300)).text.contains("grad at h"))
  }
}
