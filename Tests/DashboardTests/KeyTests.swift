// What keys ask for, and what they say when they ask for nothing.
import Foundation
import Testing

@testable import Dashboard
@testable import Run
@testable import TerminalUI

struct KeyTests {
  let run = MadeUpRun()

  @Test func `space pauses, and goes on when it waits or will wait`() {
    var dashboard = run.dashboard(at: 20)
    #expect(dashboard.press(.space) == .pause)
    #expect(dashboard.press(.space) == .proceed)
    #expect(dashboard.press(.space) == .pause)
    dashboard.receive(run.occurred(.pause, 20, "paused", by: .key))
    dashboard.receive(run.occurred(.proceed, 20, "goes on", by: .key))
    #expect(dashboard.press(.space) == .proceed)
    dashboard.receive(run.occurred(.pause, 20, "paused", by: .key))
    dashboard.receive(run.occurred(.proceed, 20, "goes on", by: .key))
    #expect(dashboard.press(.space) == .pause)
  }

  @Test func `the keys of the rate ask for their factors`() {
    var dashboard = run.dashboard(at: 20)
    #expect(dashboard.press(.character("]")) == .rate(.times(1.1)))
    #expect(dashboard.press(.character("[")) == .rate(.times(1 / 1.1)))
    #expect(dashboard.press(.character("}")) == .rate(.times(2)))
    #expect(dashboard.press(.character("{")) == .rate(.times(0.5)))
  }

  @Test func `single keys ask for their commands`() {
    var dashboard = run.dashboard(at: 100)
    #expect(dashboard.press(.character(".")) == .stepOnce)
    #expect(dashboard.press(.character("s")) == .save)
    #expect(dashboard.press(.character("e")) == .evaluate)
    #expect(dashboard.press(.character("g")) == .generate)
    #expect(dashboard.press(.character(">")) == .probe(3))
    #expect(dashboard.press(.character(">")) == .probe(4))
    #expect(dashboard.press(.control("c")) == .stop(saving: true))
  }

  @Test func `probes go round`() {
    var dashboard = run.dashboard(at: 20)
    dashboard.receive(.ordered(run.order(20, probe: 0)))
    #expect(dashboard.press(.character("<")) == .probe(15))
    dashboard.receive(.ordered(run.order(20, probe: 15)))
    #expect(dashboard.press(.character(">")) == .probe(0))
  }

  @Test func `quitting asks, and each answer is its command`() {
    for (answer, command) in [
      (Key.character("s"), Command.stop(saving: true)), (.character("d"), .detach),
      (.character("a"), .stop(saving: false)),
    ] {
      var dashboard = run.dashboard(at: 20)
      #expect(dashboard.press(.character("q")) == nil)
      #expect(dashboard.press(.character("x")) == nil)
      #expect(dashboard.press(answer) == command)
    }
    var dashboard = run.dashboard(at: 20)
    _ = dashboard.press(.character("q"))
    #expect(dashboard.press(.escape) == nil)
    #expect(dashboard.overlay == nil)
  }

  @Test func `after the end and in a stored run, quitting is leaving`() {
    var ended = run.dashboard(at: 20)
    ended.receive(.ended(Ending(.finished, step: 20, time: run.now(20))))
    #expect(ended.press(.character("q")) == .detach)
    #expect(ended.press(.control("c")) == .detach)
    var stored = run.dashboard(at: 20, .stored)
    #expect(stored.press(.character("q")) == .detach)
    var watched = run.dashboard(at: 20, .watched)
    let picture = watched.draw(size: (120, 36), now: run.now(20)).text
    #expect(picture.contains("● training") && picture.contains(" left"), "\(picture)")
    #expect(watched.press(.control("c")) == .detach)
  }

  @Test func `an end takes the question away`() {
    var dashboard = run.dashboard(at: 20)
    _ = dashboard.press(.character("q"))
    dashboard.receive(.ended(Ending(.finished, step: 20, time: run.now(20))))
    #expect(dashboard.overlay == nil)
  }

  @Test(arguments: [" ", ".", "]", "[", "}", "{", "s", "e", "g"])
  func `a control key that does nothing says why, and the footer begins with keys that do something`(
    key: String
  ) throws {
    let modes: [String: Dashboard.Mode] = ["stored": .stored, "watched": .watched]
    for phase in ["stored", "watched", "starting", "ended"] {
      var dashboard = run.dashboard(at: phase == "starting" ? 0 : 20, modes[phase] ?? .live)
      if phase == "ended" { dashboard.receive(.ended(Ending(.finished, step: 20, time: run.now(20)))) }
      #expect(dashboard.press(.character(try #require(key.first))) == nil)
      #expect(!dashboard.message.isEmpty)
      let canvas = dashboard.draw(size: (120, 36), now: run.now(20))
      #expect(canvas.text.contains(dashboard.message))
      #expect(!canvas[1, 35].style.attributes.contains(.dim))
      // The help page has it, dim.
      _ = dashboard.press(.character("?"))
      let help = dashboard.draw(size: (120, 60), now: run.now(20))
      let lines = help.text.split(separator: "\n", omittingEmptySubsequences: false)
      let row = try #require(lines.firstIndex { $0.contains("pause or continue the training") })
      #expect(help[2, row].style.attributes.contains(.dim))
    }
  }

