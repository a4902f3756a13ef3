// What a frame costs. FORETOP_COST=1 prints it; nothing is asserted, since machines differ.
import Foundation
import Testing

@testable import Dashboard
@testable import Run
@testable import TerminalUI

struct CostTests {
  @Test(.enabled(if: ProcessInfo.processInfo.environment["FORETOP_COST"] != nil))
  func `a frame with a hundred thousand steps behind it`() throws {
    var run = MadeUpRun()
    run.recipe.steps = 120_000
    var dashboard = Dashboard(.live, layouts: try shippedLayouts())
    dashboard.receive(run.began)
    let clock = ContinuousClock()
    let reports = (1...100_000).map { run.step($0) }
    let taken = clock.measure { for report in reports { dashboard.receive(.stepped(report)) } }
    print("a step received: \(taken / 100_000)")
    for number in stride(from: 100, through: 100_000, by: 100) { dashboard.receive(.evaluated(run.evaluation(number))) }
    dashboard.receive(.ordered(run.order(100_000)))
    dashboard.receive(.wrote(run.text(100_000)))
    for size in [(80, 24), (120, 36), (220, 60), (500, 200)] {
      var cells = 0
      let frames = 300
      let time = clock.measure {
        for _ in 0..<frames { cells += dashboard.draw(size: (size.0, size.1), now: run.now(100_000)).cells.count }
      }
      print("a frame of \(size.0)x\(size.1): \(time / frames)")
      #expect(cells == frames * size.0 * size.1)
    }
    let smoothing = clock.measure { _ = dashboard.press(.character("+")) }
    print("other smoothing: \(smoothing)")
  }
}
