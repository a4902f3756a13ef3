// The runs screen: choosing, marking, asking, and what is seen at every size.
import Foundation
import Support
import Testing

@testable import Dashboard
@testable import Run
@testable import TerminalUI

struct RunsScreenTests {
  static let now = 1_800_000_000.0
  static let names = ["kjv-top", "kjv-ntp", "kjv-mtp4", "star-3x3-top", "linux-340m", "gone"]

  static func row(_ name: String, _ index: Int) -> RunRow {
    let states = ["training", "finished", "stopped", "interrupted", "diverged", "unreadable"]
    var row = RunRow(name: name, state: states[index % states.count])
    row.changed = now - Double(index) * 4000
    guard row.state != "unreadable" else {
      row.problem = "run.h5 is damaged"
      return row
    }
    row.objective = "ntp+top"
    row.parameters = 6_400_000
    row.tokens = 2_100_000 * (index + 1)
    (row.step, row.steps) = (200, 400)
    (row.last, row.best) = (3.412 + Double(index), 3.021 + Double(index))
    (row.rate, row.tokensPerSecond) = (1.7e-3, 9620)
    var recipe = Recipe()
    recipe.seed = UInt64(index)
    row.recipe = recipe
    return row
  }

  static func screen(_ names: [String] = names) -> RunsScreen {
    var screen = RunsScreen(folder: "runs")
    screen.fit(columns: 120, rows: 36)
    screen.know(names.enumerated().map { row($1, $0) })
    screen.list(names, of: names.count, training: 1, unread: 0, sortedBy: "changed", isReversed: true)
    let run = ComparisonTests.run(names.first ?? "", speed: 0.02)
    screen.show(
      RunDetail(
        name: run.name, recipe: run.recipe, state: "finished",
        events: (1...50).map { step in
          .stepped(
            StepReport(
              step: step, tokens: step * 64, time: 0, active: Double(step), total: 1,
              losses: [HeadLoss(head: .ntp, loss: 8 - Float(step) * 0.1, positions: 1)], rate: 1e-3, gradientNorm: 1,
              tokensPerSecond: 1, phases: Phases()))
        } + [.occurred(Occurrence(.notice, step: 1, time: 0, text: "rate ×0.5"))], checkpoints: [400, 500]))
    return screen
  }

  private func press(_ keys: [Key], _ screen: inout RunsScreen) -> RunsScreen.RunsRequest? {
    var last: RunsScreen.RunsRequest?
    for key in keys { last = screen.press(key) }
    return last
  }

  @Test func `it looks as it did`() throws {
    var screen = Self.screen()
    _ = press([.down, .character("m"), .home], &screen)
    try expectPicture("runs-120x36", screen.draw(size: (120, 36), now: Self.now))
  }

  @Test func `a list with tags has a column of them where there is room`() {
    var screen = Self.screen()
    func text(_ columns: Int) -> String { screen.draw(size: (columns, 36), now: Self.now).text }
    #expect(!text(220).contains("tags"))
    var row = Self.row("kjv-ntp", 1)
    row.tags = ["baseline", "paper"]
    screen.know([row])
    #expect(text(220).contains("  tags  ") && text(220).contains("baseline paper"), "\(text(220))")
    #expect(!text(80).contains("tags") && text(80).contains("kjv-ntp"))
  }

  @Test func `a long last event has a second line where there is room`() {
    var screen = Self.screen()
    let run = ComparisonTests.run("kjv-top", speed: 0.02)
    let saved = Occurrence(.saved, step: 500, time: 0, text: "saved checkpoints/000000500.h5  82 MB")
    screen.show(
      RunDetail(
        name: run.name, recipe: run.recipe, state: "finished", events: [.occurred(saved)], checkpoints: [500]))
    let text = screen.draw(size: (120, 36), now: Self.now).text
    #expect(text.contains("events       1, last: saved") && text.contains("000000500.h5 82 MB"), "\(text)")
  }

