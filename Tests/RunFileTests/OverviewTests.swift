// The pyramid over the steps: what numpy makes of the rows, whatever happened to the writer, and what a screen gets of it.
import CHDF5
import Foundation
import Run
import RunFileTorture
import Testing

@testable import RunFile

extension RunFileTests {
  @Suite struct Pyramid {
    let scratch = ScratchFolder()

    /// Records steps with a number here and there that is none.
    private func write(_ folder: String, _ steps: ClosedRange<Int>, from step: Int? = nil) throws {
      let name = (folder as NSString).lastPathComponent
      let recorder =
        if let step {
          try Recorder(resuming: folder, from: step, beginning: Sample.beginning(name, step: step))
        } else {
          try Recorder(creating: folder, beginning: Sample.beginning(name))
        }
      for step in steps {
        _ = try recorder.record(.stepped(Self.report(step)))
        if step % 1999 == 0 { recorder.flush() }
      }
      try recorder.close(.stopped)
    }

    private static func report(_ step: Int) -> StepReport {
      var report = Sample.report(step)
      if step % 97 == 0 { report.gradientNorm = .infinity }
      if (640..<704).contains(step - 1) { report.losses[1].loss = .infinity }
      return report
    }

    /// Levels that numpy finds right.
    private func levels(_ folder: String) throws -> [String] {
      try Program.script("overview.py", folder + "/run.h5").split(separator: "\n").map(String.init)
    }

    @Test func `numpy makes the same of the rows`() throws {
      try write(scratch("a"), 1...9000)
      #expect(try levels(scratch("a")) == ["L1 140", "L2 2", "L3 0"])
      try write(scratch("a"), 9001...9100, from: 0)
      #expect(try levels(scratch("a")) == ["L1 142", "L2 2", "L3 0"])
      let verification = try Verification(of: scratch("a"))
      #expect(verification.isWhole, "\(verification.checks.flatMap(\.problems))")
    }

    @Test func `a history that came out differently is summed up anew`() throws {
      try write(scratch("a"), 1...500)
      let recorder = try Recorder(resuming: scratch("a"), from: 0, beginning: Sample.beginning("a"))
      for step in 1...400 {
        var report = Self.report(step)
        if step > 100 { report.total += 1 }
        _ = try recorder.record(.stepped(report))
      }
      try recorder.close(.stopped)
      #expect(try levels(scratch("a")) == ["L1 6", "L2 0", "L3 0"])
      #expect(try Verification(of: scratch("a")).isWhole)
    }

    @Test func `a wrong sum is found, and a damaged one is made again for a reader`() throws {
      try write(scratch("a"), 1...20_000)
      let before = try StoredRun(opening: scratch("a")).history()
      let store = try Store(opening: scratch("a") + "/run.h5", .alone)
      let level = try #require(try store.overview()).levels[0]
      let mean = try #require(level.datasets.first { $0.path == "/overview/L1/loss/ntp/mean" })
      try mean.write([7.0], of: h5_memory_double(), at: 3, count: 1)
      try store.file.flush()
      store.close()
      let problems = try Verification(of: scratch("a")).checks.flatMap(\.problems)
      let words = "is not the sum of the rows of"
      #expect(
        problems == [
          "row 3 of /overview/L1 \(words) /metrics below it", "row 0 of /overview/L2 \(words) /overview/L1 below it",
        ])
      // By their words, since sums of nothing are no numbers.
      #expect(try "\(StoredRun(opening: scratch("a")).history())" == "\(before)")
      // Going on with the run makes it good.
      try write(scratch("a"), 20_001...20_010, from: 0)
      #expect(try Verification(of: scratch("a")).isWhole)
    }

    @Test func `a file without it is read and gone on with`() throws {
      try write(scratch("a"), 1...300)
      let before = try StoredRun(opening: scratch("a")).history()
      _ = try Program.script("overview.py", scratch("a") + "/run.h5", "--remove")
      #expect(try StoredRun(opening: scratch("a")).history() == before)
      try write(scratch("a"), 301...400, from: 0)
      let steps = try StoredRun(opening: scratch("a")).events().filter { if case .stepped = $0 { true } else { false } }
      #expect(steps == (1...400).map { .stepped(Self.report($0)) })
      #expect(try Verification(of: scratch("a")).isWhole)
    }

    @Test func `a screen gets the newest steps singly and every older one in a sum`() throws {
      try write(scratch("a"), 1...20_000)
      let history = try StoredRun(opening: scratch("a")).history()
      var single: [StepReport] = []
      var sums: [StepsReport] = []
      for event in history {
        switch event {
        case .stepped(let report): single.append(report)
        case .summedUp(let steps):
          #expect(single.isEmpty, "sums come first")
          sums.append(steps)
        default: break
        }
      }
      #expect(sums.allSatisfy { $0.count == 64 })
      let first = sums.count * 64 + 1
      #expect(single == (first...20_000).map(Self.report))
      #expect(single.count >= StoredRun.most && single.count < StoredRun.most + 64)
      for (index, sum) in sums.enumerated() {
        let steps = (index * 64 + 1...index * 64 + 64).map(Self.report)
        #expect(sum.mean.step == steps.last?.step && sum.mean.active == steps.last?.active)
        let norms = steps.map(\.gradientNorm).filter(\.isFinite)
        #expect(sum.minimum.gradientNorm == norms.min() && sum.maximum.gradientNorm == norms.max())
        #expect(Int(sum.bad.gradientNorm) == 64 - norms.count)
        #expect(abs(sum.mean.gradientNorm - norms.reduce(0, +) / Float(norms.count)) < 1e-5)
      }
      #expect(sums[10].bad.losses[1].loss == 64 && sums[10].mean.losses[1].loss.isNaN)
    }

    @Test func `steps that came out again as they were stand behind the session that they are of`() throws {
      try writeRun(scratch("a"), steps: 100, checkpoints: [50])
      let recorder = try Recorder(resuming: scratch("a"), from: 50, beginning: Sample.beginning("a", step: 50))
      for step in 51...60 { for event in Sample.events(at: step) { _ = try recorder.record(event) } }
      try recorder.close(.stopped)
      let history = try StoredRun(opening: scratch("a")).history()
      let second = try #require(history.lastIndex { if case .began = $0 { true } else { false } })
      let after = history[second...].compactMap { if case .stepped(let report) = $0 { report.step } else { nil } }
      #expect(after == Array(51...100))
    }
  }
}
