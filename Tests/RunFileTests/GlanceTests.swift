// What the list of runs says of one that was killed, without putting its file together.
import Foundation
import Run
import RunFileTorture
import Testing

@testable import RunFile

extension RunFileTests {
  @Suite struct GlanceTests {
    let scratch = ScratchFolder()

    @Test func `a listed run is as fast as its screen says`() throws {
      let recorder = try Recorder(creating: scratch("fast"), beginning: Sample.beginning("fast"))
      for step in 1...3000 {
        var report = Sample.report(step)
        // Steps get ten times as fast: the last 64 take half a second.
        report.active = step <= 1000 ? Double(step) * 0.08 : 80 + Double(step - 1000) * 0.008
        _ = try recorder.record(.stepped(report))
      }
      try recorder.close(.stopped)
      let summary = try StoredRun.glance(at: scratch("fast"))
      let speed = try #require(summary.tokensPerSecond)
      #expect(abs(speed - 4096 / 0.008) < 100)
    }

    @Test func `a run that was killed is listed as it is when it is put together`() throws {
      let recorder = try Recorder(creating: scratch("a"), beginning: Sample.beginning("a"))
      for step in 1...5000 {
        for event in Sample.events(at: step) { _ = try recorder.record(event) }
        if step == 4970 { recorder.flush() }
      }
      try FileManager.default.copyItem(atPath: scratch("a"), toPath: scratch("killed"))
      try recorder.close(.stopped)
      var whole = try StoredRun.glance(at: scratch("killed"))
      let glanced = try StoredRun.glance(at: scratch("killed"), wholeUpTo: 0)
      #expect(glanced.step == 5000 && glanced.last == whole.last && glanced.state == .interrupted)
      #expect(glanced.best == whole.best && glanced.heldOut == whole.heldOut && glanced.tokens == whole.tokens)
      // An entry that was cut short is none.
      let journal = scratch("killed") + "/run.journal"
      let size = try #require(FileManager.default.attributesOfItem(atPath: journal)[.size] as? Int)
      #expect(truncate(journal, off_t(size - 3)) == 0)
      whole = try StoredRun.glance(at: scratch("killed"))
      #expect(try StoredRun.glance(at: scratch("killed"), wholeUpTo: 0).step == whole.step)
      // One that was closed, and one that nothing can be read of.
      #expect(try StoredRun.glance(at: scratch("a"), wholeUpTo: 0).state == .stopped)
      #expect(throws: UserError.self) { try StoredRun.glance(at: scratch("none")) }
    }
  }
}
