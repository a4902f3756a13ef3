// Panels that have less room than they could use: what is left out is counted, folded or said, and what differs stays to be told.
import Foundation
import Testing

@testable import Dashboard
@testable import Run
@testable import TerminalUI

struct RoomTests {
  private let run = MadeUpRun()

  /// The lines of a panel's box in a picture.
  private func panel(_ title: String, in canvas: Canvas) throws -> [String] {
    let rows = canvas.text.split(separator: "\n", omittingEmptySubsequences: false).map(Array.init)
    let top = try #require(rows.firstIndex { String($0).contains("╭─ \(title) ") }, "\(canvas.text)")
    let line = String(rows[top])
    let range = try #require(line.range(of: "╭─ \(title) "))
    let start = line.distance(from: line.startIndex, to: range.lowerBound)
    let end = try #require(rows[top][start...].firstIndex(of: "╮"))
    let bottom = try #require(rows[top...].firstIndex { $0.count > start && $0[start] == "╰" })
    return rows[top...bottom].map { String($0[start...min(end, $0.count - 1)]) }
  }

  // MARK: Throughput

  @Test(arguments: 1...8) func `the phases that are shown add up to the step`(count: Int) {
    let phases = [0.0012, 0.156, 0.197, 0.106, 0.048, 0.0118]
    let shown = Dashboard.folded(phases, into: count)
    #expect(shown.count == min(count, 6))
    #expect(abs(shown.reduce(0) { $0 + $1.seconds } - phases.reduce(0, +)) < 1e-12)
    #expect(shown.map(\.phase) == shown.map(\.phase).sorted() && shown.last?.phase == 5)
    if count == 5 { #expect(shown.map(\.phase) == [1, 2, 3, 4, 5] && abs(shown[4].seconds - 0.013) < 1e-12) }
  }

  @Test(arguments: ["120x30", "120x36", "80x36", "220x60"])
  func `throughput names what it shows, and other is not left out`(size text: String) throws {
    let size = text.split(separator: "x").compactMap { Int($0) }
    let dashboard = Dashboard(.live, layouts: try shippedLayouts())
    var seen = dashboard
    for event in run.events(to: 60) { seen.receive(event) }
    let lines = try panel("throughput", in: seen.draw(size: (size[0], size[1]), now: run.now(60)))
    #expect(lines.contains { $0.contains("other") }, "\(lines.joined(separator: "\n"))")
  }

  @Test func `words for phases add up, too, in one row`() throws {
    let line = Dashboard.phaseWords([0.0012, 0.156, 0.197, 0.106, 0.048, 0.0118], columns: 40, rows: 1)
    #expect(line == ["fwd 156 heads 197 bwd 106 other 61"])
  }

  @Test(arguments: [("throughput", "tok/s"), ("heads", "accuracy at each evaluation")])
  func `full screen, a panel of numbers has a chart of its numbers over the run, too`(
    name: String, words: String
  ) throws {
    var dashboard = run.dashboard(at: 1284)
    dashboard.focus = Panel(rawValue: name)
    dashboard.isFullScreen = true
    let lines = try panel(name, in: dashboard.draw(size: (120, 36), now: run.now(1284)))
    let axis = try #require(lines.firstIndex { $0.contains("┴──") }, "\(lines.joined(separator: "\n"))")
    let top = try #require(lines.firstIndex { $0.contains(" ┤") })
    #expect(axis - top >= 10 && lines[axis + 1].contains("1 000"), "\(lines.joined(separator: "\n"))")
    #expect(lines.contains { $0.contains(words) })
    // Nothing else loses its room.
    for word in name == "heads" ? ["grad at h", "2.24e-2"] : ["backward", "other", "mean of 10 s"] {
      #expect(lines.contains { $0.contains(word) }, "\(word):\n\(lines.joined(separator: "\n"))")
    }
    for size in [(20, 4), (40, 12), (60, 18), (220, 60)] { dashboard.draw(size: size, now: 0).expectSound() }
  }

  @Test(arguments: [Panel.throughput, .gradients, .heads, .quality])
  func `charts of all panels read at the cursor, and their ticks are equally many rows apart`(panel: Panel) throws {
    var dashboard = run.dashboard(at: 1284)
    dashboard.focus = panel
    dashboard.isFullScreen = true
    for _ in 0..<20 { _ = dashboard.press(.left) }
    let entry = try #require(dashboard.cursorEntry)
    let lines = try self.panel(panel.rawValue, in: dashboard.draw(size: (120, 36), now: run.now(1284)))
    let text = lines.joined(separator: "\n")
    let evaluations = dashboard.history.evaluations
    let read = dashboard.readEvaluations
    try #require(read > 0 && read < evaluations.places.count)
    let step = panel == .throughput || panel == .gradients ? dashboard.history.places : evaluations.places
    let index = panel == .throughput || panel == .gradients ? entry : read - 1
    #expect(text.contains("step \(Figure.grouped(Int(step[.step][index])))"), "\(text)")
    let value =
      switch panel {
      case .throughput: Figure.short(Double(dashboard.history.tokensPerSecond.values[entry])) + " tok/s"
      case .gradients: Figure.norm(Double(dashboard.history.gradientNorm.values[entry]))
      default: Figure.quality(Double(try #require(evaluations[.accuracy(.ntp)]).values[read - 1]))
      }
    #expect(text.contains(value), "\(value):\n\(text)")
    // The two edges of the box and the line of the cursor.
    #expect(lines.contains { $0.contains(" ┤") && $0.count { $0 == "│" } >= 3 }, "\(text)")
    let rows = lines.indices.filter { lines[$0].contains(" ┤") }
    let distances = Set(zip(rows.dropFirst(), rows).map { $0 - $1 })
    #expect(rows.count >= 3 && distances.max()! - distances.min()! <= 1, "\(text)")
  }

  // MARK: Order

  @Test func `order is a table at 120 by 30, and its short form says what counts as a hit`() throws {
    var dashboard = Dashboard(.live, layouts: try shippedLayouts())
    for event in run.events(to: 1284) { dashboard.receive(event) }
    let table = try panel("order", in: dashboard.draw(size: (120, 30), now: run.now(1284)))
    #expect(table.contains { $0.contains("ahead") && $0.contains("weight") && $0.contains("✓≤7") }, "\(table)")
    // No row is empty while tokens are hidden.
    #expect(!table.dropFirst().contains { $0.dropFirst().dropLast().allSatisfy { $0 == " " } }, "\(table)")
    let short = try panel("order", in: dashboard.draw(size: (80, 24), now: run.now(1284)))
    #expect(short.contains { $0.contains("✓≤7") || $0.contains("✓ ≤ 7") }, "\(short)")
  }

  // MARK: Legends

  @Test(arguments: ["80x24", "120x36", "220x60"])
  func `a legend of accuracies names every head or counts it`(size text: String) throws {
    let size = text.split(separator: "x").compactMap { Int($0) }
    var run = run
    run.recipe.objective.mtp.heads = 16
    var dashboard = Dashboard(.live, layouts: try shippedLayouts(), startingWith: "order")
    dashboard.receive(run.began)
    for step in 1...20 { dashboard.receive(.stepped(run.step(step))) }
    var evaluation = run.evaluation(20)
    for head in 2...16 {
      evaluation.losses.insert(
        HeadLoss(head: .mtp(head), loss: 4, accuracy: 0.4 - 0.01 * Float(head), positions: 60_000), at: head - 1)
    }
    dashboard.receive(.evaluated(evaluation))
    let lines = try panel("quality", in: dashboard.draw(size: (size[0], size[1]), now: run.now(20)))
    let all = lines.joined(separator: "\n")
    let missing = (2...16).filter { !all.contains("acc mtp-\($0) ") }.count
    let orders = ["ndcg@8 ", "τ ", "recall@8 ", "mrr "].filter { !all.contains($0) }.count
    #expect(missing + orders == 0 || all.contains("+\(missing + orders)"), "\(missing) + \(orders) of\n\(all)")
  }

  // MARK: The rate

  @Test func `the peak of a typed rate can be read, in a panel and in the line`() throws {
    var run = run
    run.recipe.schedule.warmup = 500
    for (layout, size) in [("train", (120, 36)), ("small", (80, 24))] {
      var dashboard = Dashboard(.live, layouts: try shippedLayouts(), startingWith: layout)
      for event in run.events(to: 40) { dashboard.receive(event) }
      dashboard.fit(columns: size.0, rows: size.1)
      dashboard.type(":rate 1e-3")
      let text = dashboard.draw(size: size, now: run.now(40)).text
      #expect(text.contains("→ 1.0e-3") && text.contains("at step 501"), "\(text)")
    }
  }

  @Test func `the axis of the rate ends at a round number`() throws {
    for (value, end) in [(1.008e-3, "1.2e-3"), (4.8e-2, "5.0e-2"), (1e-3, "1.0e-3"), (0.3, "0.3")] {
      #expect(Figure.rate(Scale.roundEnd(value)) == end)
    }
  }

  // MARK: Figures

  @Test func `norms have as many digits in every row`() {
    #expect([1.657, 0.94, 8.3e-4, 0.0224].map(Figure.norm) == ["1.657", "0.940", "8.30e-4", "2.24e-2"])
    #expect(Figure.norm(.nan) == "nan" && Figure.norm(0) == "0.000" && Figure.norm(9.999e-3) == "1.00e-2")
    #expect(TensorsScreen.figure(-0.1) == "−.1000" && TensorsScreen.figure(-3.4e-7) == "−3.4e-7")
    #expect(Smoothing.figure(0.9) == "0.90" && Smoothing.figure(0.995) == "0.995")
  }

  @Test func `a recipe's values on the list are those of the recipe`() throws {
    var recipe = Recipe()
    recipe.data.heldOut = 0.005
    try #require(recipe.data.heldOut != Recipe().data.heldOut)
    recipe.schedule.rate = 3e-4
    let values = Dictionary(uniqueKeysWithValues: RunsScreen.differences(recipe, Recipe()).map { ($0.key, $0.a) })
    #expect(values["data.heldOut"] == "0.005")
    #expect(values["schedule.rate"] == "3.0e-4")
  }

  @Test func `short times have tenths where they are compared`() {
    #expect(CompareAxis.time.figure(4.26, of: .rate) == "4.3 s" && CompareAxis.time.figure(75, of: .rate) == "1 m 15 s")
  }

  // MARK: Dialogs

  @Test(arguments: ["q", "l", "t", "w", ":"])
  func `the key bar has no bright key while a dialog takes the keys`(key: Character) {
    var dashboard = run.dashboard(at: 300)
    dashboard.fit(columns: 80, rows: 24)
    func names(_ canvas: Canvas) -> Int {
      (0..<80).count { canvas[$0, 23].style.role == .accent && canvas[$0, 23].character != ":" }
    }
    #expect(names(dashboard.draw(size: (80, 24), now: run.now(300))) > 8)
    _ = dashboard.press(.character(key))
    #expect(names(dashboard.draw(size: (80, 24), now: run.now(300))) == 0)
    var runs = RunsScreenTests.screen()
    #expect(names(runs.draw(size: (80, 24), now: 0)) > 4)
    _ = runs.press(.character("n"))
    #expect(names(runs.draw(size: (80, 24), now: 0)) == 0)
  }

  @Test func `in ASCII arrows are no angle brackets`() {
    var dashboard = run.dashboard(at: 300)
    dashboard.glyphs = .ascii
    let text = dashboard.draw(size: (220, 60), now: run.now(300)).text
    #expect(text.contains("< > probe") && text.contains("left right cursor") && !text.contains("< > cursor"), "\(text)")
  }

  @Test func `an answer of many heads says in a low dialog that there is more`() {
    var dashboard = run.dashboard(at: 300)
    dashboard.fit(columns: 40, rows: 12)
    var expectation = AskTests.answer(0.41)
    expectation.further = (2...16).map { .init(head: "mtp-\($0)", choice: .init(token: "␠the", probability: 0.2)) }
    dashboard.receive(TextAnswer(step: 300, expectation))
    dashboard.openAsk()
    let text = dashboard.draw(size: (40, 12), now: run.now(300)).text
    let line = text.split(separator: "\n").first { $0.contains("mtp-2 ") }
    #expect(line?.contains("…") == true, "\(text)")
  }

  @Test func `what is typed takes the place of a suggestion`() {
    var screen = RunsScreenTests.screen()
    _ = screen.press(.character("n"))
    #expect(screen.draw(size: (120, 36), now: 0).text.contains("foretop train default"))
    for character in "tiny" { _ = screen.press(.character(character)) }
    #expect(screen.press(.enter) == .run(["train", "tiny"]))
    _ = screen.press(.character("n"))
    #expect(screen.press(.enter) == .run(["train", "default"]))
    _ = screen.press(.character("n"))
    _ = screen.press(.tab)
    for character in " seed=2" { _ = screen.press(.character(character)) }
    #expect(screen.press(.enter) == .run(["train", "default", "seed=2"]))
  }

  @Test func `a refusal of a typed line is said once`() throws {
    for size in [(120, 36), (40, 9)] {
      var dashboard = run.dashboard(at: 300)
      dashboard.fit(columns: size.0, rows: size.1)
      for character in ":until 100" { _ = dashboard.press(.character(character)) }
      let command = dashboard.press(.enter)
      _ = try #require(command)
      let occurrence = Occurrence(
        .refused, step: 300, time: run.now(300), key: "until", actor: .typed, text: "step 100 is over: no such step")
      dashboard.receive(.occurred(occurrence))
      let text = dashboard.draw(size: size, now: run.now(300)).text
      #expect(text.components(separatedBy: "step 100 is over").count == 2, "\(text)")
    }
  }
}

extension RoomTests {
  // MARK: Lists and charts of several runs

  @Test(arguments: [(60, 16), (80, 24), (120, 36), (300, 100)])
  func `the list of runs uses its room and leaves a cell of air`(columns: Int, rows: Int) {
    var screen = RunsScreenTests.screen()
    var row = RunsScreenTests.row("kjv-top", 0)
    row.objective = "ntp+mtp-16+top+entropy"
    screen.know([row])
    screen.fit(columns: columns, rows: rows)
    let canvas = screen.draw(size: (columns, rows), now: RunsScreenTests.now)
    if columns == 300 { #expect(canvas.text.contains("ntp+mtp-16+top+entropy"), "\(canvas.text)") }
    for line in 3..<7 { #expect(canvas[columns - 2, line].character == " ", "\(canvas.text)") }
  }

  @Test func `the second chart of a comparison grows with the screen`() throws {
    let screen = CompareScreenTests.screen()
    for (size, least) in [((120, 36), 6), ((300, 100), 20)] {
      let box = try panel("difference from kjv-ntp ×2", in: screen.draw(size: size))
      #expect(box.count - 2 >= least, "\(size): \(box.count)")
    }
  }

  @Test func `a difference in the legend says where it is`() {
    let text = CompareScreenTests.screen().draw(size: (120, 36)).text
    #expect(text.contains("−0.720 at 2 560"), "\(text)")
  }

  @Test func `the lowest screen quits, and one above another goes back`() {
    var browser = Browser()
    browser.compare = CompareScreenTests.screen()
    #expect(browser.draw(size: (120, 36), now: 0).text.contains("q quit"))
    browser.runs = RunsScreenTests.screen()
    #expect(browser.draw(size: (120, 36), now: 0).text.contains("q back"))
  }

  @Test func `what is wrong with the preferences is said on every screen, and a palette is used on all`() {
    var preferences = Preferences()
    preferences.palette = "tol"
    let sentence = "preferences ignored: foretop/preferences.yaml:1: there is no preference “foo”"
    func check(_ browser: Browser, sourceLocation: SourceLocation = #_sourceLocation) {
      var browser = browser
      browser.use(preferences, layout: true)
      browser.say(sentence)
      #expect(browser.palette == .tol, sourceLocation: sourceLocation)
      let text = browser.draw(size: (80, 24), now: 0).text
      #expect(text.contains("preferences ignored: foretop/preferences.yaml:1:"), sourceLocation: sourceLocation)
    }
    var browser = Browser()
    browser.tensors = TensorsScreen(name: "a")
    check(browser)
    browser = Browser()
    browser.compare = CompareScreenTests.screen()
    check(browser)
    browser = Browser()
    browser.runs = RunsScreenTests.screen()
    check(browser)
  }

  // MARK: Tensors

  @Test func `names of tensors that are cut still differ`() {
    let paths = (0..<3).flatMap { layer in
      ["q", "k", "v", "o"].flatMap { name in
        ["model/layers", "mtp"].map { "\($0)/\(layer)/self_attn/\(name)_proj" }
      }
    }
    for columns in [12, 14, 18, 22, 40] {
      let names = paths.map { TensorsScreen.fitted($0, to: columns) }
      #expect(Set(names).count == names.count, "\(names)")
      #expect(names.allSatisfy { $0.width <= columns })
    }
    #expect(TensorsScreen.fitted("model/layers/0/mlp/up_proj", to: 22) == "m/layers/0/mlp/up_proj")
  }
}
