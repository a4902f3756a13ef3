// Any keys and sizes over all screens, from one to the other as keys lead: nothing stops them.
import Foundation
import Support
import Testing

@testable import Dashboard
@testable import Run
@testable import TerminalUI

struct AllScreensWalkTests {
  /// Keys and sizes of a walk: 10 000 in all in `make torture`.
  private static let rounds = Trial.isFull ? 2500 : 600
  private static let names = ["kjv-top", "kjv-ntp", "kjv-mtp4", "star-3x3-top", "gone"]
  /// Keys that lead somewhere are pressed as often as all others.
  private static let ways: [Key] =
    [.enter, .character("q"), .escape, .down, .up] + "mcTt?/\r2345".map { .character($0) }

  /// A stored or an attached run, as the list opens it.
  private func dashboard(_ dice: inout Dice) -> (Dashboard, [Event]) {
    let modes: [Dashboard.Mode] = [.stored, .watched, .attached]
    var dashboard = Dashboard(modes.randomElement(using: &dice)!, layouts: (try? shippedLayouts()) ?? [])
    dashboard.know(checkpoints: [100, 200, 300])
    return (dashboard, MadeUpRun().events(to: Int.random(in: 0...300, using: &dice)))
  }

  private func answer(_ dice: inout Dice) -> Result<TextAnswer, UserError> {
    guard Bool.random(using: &dice) else { return .failure(UserError(.noInput, "there is no checkpoint yet")) }
    return .success(TextAnswer(step: Int.random(in: 0...300, using: &dice), .madeUp(noise: &dice)))
  }

  /// What the program would do for a key.
  private func carryOut(_ request: Browser.BrowserRequest, _ browser: inout Browser, _ dice: inout Dice) {
    switch request {
    case .leave: browser.runs = RunsScreenTests.screen(Self.names)
    case .command, .open: break
    case .runs: browser.openRuns(in: "runs")
    case .ask(let name, _, _): browser.receive(answer(&dice), of: name)
    case .tensors(let name):
      browser.openTensors(of: name)
      if Bool.random(using: &dice) { TensorsScreenTests().read(&browser.tensors!) }
    case .list(let request):
      switch request {
      case .open:
        let (dashboard, events) = dashboard(&dice)
        browser.open(dashboard, events)
      case .compare: browser.open(CompareScreenTests.screen().comparison)
      default: break
      }
    }
  }

  private func name(_ browser: Browser) -> String {
    if browser.tensors != nil { return "tensors" }
    if let dashboard = browser.dashboard {
      if case .ask = dashboard.overlay { return "ask" }
      return dashboard.isFullScreen ? "full screen" : "run, layout \(dashboard.layout.name)"
    }
    return browser.compare != nil ? "compare" : "runs"
  }

  @Test(arguments: 0..<4)
  func `keys and resizes lead through all screens and stop none`(seed: Int) throws {
    var dice = Dice(for: "all screens \(seed)")
    var browser = Browser(layouts: try shippedLayouts())
    browser.runs = RunsScreenTests.screen(Self.names)
    var size = (columns: 120, rows: 36)
    var seen = Set<String>()
    for _ in 0..<Self.rounds {
      if Int.random(in: 0..<4, using: &dice) == 0 {
        size = (Int.random(in: 1...230, using: &dice), Int.random(in: 1...65, using: &dice))
        browser.fit(columns: size.columns, rows: size.rows)
      }
      let all = Bool.random(using: &dice) ? Self.ways : RandomWalkTests.keys
      if let request = browser.press(all.randomElement(using: &dice)!) { carryOut(request, &browser, &dice) }
      seen.insert(name(browser))
      let canvas = browser.draw(size: size, now: MadeUpRun().now(300))
      #expect(canvas.columns == size.columns && canvas.rows == size.rows, "\(name(browser)), \(Trial.note)")
      canvas.expectSound()
    }
    #expect(seen.count >= 4, "\(Trial.note): it came to \(seen.sorted())")
  }

  @Test func `the screen of data takes any key at any size`() {
    var dice = Dice(for: "data screen")
    var screen = DataScreenTests().screen
    for _ in 0..<Self.rounds {
      let size = (columns: Int.random(in: 1...230, using: &dice), rows: Int.random(in: 1...65, using: &dice))
      screen.fit(columns: size.columns, rows: size.rows)
      if case .window(let number)? = screen.press(RandomWalkTests.keys.randomElement(using: &dice)!) {
        screen.take(DataScreenTests().page(number))
      }
      screen.draw(size: size, now: 0).expectSound()
    }
  }
}

extension Run.Expectation {
  /// An answer that nobody gave.
  static func madeUp(noise dice: inout Dice) -> Run.Expectation {
    let tokens = ["␠God", "␠was", ",", "␠", "漢字", "\u{1B}[31m", "", "e\u{301}\u{301}"]
    return Run.Expectation(
      context: (0..<Int.random(in: 0...40, using: &dice)).map { _ in tokens.randomElement(using: &dice)! },
      next: (0..<Int.random(in: 0...8, using: &dice)).map { _ in
        Choice(
          token: tokens.randomElement(using: &dice)!,
          probability: [.nan, 0, 1, 0.25, .infinity].randomElement(using: &dice)!)
      },
      further: (2...Int.random(in: 2...16, using: &dice)).map {
        FurtherChoice(
          head: "mtp-\($0)", choice: Choice(token: tokens.randomElement(using: &dice)!, probability: 0.5))
      },
      ranking: (0..<Int.random(in: 0...8, using: &dice)).map { _ in tokens.randomElement(using: &dice)! })
  }
}
