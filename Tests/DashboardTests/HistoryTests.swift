// The history of a long run: bounded memory, nothing of the values' range lost, nothing drawn with gaps.
import Testing

@testable import Dashboard
@testable import Run
@testable import TerminalUI

struct HistoryTests {
  private let run = MadeUpRun()

  /// A history that keeps few steps, so that few are many.
  private func history(of steps: Int, keeping kept: Int = 128) -> History {
    var history = History(smoothing: 0.9, keepingSteps: kept)
    if steps > 0 { for number in 1...steps { history.append(run.step(number)) } }
    return history
  }

  @Test(arguments: [1, 127, 255, 256, 257, 5000, 40_000])
  func `old steps are summed up, and entries stay few`(steps: Int) {
    let history = history(of: steps)
    // Twice what is kept, of each kind: one step, 64, 4096 and so on.
    #expect(history.count <= 3 * 2 * 128)
    #expect(history.places.last?.step == Double(steps))
    let reports = (1...steps).map { run.step($0) }
    let losses = reports.map { $0.losses[0].loss }
    let summary = history.tracks[0].losses.raw.summary
    #expect(summary.count == steps)
    #expect(summary.minimum == losses.min() && summary.maximum == losses.max())
    let mean = losses.reduce(0) { $0 + Double($1) } / Double(steps)
    #expect(abs((summary.mean ?? .nan) - mean) < 1e-6)
    #expect(history.phases.allSatisfy { $0.count == history.count } && history.rate.count == history.count)
    // The newest ones are as they were.
    let newest = min(steps, 128)
    #expect(history.tracks[0].losses.raw.values.suffix(newest) == losses.suffix(newest)[...])
  }

  @Test func `every summed-up entry holds the steps that its places say`() {
    let steps = 20_000
    let history = history(of: steps)
    let series = history.tracks[1].losses.raw
    var first = 1
    for index in 0..<history.places.summedUp {
      let last = Int(history.places[index].step)
      #expect(last - first + 1 == history.places.size(of: index))
      let losses = (first...last).map { run.step($0).losses[1].loss }
      let summary = series.summary(of: index..<index + 1)
      #expect(summary.count == losses.count && summary.minimum == losses.min() && summary.maximum == losses.max())
      first = last + 1
    }
    #expect(first > steps / 2, "most steps are summed up")
  }

  @Test func `one high step of long ago is still on the chart`() {
    var history = History(smoothing: 0.9, keepingSteps: 64)
    for number in 1...30_000 {
      var report = run.step(number)
      if number == 1234 { report.losses[0].loss = 99 }
      history.append(report)
    }
    #expect(history.tracks[0].losses.raw.summary.maximum == 99)
    let place = history.places[.step].lowerBound(of: 1234)
    #expect(history.tracks[0].losses.raw.summary(of: place..<place + 1).maximum == 99)
  }

  @Test func `going back to a step forgets what came after it, and training goes on from there`() {
    var history = history(of: 10_000)
    history.cut(after: 9990)
    #expect(history.places.last?.step == 9990)
    history.cut(after: 3000)
    let last = history.places.last?.step ?? 0
    // An entry that stands for steps on both sides is left out.
    #expect(last <= 3000 && last > 3000 - 4096)
    for number in 3001...4000 { history.append(run.step(number)) }
    #expect(history.places.last?.step == 4000)
    #expect(history.places[.step] == history.places[.step].sorted())
    #expect(history.tracks[0].losses.smooth.count == history.count)
  }

  @Test func `the same smoothing chosen again gives the same line`() {
    var history = history(of: 3000)
    let before = history.tracks[0].losses.smooth.values.suffix(100)
    history.smooth(0.5)
    history.smooth(0.9)
    // What is summed up stands for its mean: far behind, that makes no difference.
    for (one, other) in zip(before, history.tracks[0].losses.smooth.values.suffix(100)) {
      #expect(abs(one - other) < 1e-4)
    }
  }

  @Test func `a column between two places of summed-up steps is not empty`() {
    let history = history(of: 20_000)
    let scale = Scale(from: 0, to: 20_000)
    let covered = history.places.ranges(.step, scale, 1000, covering: true)
    #expect(covered.prefix(990).allSatisfy { !$0.isEmpty })
    // Without covering some are, so that the test sees a difference.
    #expect(history.places.ranges(.step, scale, 1000).contains { $0.isEmpty })
  }

  @Test func `evaluations of a long run are summed up too`() {
    var evaluations = EvaluationHistory(keeping: 64)
    for number in 1...9000 { evaluations.append(run.evaluation(number), active: Double(number)) }
    #expect(evaluations.places.count <= 3 * 2 * 64)
    #expect(evaluations.lastStep == 9000)
    let losses = (1...9000).map { run.evaluation($0).losses[0].loss }
    let summary = evaluations[.loss(.ntp)]?.summary
    #expect(summary?.count == 9000 && summary?.minimum == losses.min() && summary?.maximum == losses.max())
    #expect(evaluations[.accuracy(.ntp)]?.last == run.evaluation(9000).losses[0].accuracy)
    #expect(evaluations[.order(0)]?.last == run.evaluation(9000).order?.ndcg8)
    evaluations.cut(after: 8999)
    #expect(evaluations.lastStep == 8999 && evaluations[.loss(.ntp)]?.last == losses[8998])
  }

  @Test func `marks stay few, in order, and those that a person made stay longest`() {
    var marks = Marks(limit: 100)
    for step in 1...5000 {
      let at = Moment(step: Double(step), tokens: Double(step), time: Double(step), active: Double(step))
      marks.append(Mark(kind: step % 1000 == 0 ? .rate : .saved, at: at))
    }
    #expect(marks.all.count <= 100)
    #expect(marks.all.count { $0.kind == .rate } == 5)
    #expect(marks.all.map(\.at.step) == marks.all.map(\.at.step).sorted())
    let newest = marks.foremost(.step, among: 50) { Int($0 / 5000 * 49) }
    #expect(newest.last?.column == 49 && newest.count <= 50)
    #expect(Set(marks.kinds) == [.rate, .saved])
    marks.cut(after: 999)
    #expect(marks.all.allSatisfy { $0.at.step <= 999 })
  }

  @Test func `many saves are no solid row of marks, and the newest has one`() {
    var marks = Marks()
    for step in 1...500 {
      marks.append(Mark(kind: .saved, at: Moment(step: Double(step), tokens: 0, time: 0, active: 0)))
    }
    let columns = marks.foremost(.step, among: 50) { Int($0 / 500 * 49) }.map(\.column)
    #expect(columns.count > 8 && columns.last == 49)
    #expect(zip(columns, columns.dropFirst()).allSatisfy { $1 - $0 >= Marks.savedDistance })
  }

  @Test func `two hundred thousand steps take the memory of the newest ones`() {
    let history = history(of: 200_000, keeping: History.keptSteps)
    #expect(history.count < 2 * History.keptSteps + 200_000 / Places.factor)
  }

  @Test func `lines of the log and samples are bounded`() {
    var dashboard = Dashboard(.live)
    dashboard.receive(run.began)
    for number in 1...20_000 {
      dashboard.receive(run.occurred(.notice, number, "line \(number)"))
      dashboard.receive(.ordered(run.order(number)))
    }
    #expect(dashboard.log.count <= 4096 && dashboard.samples.count <= 512)
    #expect(dashboard.log.last?.text == "line 20000" && dashboard.samples.last?.step == 20_000)
  }
}
