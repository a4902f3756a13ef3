// The machine panel of a run that this process trains, another one, or none.
import Testing

@testable import Dashboard
@testable import Run
@testable import TerminalUI

struct MachinePanelTests {
  private static let size = (columns: 120, rows: 36)

  private func dashboard(_ mode: Dashboard.Mode) throws -> Dashboard {
    var dashboard = Dashboard(mode, layouts: try shippedLayouts(), startingWith: "throughput")
    for event in MadeUpRun().events(to: 20) { dashboard.receive(event) }
    dashboard.fit(columns: Self.size.columns, rows: Self.size.rows)
    return dashboard
  }

  private func text(_ dashboard: Dashboard) -> String {
    dashboard.draw(size: Self.size, now: MadeUpRun().now(20)).text
  }

  @Test(arguments: [Dashboard.Mode.live, .attached, .watched])
  func `the machine of a process that trains is measured`(mode: Dashboard.Mode) throws {
    var dashboard = try dashboard(mode)
    #expect(dashboard.showsMachine)
    #expect(text(dashboard).contains("the first measurement takes a second"))
    dashboard.receive(MachineUse(own: 1.9, others: 0.1, processors: 2, resident: 400_000_000, threads: 7, freeDisk: 9))
    for words in ["1.9 of 2 CPUs", "7 threads in all", "9 B free"] {
      #expect(text(dashboard).contains(words), "\(words) is not in\n\(text(dashboard))")
    }
    dashboard.lacksMachine(because: "host b trains this run")
    #expect(text(dashboard).contains("host b trains this run") && !text(dashboard).contains("CPUs"))
  }

  @Test func `a run that nobody trains has no machine`() throws {
    var dashboard = try dashboard(.attached)
    dashboard.receive(MachineUse(own: 1.9, others: 0.1, processors: 2, resident: 400_000_000, threads: 7))
    dashboard.become(.stored, saying: "the session has ended")
    #expect(!dashboard.showsMachine)
    #expect(text(dashboard).contains("no process trains this run now") && !text(dashboard).contains("CPUs"))
  }
}