  @Test func `what this run lacks is said`() {
    var run = run
    run.recipe.objective.ntp = 0
    var dashboard = Dashboard(.live)
    if case .began(var beginning) = run.began {
      beginning.heldOutTokens = 0
      dashboard.receive(.began(beginning))
    }
    dashboard.receive(.stepped(run.step(1)))
    #expect(dashboard.press(.character("g")) == nil)
    #expect(dashboard.message.contains("NTP"))
    #expect(dashboard.press(.character("e")) == nil)
    #expect(dashboard.message.contains("data.heldOut"))
    #expect(!dashboard.isEvaluating)
  }

  @Test func `after a single step the run waits`() {
    var dashboard = run.dashboard(at: 20)
    _ = dashboard.press(.character("."))
    dashboard.receive(.stepped(run.step(21)))
    #expect(dashboard.phase == .paused)
    #expect(dashboard.press(.space) == .proceed)
  }

  @Test func `a picture is due after a key or an event, and not otherwise`() {
    var dashboard = run.dashboard(at: 20)
    dashboard.needsDrawing = false
    #expect(dashboard.press(.function(5)) == nil)
    #expect(!dashboard.needsDrawing)
    _ = dashboard.press(.character("x"))
    #expect(dashboard.needsDrawing)
    dashboard.needsDrawing = false
    dashboard.receive(.stepped(run.step(21)))
    #expect(dashboard.needsDrawing)
    dashboard.needsDrawing = false
    _ = dashboard.press(.resize)
    #expect(dashboard.needsDrawing)
  }

  @Test func `drawing changes nothing`() {
    let dashboard = run.dashboard(at: 300)
    let first = dashboard.draw(size: (120, 36), now: run.now(300))
    _ = dashboard.draw(size: (80, 24), now: run.now(300))
    #expect(dashboard.draw(size: (120, 36), now: run.now(300)) == first)
  }

  @Test func `focus goes round, fills the screen and comes back`() {
    var dashboard = run.dashboard(at: 300)
    _ = dashboard.press(.tab)
    #expect(dashboard.focus == .losses)
    _ = dashboard.press(.backTab)
    #expect(dashboard.focus == .recipe)
    _ = dashboard.press(.enter)
    #expect(dashboard.isFullScreen)
    _ = dashboard.press(.escape)
    #expect(!dashboard.isFullScreen)
    #expect(dashboard.focus == .recipe)
    _ = dashboard.press(.escape)
    #expect(dashboard.focus == nil)
  }

  @Test func `without focus, the losses fill the screen, or the largest panel of a layout without them`() throws {
    var dashboard = Dashboard(.live, layouts: try shippedLayouts())
    for event in run.events(to: 300) { dashboard.receive(event) }
    for size in [(20, 4), (80, 24), (120, 36)] {
      dashboard.fit(columns: size.0, rows: size.1)
      #expect(dashboard.press(.enter) == nil && dashboard.message.isEmpty)
      #expect(dashboard.isFullScreen && dashboard.focus == .losses)
      for _ in 0..<2 { _ = dashboard.press(.escape) }
      #expect(!dashboard.isFullScreen && dashboard.focus == nil)
    }
    let words = Layout.Variant(
      columns: 1, rows: 1, columnTracks: [.share(1)], rowTracks: [.cells(1), .share(1), .share(3)],
      areas: [[.status], [.events], [.text]])
    dashboard.show(Layout(name: "words", key: 9, variants: [words]))
    _ = dashboard.press(.enter)
    #expect(dashboard.isFullScreen && dashboard.focus == .text)
  }

  @Test func `events scroll back to the first and forward to the last`() {
    var dashboard = run.dashboard(at: 2000)
    for _ in 0..<3 { _ = dashboard.press(.home) }
    #expect(dashboard.draw(size: (120, 36), now: run.now(2000)).text.contains("training a tokenizer"))
    for _ in 0..<3 { _ = dashboard.press(.end) }
    let text = dashboard.draw(size: (120, 36), now: run.now(2000)).text
    #expect(!text.contains("training a tokenizer"))
    #expect(text.contains("000002000.h5"))
  }

  @Test func `home moves the charts that are looked at closely, and otherwise the events`() {
    var dashboard = run.dashboard(at: 2000)
    for key in [Key.left, .character("z")] {
      _ = dashboard.press(key)
      _ = dashboard.press(.home)
      #expect(dashboard.chart.cursor == dashboard.history.places[.step][0])
      #expect(dashboard.scroll[.events, default: 0] == 0)
      _ = dashboard.press(.end)
      #expect(dashboard.chart.cursor == nil)
    }
    dashboard.chart.zoom = 0
    _ = dashboard.press(.home)
    #expect(dashboard.chart.cursor == nil && dashboard.scroll[.events, default: 0] > 0)
  }

