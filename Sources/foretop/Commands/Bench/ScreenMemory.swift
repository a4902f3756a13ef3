// What a dashboard holds after very many steps: measured in this process with steps that nobody took.
import Benchmark
import Dashboard
import Run

enum ScreenMemory {
  /// Looks at the memory ten times on the way, so that a slope can be told from a beginning.
  private static let looks = 10

  /// Gives a dashboard steps, and draws now and then as a screen does.
  /// - Returns: bytes that the process has grown by after so many steps, in rising order of steps.
  static func measure(steps: Int) -> [(step: Int, bytes: Double)] {
    var dashboard = Dashboard(.live)
    var beginning = Beginning(
      name: "memory", recipe: Recipe(), step: 0, tokens: 0, time: 0, parameters: 0, threads: 1, precision: "fp32",
      corpus: "", vocabulary: 256, trainingTokens: 1, heldOutTokens: 0, unigramEntropy: 1)
    beginning.recipe.steps = steps
    dashboard.receive(NumberedEvent(1, .began(beginning)))
    var report = StepReport.empty
    report.tokensPerSecond = 1000
    report.phases.forward = 0.01
    let heads: [Head] = [.ntp, .mtp(2), .top]
    var figures: [(step: Int, bytes: Double)] = []
    let before = memory
    for step in 1...steps {
      report.step = step
      report.tokens = step * 1024
      report.active = Double(step) * 0.01
      report.time = report.active
      let loss = Float(8 - 5 * Double(step) / Double(step + 1000)) + Float(step &* 7919 % 100) / 500
      report.losses = heads.map { HeadLoss(head: $0, loss: loss, positions: 1) }
      report.total = 3 * loss
      dashboard.receive(NumberedEvent(step + 1, .stepped(report)))
      if step % 10_000 == 0 { _ = dashboard.draw(size: (120, 36), now: report.time) }
      if step % (steps / looks) == 0 { figures.append((step, memory - before)) }
    }
    return figures
  }

  /// Bytes of this process that are in memory now.
  private static var memory: Double {
    Double(SystemFile.text("/proc/self/status").flatMap { SystemFile.bytes("VmRSS", in: $0) } ?? 0)
  }
}
