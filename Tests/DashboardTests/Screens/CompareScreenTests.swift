// The compare screen: what its keys do, and what is seen at every size.
import Foundation
import Support
import Testing

@testable import Dashboard
@testable import Run
@testable import TerminalUI

struct CompareScreenTests {
  static let sizes = [(20, 4), (40, 12), (80, 24), (120, 36), (220, 60)]

  /// Three lines: two seeds of a recipe, a faster run, and one that ended early.
  static func screen(glyphs: Glyphs = .braille) -> CompareScreen {
    CompareScreen(
      Comparison([
        ComparisonTests.run("kjv-ntp-s1", speed: 0.02), ComparisonTests.run("kjv-ntp-s2", speed: 0.024) { $0.seed = 2 },
        ComparisonTests.run("kjv-top", speed: 0.04) { $0.schedule.rate = 2e-3 },
        ComparisonTests.run("short", speed: 0.01, to: 40) { $0.model.width = 64 },
      ]), glyphs: glyphs)
  }

  private func press(_ keys: [Key], _ screen: inout CompareScreen) {
    for key in keys { _ = screen.press(key) }
  }

  @Test func `it looks as it did`() throws {
    try expectPicture("compare-120x36", Self.screen().draw(size: (120, 36)))
  }

  @Test(arguments: sizes) func `every line is named at every size`(columns: Int, rows: Int) {
    let text = Self.screen().draw(size: (columns, rows)).text
    for name in columns < 30 ? ["kjv"] : ["kjv-ntp ×2", "kjv-top", "short"] {
      #expect(text.contains(name), "\(name) is missing at \(columns)x\(rows):\n\(text)")
    }
  }