  @Test(arguments: [(80, 24), (120, 36), (100, 43), (220, 60)])
  func `the numbers beside the chosen run's chart are equally many rows apart`(columns: Int, rows: Int) {
    let lines = Self.screen().draw(size: (columns, rows), now: Self.now).text.split(separator: "\n")
    let places = lines.indices.filter { lines[$0].contains("┤") }
    let distances = Set(zip(places.dropFirst(), places).map { $0 - $1 })
    #expect(places.count >= 2 && distances.count == 1, "\(lines.joined(separator: "\n"))")
  }

  @Test(arguments: [(20, 4), (40, 12), (80, 24), (120, 36), (220, 60)])
  func `the chosen run is named at every size`(columns: Int, rows: Int) {
    var screen = Self.screen()
    screen.fit(columns: columns, rows: rows)
    #expect(screen.draw(size: (columns, rows), now: Self.now).text.contains("▸ ● kjv-top"))
    _ = press([.end], &screen)
    #expect(screen.draw(size: (columns, rows), now: Self.now).text.contains("▸ ✗ gone"))
  }

  @Test func `a narrow list has the best loss beside names that leave it room`() {
    var screen = Self.screen()
    func text() -> String { screen.draw(size: (20, 4), now: Self.now).text }
    #expect(text().contains("▸ ● kjv-top   3.021"), "\(text())")
    // Without an evaluation, it is the loss.
    var row = Self.row("kjv-top", 0)
    row.best = nil
    screen.know([row])
    screen.list(["kjv-top"], of: 1, training: 1, unread: 0, sortedBy: "changed", isReversed: true)
    #expect(text().contains("▸ ● kjv-top   3.412"), "\(text())")
    screen.know([Self.row("a-name-for-all-of-it", 0)])
    screen.list(["a-name-for-all-of-it"], of: 1, training: 1, unread: 0, sortedBy: "changed", isReversed: true)
    #expect(text().contains("a-name-for-all") && !text().contains("3.021"), "\(text())")
  }

  @Test func `states differ in sign, and what is wrong is said`() {
    let text = Self.screen().draw(size: (120, 36), now: Self.now).text
    for word in [
      "● kjv-top", "■ kjv-ntp", "‖ kjv-mtp4", "○ star", "✗ linux", "run.h5 is damaged", "ntp+top", "6.4 M", "3.021",
      "1.7e-3", "now", "1 h", "1 training", "400 · 500", "rate ×0.5",
    ] {
      #expect(text.contains(word), "\(word) is missing:\n\(text)")
    }
  }

  @Test func `in ASCII and without rows that were read it can be used`() {
    var screen = RunsScreen(folder: "runs", glyphs: .ascii)
    screen.list(["a", "b"], of: 2, training: 0, unread: 2, sortedBy: "best", isReversed: false)
    let text = screen.draw(size: (80, 24), now: Self.now).text
    #expect(text.allSatisfy { $0.isASCII } && text.contains("reading 2"))
    screen.list([], of: 0, training: 0, unread: 0, sortedBy: "best", isReversed: false)
    #expect(screen.draw(size: (80, 24), now: Self.now).text.contains("foretop train"))
    #expect(screen.press(.enter) == nil)
  }

  @Test func `keys move by rows, pages and to the ends`() {
    let names = (0..<10_000).map { "run-\($0)" }
    var screen = RunsScreen(folder: "runs")
    screen.fit(columns: 80, rows: 24)
    screen.list(names, of: names.count, training: 0, unread: 0, sortedBy: "name", isReversed: false)
    _ = press([.down, .down, .up], &screen)
    #expect(screen.chosenName == "run-1")
    _ = press([.pageDown], &screen)
    #expect(screen.chosen == 1 + screen.page)
    _ = press([.end], &screen)
    #expect(screen.chosenName == "run-9999")
    // No more than is in sight, and a page around it, is read.
    #expect(screen.wanted.count <= 3 * screen.page && screen.wanted.contains("run-9999"))
    _ = press([.home], &screen)
    #expect(screen.chosenName == "run-0")
  }

