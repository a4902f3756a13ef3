// The journal on a disk that refuses.
import Foundation
import Run
import RunFile
import RunFileTorture
import Testing

extension RunFileTests {
  @Suite struct JournalTests {
    let scratch = ScratchFolder()

    /// A kernel that could not write a page says so once, and forgets what was in it.
    @Test func `what the disk did not take is written to the journal once more`() throws {
      let recorder = try Recorder(creating: scratch("run"), beginning: Sample.beginning("run"))
      let path = URL(fileURLWithPath: scratch("run") + "/run.journal")
      recorder.isSyncedElsewhere = true
      let before = try Data(contentsOf: path)
      _ = try recorder.record(
        .occurred(Occurrence(.rate, step: 0, time: 1, key: "rate", old: 1e-3, new: 2e-3, actor: .key, text: "rate")))
      let pending = try #require(recorder.takeSync().pending)
      let whole = try Data(contentsOf: path)
      #expect(whole.count > before.count)
      let file = try FileHandle(forWritingTo: path)
      try file.seek(toOffset: UInt64(before.count))
      try file.write(contentsOf: Data(repeating: 0, count: whole.count - before.count))
      try file.close()

      #expect(recorder.takeBack(pending, UserError(.inputOutput, "Input/output error")).map(\.kind) == [.warning])
      let limit = DispatchTime.now() + 600
      while recorder.isStalled, .now() < limit {
        usleep(10_000)
        _ = recorder.flush()
      }
      #expect(!recorder.isStalled)
      #expect(try Data(contentsOf: path).starts(with: whole))
      try recorder.close(.stopped)
    }

    @Test func `what is on the disk is not written again`() throws {
      let recorder = try Recorder(creating: scratch("settled"), beginning: Sample.beginning("settled"))
      recorder.isSyncedElsewhere = true
      for step in 1...3 {
        _ = try recorder.record(
          .occurred(Occurrence(.pause, step: step, time: Double(step), actor: .key, text: "paused")))
        let pending = try #require(recorder.takeSync().pending)
        try pending.wait()
        recorder.settle(pending)
        // Saying it twice, or after a failure, changes nothing.
        recorder.settle(pending)
      }
      let path = URL(fileURLWithPath: scratch("settled") + "/run.journal")
      let size = try Data(contentsOf: path).count
      _ = recorder.flush()
      #expect(try Data(contentsOf: path).count == size)
      try recorder.close(.stopped)
    }
  }
}