  @Test(arguments: Glyphs.allCases) func `characters are those of the terminal`(glyphs: Glyphs) {
    let text = Self.screen(glyphs: glyphs).draw(size: (80, 24)).text
    if glyphs == .ascii { #expect(text.allSatisfy { $0.isASCII }) }
    #expect(!text.contains("? kjv"))
  }

  @Test func `lines differ in mark and pattern, not in colour alone`() {
    let pens = (0..<Comparison.mostLines).map(LinePen.init)
    for glyphs in Glyphs.allCases { #expect(Set(pens.map { $0.sign(glyphs) }).count == pens.count) }
    let looks = Set(pens.map { "\($0.pen.dash.map { "\($0)" } ?? "")" })
    #expect(looks.count == pens.count)
  }

  @Test func `keys change axis and metric, and say so`() {
    var screen = Self.screen()
    press([.character("a")], &screen)
    #expect(screen.comparison.axis == .time)
    press([.character("a")], &screen)
    #expect(screen.comparison.axis == .loss && screen.isMirrored)
    #expect(screen.draw(size: (120, 36)).text.contains("tokens to reach held-out ntp"))
    press([.character("m")], &screen)
    #expect(screen.comparison.metric == .loss(.ntp))
    press([.character("M")], &screen)
    #expect(screen.comparison.metric == .heldOut(.ntp))
    press([.character("d")], &screen)
    #expect(screen.showsDifference && screen.draw(size: (80, 24)).text.contains("difference from kjv-ntp"))
    press([.tab], &screen)
    #expect(screen.comparison.against == 1)
    press([.character("g")], &screen)
    #expect(screen.comparison.lines.count == 4)
  }

  @Test func `differences in the legend stand below each other, though one line has a standard deviation alone`() {
    var screen = Self.screen()
    press([.tab], &screen)
    let lines = screen.draw(size: (120, 36)).text.split(separator: "\n").filter { $0.hasPrefix("│") }
    let places = lines.compactMap { line in
      line.firstRange(of: " at 2 560").map { line.distance(from: line.startIndex, to: $0.lowerBound) }
    }
    #expect(places.count == 2 && Set(places).count == 1, "\(lines.joined(separator: "\n"))")
    #expect(lines.contains { $0.contains(" ± ") && $0.contains(" at 2 560") })
  }

  @Test func `the cursor reads where it stands`() throws {
    var screen = Self.screen()
    // It begins where the shortest line ends.
    #expect(screen.place == 2560.0)
    press([.home], &screen)
    #expect(screen.place == screen.comparison.extent?.first)
    press([.end], &screen)
    #expect(screen.place == 6400.0)
    press([.left], &screen)
    let place = try #require(screen.place)
    #expect(place < 6400 && place > 6000)
    let text = screen.draw(size: (120, 36)).text
    #expect(text.contains("at the cursor: \(Figure.short(place)) tokens"))
    // The faster run was there long before, the short one never.
    #expect(text.contains("never"))
    #expect(text.contains("−4"))
  }

  @Test func `what is small is looked at closer around the cursor`() throws {
    var screen = Self.screen()
    let whole = try #require(screen.visible)
    press([.character("z")], &screen)
    let part = try #require(screen.visible)
    #expect(part.last - part.first == (whole.last - whole.first) / 2)
    let place = try #require(screen.place)
    #expect(part.first <= place && place <= part.last)
    press([.character("Z")], &screen)
    #expect(try #require(screen.visible) == whole)
    press([.character("Z")], &screen)
    #expect(screen.message == "the whole axis is shown")
  }

  @Test func `a key that does nothing says why`() {
    var screen = CompareScreen(Comparison([ComparisonTests.run("a", speed: 0.02)]))
    for key in [Key.character("d"), .tab, .character("g"), .character("+")] {
      press([key], &screen)
      #expect(!screen.message.isEmpty, "\(key.name) says nothing")
    }
  }

  @Test func `help lists every key and closes`() {
    var screen = Self.screen()
    press([.character("?")], &screen)
    let text = screen.draw(size: (120, 36)).text
    for row in CompareScreen.keys.rows { #expect(text.contains(row.text), "\(row.text)") }
    #expect(screen.press(.escape) == .stays && screen.help == nil)
    #expect(screen.press(.escape) == .left)
  }

  @Test(arguments: [100, 101, 110, 120, 121, 133])
  func `a place in common that lies between two columns is drawn`(columns: Int) {
    // The second run was evaluated once.
    let screen = CompareScreen(
      Comparison([
        ComparisonTests.run("a", speed: 0.02), ComparisonTests.run("b", speed: 0.04, to: 10) { $0.model.width = 64 },
      ]))
    let text = screen.draw(size: (columns, 36)).text
    #expect(text.contains("difference from a") && !text.contains("in common"), "\(text)")
  }

  @Test func `many keys that differ are shown as far as there is room, and all in a list`() {
    var screen = CompareScreen(
      Comparison([
        ComparisonTests.run("a", speed: 0.02),
        ComparisonTests.run("b", speed: 0.04) {
          ($0.model.width, $0.model.blocks, $0.model.heads, $0.seed) = (64, 1, 1, 9)
          ($0.schedule.rate, $0.schedule.warmup, $0.optimizer.clip) = (2e-3, 7, 3)
          ($0.objective.top, $0.objective.mtp.heads, $0.data.heldOut) = (0, 3, 0.02)
          ($0.evaluate.every, $0.sample.every) = (13, 17)
        },
      ]))
    let keys = screen.comparison.differences.map(\.key)
    #expect(keys.count >= 12)
    for size in [(120, 36), (220, 60)] {
      let text = screen.draw(size: size).text
      let shown = keys.count { text.contains("│ \($0) ") }
      #expect(shown >= 3 && text.contains("what differs"), "\(text)")
      #expect(shown == keys.count || text.contains("… \(keys.count - shown) more: w shows all"), "\(text)")
    }
    #expect(screen.draw(size: (80, 20)).text.contains("\(keys.count) keys differ: w"))
    for size in [(120, 36), (40, 12)] {
      screen.fit(columns: size.0, rows: size.1)
      press([.character("w")], &screen)
      var seen = ""
      for _ in 0..<keys.count {
        seen += screen.draw(size: size).text
        press([.down], &screen)
      }
      for key in keys { #expect(seen.contains(key.prefix(14)), "\(key) is missing in\n\(seen)") }
      press([.escape], &screen)
      #expect(screen.keyList == nil)
    }
    press([.character("w"), .character("w")], &screen)
    #expect(screen.keyList == nil)
  }

  @Test func `one run alone is shown with any of its metrics`() throws {
    var screen = CompareScreen(Comparison([ComparisonTests.run("kjv-ntp", speed: 0.02)]))
    for size in Self.sizes { #expect(screen.draw(size: size).text.contains("kjv"), "\(size)") }
    // Without the keys of the last row.
    let text = screen.draw(size: (120, 36)).text.split(separator: "\n").dropLast().joined(separator: "\n")
    // 8 − 100 · 0.02, at the last evaluation.
    #expect(text.contains("held-out ntp") && text.contains("6.000") && text.contains("best"), "\(text)")
    #expect(!text.contains("difference") && !text.contains("reaches") && !text.contains("what differs"), "\(text)")
    press([.character("m")], &screen)
    #expect(screen.message == "showing loss ntp")
    for key in [Key.character("d"), .tab, .character("g"), .character("w")] {
      press([key], &screen)
      #expect(screen.message == "there is only one run", "\(key.name)")
    }
    for _ in CompareAxis.allCases {
      press([.character("a")], &screen)
      for size in Self.sizes { screen.draw(size: size).expectSound() }
    }
  }

  @Test func `a metric is chosen from the list by a part of its name`() throws {
    var screen = Self.screen()
    screen.fit(columns: 80, rows: 24)
    press([.character("/")], &screen)
    let all = screen.draw(size: (80, 24)).text
    #expect(all.contains("▸ held-out/ntp") && all.contains("loss/total"), "\(all)")
    #expect(all.contains("\(screen.comparison.metrics.count) of \(screen.comparison.metrics.count)"), "\(all)")
    press([.character("p"), .character("h"), .character("a")], &screen)
    let found = screen.draw(size: (80, 24)).text
    #expect(found.contains("name contains pha") && found.contains("▸ phase/data") && !found.contains("loss/ntp"))
    press([.down, .down, .enter], &screen)
    #expect(screen.comparison.metric.name == "phase/heads" && screen.metricList == nil)
    // Letters are typed, and are no keys of the screen; esc leaves the metric as it is.
    press([.character("/"), .character("q"), .character("z"), .enter], &screen)
    #expect(screen.comparison.metric.name == "phase/heads")
    press([.character("/"), .down, .escape], &screen)
    #expect(screen.comparison.metric.name == "phase/heads" && screen.metricList == nil)
    press([.character("/")], &screen)
    for size in Self.sizes { screen.draw(size: size).expectSound() }
    let presence = screen.press(.control("c"))
    #expect(presence == .left)
  }

  @Test func `nothing to compare is said`() {
    let empty = ComparedRun(name: "a", recipe: Recipe(), state: "failed", events: [])
    let screen = CompareScreen(Comparison([empty, empty]))
    #expect(screen.draw(size: (80, 24)).text.contains("there are no values yet"))
  }
}

extension CompareScreenTests {
  @Test func `random keys at random sizes never crash it`() {
    var dice = Dice(17)
    var screen = Self.screen()
    let keys =
      CompareScreen.keys.rows.flatMap(\.strokes).map(\.key).filter { $0 != .escape && $0 != .character("q") }
      + [.control("x"), .paste("a"), .resize, .enter, .backspace]
    for _ in 0..<1500 {
      _ = screen.press(keys.randomElement(using: &dice)!)
      _ = screen.draw(size: (Int.random(in: 1...130, using: &dice), Int.random(in: 1...40, using: &dice)))
    }
  }
}
