// The memory panel: numbers, map and ranks of the tables of memory layers.
import Foundation
import Testing

@testable import Dashboard
@testable import Run
@testable import TerminalUI

struct MemoryPanelTests {
  private static let keys = 40

  private func run(keys: Int = keys) -> MadeUpRun {
    var run = MadeUpRun()
    run.recipe.model.memory.keys = keys
    run.recipe.model.blocks = 3
    run.recipe.objective.top = 0
    return run
  }

  /// Rows of the first keys are picked most, and those of the last ones not at all.
  private func map(_ run: MadeUpRun, step: Int = 100) -> MemoryMap {
    let keys = Self.keys
    let picks = (0..<keys * keys).map { UInt32(max(0, 30 - $0 / keys) * (30 - $0 % keys > 0 ? 1 : 0)) }
    let counts = TableCounts(keys: keys, picks: picks, last: picks, steps: 100, counted: 100)
    return MemoryMap(
      step: step, counts: run.recipe.memoryGroups.map { _ in counts }, of: run.recipe.memoryGroups)
  }

  private func evaluation(_ run: MadeUpRun) -> Evaluation {
    var evaluation = run.evaluation(100)
    evaluation.memories = run.recipe.memoryGroups.enumerated().map { index, group in
      var use = MemoryUse(group: group)
      (use.used, use.entropy, use.dead, use.most) = (0.81, 0.93, index == 1 ? 0.62 : 0.02, 0.0012)
      (use.gap, use.output, use.feedForward) = (0.13, 0.02, 0.04)
      return use
    }
    return evaluation
  }

  private func dashboard(_ run: MadeUpRun, mode: Dashboard.Mode = .live, layout: String = "memory") throws -> Dashboard
  {
    var dashboard = Dashboard(mode, layouts: try shippedLayouts(), startingWith: layout)
    dashboard.receive(run.began)
    dashboard.receive(.stepped(run.step(1)))
    return dashboard
  }

  private func text(_ dashboard: Dashboard, _ columns: Int, _ rows: Int) -> String {
    dashboard.draw(size: (columns, rows), now: MadeUpRun.start + 60).text
  }

  @Test(arguments: [Dashboard.Mode.live, .stored, .attached])
  func `numbers, map and ranks are those of the last evaluation`(mode: Dashboard.Mode) throws {
    let run = run()
    var dashboard = try dashboard(run, mode: mode)
    #expect(text(dashboard, 120, 36).contains("the use of tables is measured at evaluations"))
    dashboard.receive(.evaluated(evaluation(run)))
    dashboard.receive(.mapped(map(run)))
    let picture = text(dashboard, 120, 36)
    for words in [
      "block-0", "block-2", ".81", ".93", ".62", "1.2e-3", ".13", "0.5", "40² rows", "× even use", "rows by use",
    ] {
      #expect(picture.contains(words), "“\(words)” is missing in\n\(picture)")
    }
    // The last keys have no picks: their corner of the map is empty, and the first one is full.
    #expect(picture.contains("█") && picture.contains("▒"))
  }

  @Test func `the arrows choose the layer`() throws {
    let run = run()
    var dashboard = try dashboard(run)
    dashboard.receive(.evaluated(evaluation(run)))
    dashboard.receive(.mapped(map(run)))
    dashboard.fit(columns: 80, rows: 24)
    #expect(text(dashboard, 80, 24).contains("↑ ↓ block-0"))
    dashboard.focus = .memory
    #expect(dashboard.press(.down) == nil)
    #expect(text(dashboard, 80, 24).contains("↑ ↓ block-1") && text(dashboard, 80, 24).contains("dead .62"))
    for _ in 0..<9 { _ = dashboard.press(.down) }
    #expect(text(dashboard, 80, 24).contains("↑ ↓ block-2"))
  }

  @Test
  func `a run without memory layers says so, and one that has them and no TOP head shows them on the first screen`()
    throws
  {
    let without = try dashboard(self.run(keys: 0))
    // The panel stays where it would be the only one.
    #expect(text(without, 40, 12).contains("this run has no memory layers"))
    #expect(!text(without, 120, 36).contains("╭─ memory") && text(without, 120, 36).contains("╭─ gradients"))
    let run = run()
    var first = try dashboard(run, layout: "train")
    first.receive(.evaluated(evaluation(run)))
    #expect(text(first, 120, 36).contains("╭─ memory") && !text(first, 120, 36).contains("╭─ order"))
    let other = try dashboard(self.run(keys: 0), layout: "train")
    #expect(!text(other, 120, 36).contains("╭─ order") && !text(other, 120, 36).contains("╭─ memory"))
    var top = self.run()
    top.recipe.objective.top = 1
    #expect(try text(dashboard(top, layout: "train"), 120, 36).contains("╭─ order"))
  }

  @Test func `it can be drawn in any size and in ASCII, before and after there are numbers`() throws {
    let run = run()
    var empty = try dashboard(run)
    var full = empty
    full.receive(.evaluated(evaluation(run)))
    var mapped = full
    mapped.receive(.mapped(map(run)))
    empty.glyphs = .ascii
    for dashboard in [empty, full, mapped] {
      for glyphs in Glyphs.allCases {
        var dashboard = dashboard
        dashboard.glyphs = glyphs
        for columns in [1, 20, 40, 60, 80, 120, 200] {
          for rows in [1, 4, 8, 12, 20, 30, 60] {
            let drawn = dashboard.draw(size: (columns, rows), now: 0)
            if glyphs == .ascii {
              #expect(drawn.text.allSatisfy { $0.isASCII || "·—².↑↓".contains($0) }, "\(drawn.text)")
            }
          }
        }
      }
    }
  }

  @Test func `its picture at 120 by 36`() throws {
    let run = run()
    var dashboard = try dashboard(run)
    for step in 2...100 { dashboard.receive(.stepped(run.step(step))) }
    dashboard.receive(.evaluated(evaluation(run)))
    dashboard.receive(.mapped(map(run)))
    try expectPicture("memory-120x36", dashboard.draw(size: (120, 36), now: run.now(100)))
  }
}