  @Test func `the chosen run stays chosen when the order changes or a run goes`() {
    var screen = Self.screen()
    _ = press([.down], &screen)
    screen.list(Self.names.reversed(), of: 6, training: 1, unread: 0, sortedBy: "name", isReversed: false)
    #expect(screen.chosenName == "kjv-ntp")
    screen.forget("kjv-ntp")
    screen.list(["gone"], of: 1, training: 0, unread: 0, sortedBy: "name", isReversed: false)
    #expect(screen.chosenName == "gone")
  }

  @Test func `marked runs are compared`() {
    var screen = Self.screen()
    // Without marks, the chosen run is charted alone.
    #expect(press([.character("c")], &screen) == .compare(["kjv-top"]))
    #expect(press([.character("m"), .character("c")], &screen) == .compare(["kjv-top", "kjv-ntp"]))
    #expect(press([.character("m"), .end, .character("c")], &screen) == .compare(["kjv-top", "kjv-ntp"]))
    #expect(press([.home, .character("m"), .character("m"), .character("d")], &screen) == nil)
  }

  @Test func `only y removes, and never what is trained`() {
    var screen = Self.screen()
    #expect(press([.character("x"), .character("y")], &screen) == nil)
    #expect(screen.message.contains("trains this run") || screen.dialog == nil)
    for key in [Key.enter, .escape, .character("n"), .space] {
      #expect(press([.home, .down, .character("x"), key], &screen) == nil)
      #expect(screen.message == "run “kjv-ntp” stays")
    }
    #expect(press([.character("x"), .character("y")], &screen) == .remove("kjv-ntp"))
  }

  @Test func `a filter is typed and taken back`() {
    var screen = Self.screen()
    let typed = [Key.character("/")] + "best<4".map { .character($0) }
    #expect(press(typed + [.enter], &screen) == .filter("best<4"))
    screen.useFilter("best<4", problem: "")
    #expect(screen.draw(size: (120, 36), now: Self.now).text.contains("best<4"))
    #expect(press([.character("/"), .escape], &screen) == .filter(""))
  }

