// Small questions about a run are answered without its whole history, and the answers are the same.
import Foundation
import Run
import RunFile
import RunFileTorture
import Testing

extension RunFileTests {
  @Suite struct Selections {
    let scratch = ScratchFolder()

    @Test func `what is read of a run alone is what its whole history has`() throws {
      try writeRun(scratch("a"), steps: 500, checkpoints: [100])
      let archive = try StoredRun(opening: scratch("a"))
      let events = try archive.events()
      let reports = events.compactMap { if case .stepped(let report) = $0 { report } else { nil } }
      let happenings = try archive.happenings().map { event in
        guard case .occurred(var occurrence) = event else { return event }
        let step = occurrence.step
        #expect(occurrence.tokens == (step == 0 ? 0 : reports.first { $0.step == step }?.tokens))
        occurrence.tokens = nil
        return .occurred(occurrence)
      }
      #expect(happenings == events.filter { if case .stepped = $0 { false } else { true } })
      #expect(
        try archive.evaluations()
          == events.compactMap { if case .evaluated(let evaluation) = $0 { evaluation } else { nil } })
      for most in [2, 24, 499, 500, 501] {
        let (shown, count) = try archive.steps(spread: most)
        let places = most >= 500 ? Array(0..<500) : (0..<most).map { $0 * 499 / (most - 1) }
        #expect(count == 500 && shown == places.map { reports[$0] }, "\(most)")
      }
    }

    @Test func `the steps that two runs both took are compared in order, wherever each begins`() throws {
      func write(_ name: String, _ steps: [Int], losing lost: Int? = nil) throws -> StoredRun {
        let recorder = try Recorder(creating: scratch(name), beginning: Sample.beginning(name))
        for step in steps {
          var report = Sample.report(step)
          if step == lost { report.losses[0].loss += 1 }
          _ = try recorder.record(.stepped(report))
        }
        try recorder.close(.stopped)
        return try StoredRun(opening: scratch(name))
      }
      let a = try write("a", Array(1...40_000))
      let b = try write("b", Array(stride(from: 3, through: 50_000, by: 3)), losing: 30_000)
      var seen: [Int] = []
      var differing: [Int] = []
      try a.forEachCommonStep(with: b) { step, left, right in
        seen.append(step)
        if left != right { differing.append(step) }
        if step % 9999 == 0 {
          #expect(
            left
              == Sample.report(step).losses.map { HeadLoss(head: $0.head, loss: $0.loss, kl: $0.kl, positions: 0) })
        }
      }
      #expect(seen == Array(stride(from: 3, through: 39_999, by: 3)))
      #expect(differing == [30_000])
      let some = try b.losses(at: [3, 4, 30_000, 60_000])
      #expect(some.map(\.isEmpty) == [false, true, false, true])
      #expect(some[2][0].loss == Sample.report(30_000).losses[0].loss + 1)
    }
  }
}