  @Test func `the hints of the rate's prompt stand apart on a narrow screen`() {
    var dashboard = run.dashboard(at: 300)
    _ = dashboard.press(.character("l"))
    let text = dashboard.draw(size: (40, 12), now: run.now(300)).text
    #expect(text.contains(" · a rate: 3e-4") && text.contains("a factor: x0.5"), "\(text)")
  }

  @Test func `digits change the layout, and unknown ones say which there are`() throws {
    var dashboard = Dashboard(.live, layouts: try shippedLayouts())
    _ = dashboard.press(.character("2"))
    #expect(dashboard.layout.name == "order")
    _ = dashboard.press(.character("9"))
    #expect(dashboard.layout.name == "order")
    #expect(dashboard.message.contains("1 train, 2 order, 3 throughput, 4 small"))
    // Where names have no room, the numbers have.
    dashboard.fit(columns: 80, rows: 24)
    _ = dashboard.press(.character("9"))
    #expect(dashboard.message.hasPrefix("no layout 9: there are 1, 2, 3, 4, 5, 6"))
  }

  @Test func `digits are a count for two seconds, and then were meant for a layout`() throws {
    var dashboard = run.dashboard(at: 300)
    dashboard.receive(run.occurred(.pause, 300, "paused", by: .key))
    for (seconds, command) in [(0.5, Command.step(12)), (2.5, .step(1))] {
      dashboard.pass(to: 100)
      _ = dashboard.press(.character("1"))
      dashboard.pass(to: 101)
      // Each digit begins the time anew.
      dashboard.pass(to: 102.5)
      _ = dashboard.press(.character("2"))
      dashboard.pass(to: 200)
      dashboard.pass(to: 200 + seconds)
      #expect((dashboard.count == nil) == (seconds > 2))
      let layout = dashboard.layout.name
      #expect(dashboard.press(.character(".")) == command)
      if seconds > 2 { #expect(dashboard.layout.name == layout, "the layout that was chosen stays") }
    }
  }

  @Test func `smoothing goes up, down and off`() {
    var dashboard = run.dashboard(at: 300)
    _ = dashboard.press(.character("+"))
    #expect(dashboard.history.smoothing == 0.95)
    _ = dashboard.press(.character("-"))
    _ = dashboard.press(.character("-"))
    #expect(dashboard.history.smoothing == 0.8)
    _ = dashboard.press(.character("0"))
    #expect(dashboard.history.smoothing == 0)
    #expect(dashboard.history.tracks[0].losses.smooth.values == dashboard.history.tracks[0].losses.raw.values)
  }

  @Test(arguments: [40, 60, 80, 120])
  func `pause, rate, quit and help are named in the footer at every width`(columns: Int) throws {
    let dashboard = run.dashboard(at: 300)
    let rows = [40: 12, 60: 16, 80: 24, 120: 36][columns] ?? 24
    let text = dashboard.draw(size: (columns, rows), now: run.now(300)).text
    let footer = try #require(text.split(separator: "\n").last)
    for word in ["space pause", "] [ rate", "q quit", "? help"] {
      #expect(footer.contains(word), "\(columns): \(footer)")
    }
  }

  @Test func `every line of the key table is on the help page and in the table for the README`() {
    var dashboard = run.dashboard(at: 300)
    _ = dashboard.press(.character("?"))
    let help = dashboard.draw(size: (100, 60), now: run.now(300)).text
    let markdown = KeyTable.markdown
    for line in KeyTable.lines {
      #expect(help.contains(line.text), "help lacks: \(line.text)")
      #expect(markdown.contains(line.text))
      for stroke in line.strokes { #expect(KeyTable.action(of: stroke.key) == stroke.action) }
    }
    #expect(markdown.split(separator: "\n").count == KeyTable.lines.count + 2)
    #expect(!markdown.split(separator: "\n").contains { $0.filter { $0 == "|" }.count != 3 })
  }

  @Test func `a resumed run forgets what came after its checkpoint`() {
    var dashboard = run.dashboard(at: 300)
    var run = run
    run.recipe.steps = 2000
    if case .began(var beginning) = run.began {
      beginning.step = 200
      dashboard.receive(.began(beginning))
    }
    #expect(dashboard.history.count == 200)
    #expect(dashboard.history.evaluations.places.count == 2)
    #expect(dashboard.phase == .starting)
    dashboard.receive(.stepped(run.step(201)))
    #expect(dashboard.history.count == 201)
    #expect(dashboard.phase == .training)
  }

  @Test func `the user's factor is read off the steps`() {
    let dashboard = run.dashboard(at: 1284)
    #expect(abs(dashboard.rateFactor - 0.5) < 1e-9)
    #expect(run.dashboard(at: 700).rateFactor == 1)
  }
}