  @Test func `other keys ask for what they say`() {
    var screen = Self.screen()
    #expect(press([.enter], &screen) == .open("kjv-top"))
    #expect(press([.character("s")], &screen) == .sortNext)
    #expect(press([.character("S")], &screen) == .turn)
    #expect(press([.down, .down, .character("r")], &screen) == nil)
    let asked = press([.enter], &screen)
    var words: [String] = []
    if case .run(let typed) = asked { words = typed }
    #expect(words.prefix(2) == ["resume", "kjv-mtp4"], "\(words)")
    #expect(press([.character("n"), .enter], &screen) == .run(["train", "default"]))
    #expect(press([.character(":"), .character("'"), .enter], &screen) == nil)
    #expect(screen.draw(size: (120, 36), now: Self.now).text.contains("has no end"))
    #expect(press([.escape], &screen) == nil)
    #expect(press([.character("q")], &screen) == .leave)
    _ = press([.character("?")], &screen)
    let text = screen.draw(size: (120, 36), now: Self.now).text
    for row in RunsScreen.keys.rows { #expect(text.contains(row.text), "\(row.text)") }
  }

  @Test func `commands know the folder of the list`() {
    var screen = RunsScreen(folder: "other runs")
    screen.fit(columns: 120, rows: 36)
    func run(_ line: String) -> [String] {
      _ = screen.press(.character(":"))
      for character in line { _ = screen.press(.character(character)) }
      if case .run(let words) = screen.press(.enter) { return words }
      return []
    }
    _ = screen.press(.character("n"))
    let text = screen.draw(size: (120, 36), now: Self.now).text
    #expect(text.contains("foretop train default --runs 'other runs'") && text.contains("--set KEY=VALUE"), "\(text)")
    #expect(screen.press(.enter) == .run(["train", "default", "--runs", "other runs"]))
    let place = ["--runs", "other runs"]
    for line in ["runs", "ls", "tell a rate x0.5", "experiment report table3"] {
      #expect(run(line) == line.split(separator: " ").map(String.init) + place)
    }
    #expect(run("note a -- -5") == ["note", "a"] + place + ["--", "-5"])
    for line in ["runs --runs runs", "runs --runs=runs", "plan tiny", "experiment list", "nonsense", "--help"] {
      #expect(run(line) == line.split(separator: " ").map(String.init))
    }
    // The folder that commands take anyway is not named.
    screen = RunsScreen(folder: "runs")
    #expect(run("runs") == ["runs"])
  }

  @Test func `recipes beside each other have a gap between their values`() throws {
    var screen = Self.screen()
    var rows = [Self.row("kjv-top", 0), Self.row("kjv-ntp", 1)]
    rows[0].recipe?.tokenizer.kind = .sentencepiece
    rows[1].recipe?.tokenizer.kind = .characters
    screen.know(rows)
    _ = press([.down, .character("m"), .home], &screen)
    let text = screen.draw(size: (120, 36), now: Self.now).text
    #expect(text.contains("sentencepiece  characters"), "\(text)")
  }

  @Test func `a run that is being started has a state and no numbers`() {
    var screen = Self.screen()
    screen.list(["new"] + Self.names, of: 7, training: 2, unread: 0, sortedBy: "name", isReversed: false)
    #expect(screen.press(.home) == nil && screen.readableName == nil)
    screen.know([RunRow(name: "new", state: "starting")])
    #expect(screen.readableName == nil)
    let text = screen.draw(size: (120, 36), now: Self.now).text
    let row = text.split(separator: "\n").first { $0.contains("▸ … new") }
    #expect(row?.split(separator: " ").map(String.init) == ["│▸", "…", "new", "starting", "│"], "\(text)")
    #expect(text.contains("another process is starting this run"), "\(text)")
    for key in "xrP" {
      #expect(press([.character(key)], &screen) == nil && screen.dialog == nil)
      #expect(screen.message == "another process is starting this run")
    }
    screen.know([RunRow(name: "new", state: "training")])
    #expect(screen.readableName == "new")
  }

  @Test func `a key on a list that is still being read says so`() {
    var screen = RunsScreen(folder: "runs")
    screen.fit(columns: 120, rows: 36)
    func list(unread: Int) {
      screen.list([], of: 3, training: 0, unread: unread, sortedBy: "best", isReversed: false)
    }
    list(unread: 3)
    for key in [Key.enter] + "mTxrP".map({ Key.character($0) }) {
      #expect(press([key], &screen) == nil && screen.dialog == nil)
      #expect(screen.message == "runs are still being read: press the key again when they are listed", "\(key)")
    }
    // Keys that need no run do what they do.
    #expect(press([.character("s")], &screen) == .sortNext)
    list(unread: 0)
    #expect(press([.enter], &screen) == nil && screen.message == "no run is listed")
  }

  @Test func `R lists all runs from every screen`() throws {
    let comparison = Comparison([ComparisonTests.run("a", speed: 0.02), ComparisonTests.run("b", speed: 0.03)])
    let key = Key.character("R")
    // Over the list, the key goes back to it, past all screens.
    var browser = Browser()
    browser.runs = Self.screen()
    browser.open(comparison)
    #expect(browser.press(key) == nil && browser.compare == nil)
    browser.open(Dashboard(.stored), MadeUpRun().events(to: 20))
    browser.openTensors(of: "kjv-top")
    #expect(browser.press(key) == nil && browser.tensors == nil && browser.dashboard == nil && browser.runs != nil)
    // Without a list, the program is asked for one, which takes the place of everything.
    browser = Browser()
    browser.open(comparison)
    #expect(browser.press(key) == .runs && browser.compare != nil)
    browser.openRuns(in: "runs")
    #expect(browser.compare == nil && browser.runs?.folder == "runs")
    #expect(browser.press(.character("q")) == .leave)
    browser = Browser()
    browser.open(Dashboard(.stored), MadeUpRun().events(to: 20))
    browser.openTensors(of: "kjv-top")
    #expect(browser.press(key) == .runs)
    browser.openRuns(in: "runs")
    #expect(browser.tensors == nil && browser.dashboard == nil && browser.runs != nil)
    // The help pages of all screens name the key.
    for table in [CompareScreen.markdown, TensorsScreen.markdown, DataScreen.markdown, KeyTable.markdown] {
      #expect(table.contains("| `R` | list all runs"))
    }
  }

  @Test func `a filter that no run meets leaves nothing to be read`() {
    var screen = Self.screen()
    _ = press([.character("m")], &screen)
    screen.useFilter("best<0", problem: "")
    screen.list([], of: 6, training: 1, unread: 0, sortedBy: "changed", isReversed: true)
    let text = screen.draw(size: (120, 36), now: Self.now).text
    #expect(text.contains("none of 6 runs matches the filter: / and then esc list all runs"), "\(text)")
    #expect(text.contains("0 of 6 runs") && !text.contains("reading"), "\(text)")
  }

  @Test func `help says of which losses the columns are`() {
    var screen = Self.screen()
    #expect(screen.draw(size: (120, 36), now: Self.now).text.contains("loss     best"))
    _ = press([.character("?")], &screen)
    let text = screen.draw(size: (120, 36), now: Self.now).text
    for words in ["The column loss", "lowest held-out loss"] { #expect(text.contains(words), "\(text)") }
  }

  @Test func `what lies over the list comes off it again`() {
    var browser = Browser()
    browser.runs = Self.screen()
    browser.open(Comparison([ComparisonTests.run("a", speed: 0.02), ComparisonTests.run("b", speed: 0.03)]))
    #expect(browser.draw(size: (80, 24), now: Self.now).text.contains("compare"))
    #expect(browser.press(.character("q")) == nil)
    #expect(browser.draw(size: (80, 24), now: Self.now).text.contains("runs"))
    browser.open(Dashboard(.stored), MadeUpRun().events(to: 20))
    #expect(browser.draw(size: (120, 36), now: Self.now).text.contains("losses"))
    #expect(browser.press(.character("q")) == nil && browser.dashboard == nil)
    #expect(browser.press(.character("q")) == .leave)
  }

  @Test func `escape goes back to the screen below, and never quits`() {
    var browser = Browser()
    browser.runs = Self.screen()
    browser.open(Comparison([ComparisonTests.run("a", speed: 0.02), ComparisonTests.run("b", speed: 0.03)]))
    #expect(browser.press(.escape) == nil && browser.compare == nil)
    browser.open(Dashboard(.stored), MadeUpRun().events(to: 20))
    // A cursor and a full screen are closed first.
    for open in [[Key.left], [.tab, .enter]] {
      for key in open { _ = browser.press(key) }
      #expect(browser.press(.escape) == nil && browser.dashboard != nil)
      while let dashboard = browser.dashboard, dashboard.focus != nil || dashboard.chart.cursor != nil {
        _ = browser.press(.escape)
      }
    }
    #expect(browser.press(.escape) == nil && browser.dashboard == nil)
    #expect(browser.press(.escape) == nil && browser.runs?.message == "q quits")
    // A screen without a list below.
    var alone = Browser()
    alone.open(Comparison([ComparisonTests.run("a", speed: 0.02), ComparisonTests.run("b", speed: 0.03)]))
    #expect(alone.press(.escape) == nil && alone.compare?.message == "q quits")
    #expect(alone.press(.character("q")) == .leave)
    alone = Browser()
    alone.tensors = TensorsScreen(name: "a")
    #expect(alone.press(.escape) == nil && alone.tensors?.message == "q quits")
    #expect(alone.press(.character("q")) == .leave)
  }

  @Test func `random keys at random sizes never crash it`() {
    var dice = Dice(23)
    var screen = Self.screen()
    let keys =
      RunsScreen.keys.rows.flatMap(\.strokes).map(\.key) + [.character("y"), .character("n"), .backspace, .paste("ü")]
    for _ in 0..<1500 {
      let size = (columns: Int.random(in: 1...130, using: &dice), rows: Int.random(in: 1...40, using: &dice))
      screen.fit(columns: size.columns, rows: size.rows)
      _ = screen.press(keys.randomElement(using: &dice)!)
      _ = screen.draw(size: size, now: Self.now)
    }
  }
}
