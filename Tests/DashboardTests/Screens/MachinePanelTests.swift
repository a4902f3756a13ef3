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

  private var use: MachineUse { MachineUse(own: 1.9, others: 0.1, processors: 2, resident: 400_000_000, threads: 7) }

  /// The line of a run that has measured the machine's limit in tokens per second.
  private func measured(_ limit: Double) -> Event {
    .occurred(Occurrence(.notice, step: 20, time: MadeUpRun().now(20), key: "limit", new: limit, text: "limit"))
  }

  @Test(arguments: [Dashboard.Mode.live, .attached, .watched])
  func `the speed is a share of the machine's limit`(mode: Dashboard.Mode) throws {
    var dashboard = try dashboard(mode)
    dashboard.receive(use)
    #expect(!text(dashboard).contains("% of the limit"))
    let speed = try #require(dashboard.history.speed?.tokensPerSecond)
    dashboard.receive(measured(speed / 0.62))
    #expect(text(dashboard).contains("62 % of the limit"), "\(text(dashboard))")
    // What was measured last counts, and only in its session.
    dashboard.receive(measured(speed / 0.5))
    #expect(text(dashboard).contains("50 % of the limit"))
    dashboard.receive(MadeUpRun().began)
    #expect(!text(dashboard).contains("% of the limit"))
  }

  @Test func `a run measures the limit when its panel is shown, and an attached screen says how`() throws {
    var live = try dashboard(.live)
    // Before the machine is measured, nobody has looked.
    #expect(!live.lacksLimit)
    live.receive(use)
    #expect(live.lacksLimit && !text(live).contains(":limit"))
    live.receive(measured(10_000))
    #expect(!live.lacksLimit)
    var attached = try dashboard(.attached)
    attached.receive(use)
    #expect(!attached.lacksLimit && text(attached).contains(":limit measures the limit"))
    attached.receive(measured(10_000))
    #expect(!text(attached).contains(":limit measures"))
    // Another layout has no such panel.
    var other = Dashboard(.live, layouts: try shippedLayouts())
    for event in MadeUpRun().events(to: 20) { other.receive(event) }
    other.fit(columns: 120, rows: 36)
    other.receive(use)
    #expect(!other.lacksLimit)
  }

  @Test func `what makes training slower is named by how much it explains`() throws {
    var dashboard = try dashboard(.live)
    var use = self.use
    (use.own, use.others, use.busiest) = (0.7, 1.25, MachineUse.Other(name: "cc1plus", load: 1.1))
    dashboard.receive(use)
    #expect(text(dashboard).contains("another process, cc1plus, takes 110 % of a CPU"), "\(text(dashboard))")
    use.busiest = MachineUse.Other(name: "python", load: 0.06)
    dashboard.receive(use)
    #expect(text(dashboard).contains("other processes take 125 % of a CPU, python"), "\(text(dashboard))")
    use.busiest = nil
    dashboard.receive(use)
    #expect(!text(dashboard).contains("training is slower"))
  }

  @Test func `help says what the limit is`() throws {
    var dashboard = try dashboard(.live)
    _ = dashboard.press(.character("?"))
    let help = dashboard.draw(size: (220, 60), now: MadeUpRun().now(20)).text
    #expect(help.contains("limit") && help.contains("matrix products alone"), "\(help)")
  }

  @Test func `a run that nobody trains has no machine`() throws {
    var dashboard = try dashboard(.attached)
    dashboard.receive(MachineUse(own: 1.9, others: 0.1, processors: 2, resident: 400_000_000, threads: 7))
    dashboard.become(.stored, saying: "the session has ended")
    #expect(!dashboard.showsMachine)
    #expect(text(dashboard).contains("no process trains this run now") && !text(dashboard).contains("CPUs"))
  }
}
