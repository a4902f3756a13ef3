// A journal that begins anew within a session: nothing is missing whatever becomes of run.h5, before, while and after.
import Foundation
import Run
import RunFileTorture
import Support
import Testing

@testable import RunFile

extension RunFileTests {
  @Suite struct Rotated {
    let scratch = ScratchFolder()

    /// All that happens at a step, with texts so long that some hundred steps fill a journal.
    private func events(at step: Int) -> [Event] {
      Sample.events(at: step).map { event in
        guard case .wrote(var sample) = event else { return event }
        sample.text += String(repeating: "a", count: 50_000)
        return .wrote(sample)
      }
    }

    /// Records steps until the journal has begun anew; returns the last.
    private func rotate(_ recorder: Recorder, from first: Int) throws -> Int {
      let journal = RunFolder(recorder.folder).journal
      let limit = Limit()
      var step = first
      var size = 0
      while true {
        for event in events(at: step) { #expect(try recorder.record(event).isEmpty) }
        if step % 20 == 0 {
          let wasRotating = recorder.isRotating
          recorder.flush()
          let now = try FileDescriptor(opening: journal, O_RDONLY).size()
          if now < size { return step }
          size = now
          // Twenty steps or more have come meanwhile. The copy is made beside this, and may have to wait for its turn.
          while wasRotating, recorder.isRotating {
            try limit.check("run.h5 is copied")
            usleep(1000)
          }
          try limit.check("the journal begins anew")
        }
        step += 1
      }
    }

    @Test func `a journal that begins anew is short, and nothing is missing`() throws {
      let recorder = try Recorder(creating: scratch("a"), beginning: Sample.beginning("a"))
      recorder.leastRotation = 100_000
      let first = try rotate(recorder, from: 1)
      let last = try rotate(recorder, from: first + 1)
      for step in last + 1...last + 50 { for event in Sample.events(at: step) { _ = try recorder.record(event) } }
      recorder.flush()
      // Killed now, with run.h5 lost: what the copy and the new journal have is all of it.
      let copy = scratch("b")
      try FileManager.default.copyItem(atPath: scratch("a"), toPath: copy)
      try Data().write(to: URL(fileURLWithPath: copy + "/run.h5"))
      #expect(try RunFileTests.steps(copy).map(\.step) == Array(1...last + 50))
      let archive = try StoredRun(opening: copy)
      let evaluations = try archive.events().compactMap { event in
        if case .evaluated(let evaluation) = event { evaluation.step } else { nil }
      }
      #expect(evaluations == Array(stride(from: 20, through: last + 50, by: 20)))
      try recorder.close(.stopped)
      #expect(try RunFileTests.steps(scratch("a")).map(\.step) == Array(1...last + 50))
      #expect(try Verification(of: scratch("a")).isWhole)
      let names = try FileManager.default.contentsOfDirectory(atPath: scratch("a")).sorted()
      #expect(names == ["checkpoints", "run.h5", "run.lock"])
    }

    @Test func `what a crash leaves in the middle of it is whole too`() throws {
      let recorder = try Recorder(creating: scratch("a"), beginning: Sample.beginning("a"))
      for step in 1...3000 { for event in Sample.events(at: step) { _ = try recorder.record(event) } }
      recorder.flush()
      // The copy has its name, the old journal still has its own.
      try Recovery.keepCopy(scratch("a"))
      for step in 3001...3100 { for event in Sample.events(at: step) { _ = try recorder.record(event) } }
      recorder.flush()
      for (name, loses) in [("b", ["run.h5"]), ("c", ["run.h5.before"]), ("d", [])] {
        let copy = scratch(name)
        try FileManager.default.copyItem(atPath: scratch("a"), toPath: copy)
        for file in loses { try Data().write(to: URL(fileURLWithPath: copy + "/" + file)) }
        #expect(try RunFileTests.steps(copy).map(\.step) == Array(1...3100), "without \(loses)")
      }
      try recorder.close(.stopped)
    }

    @Test func `the copy of another run is none of this one's`() throws {
      var other = Sample.beginning("other")
      other.time += 1
      let stranger = try Recorder(creating: scratch("other"), beginning: other)
      try stranger.close(.stopped)
      let recorder = try Recorder(creating: scratch("a"), beginning: Sample.beginning("a"))
      for step in 1...100 { for event in Sample.events(at: step) { _ = try recorder.record(event) } }
      recorder.flush()
      for name in ["whole", "lost"] {
        let copy = scratch(name)
        try FileManager.default.copyItem(atPath: scratch("a"), toPath: copy)
        let before = RunFolder(copy).before
        if FileManager.default.fileExists(atPath: before) { try FileManager.default.removeItem(atPath: before) }
        try FileManager.default.copyItem(atPath: scratch("other") + "/run.h5", toPath: before)
        if name == "lost" { try FileManager.default.removeItem(atPath: copy + "/run.h5") }
        for said in [
          sentence { _ = try StoredRun(opening: copy) }, sentence { try Recorder.recover(copy) },
          sentence { _ = try Recorder(resuming: copy, from: 0, beginning: Sample.beginning("a")) },
        ] { #expect(said.contains("run.h5.before belongs to another run"), "\(said)") }
        // Its own, or none, and all is there.
        try FileManager.default.removeItem(atPath: before)
        #expect(try RunFileTests.steps(copy).map(\.step) == Array(1...100))
      }
      try recorder.close(.stopped)
    }

    @Test func `a run that is closed while run.h5 is copied is whole`() throws {
      let recorder = try Recorder(creating: scratch("a"), beginning: Sample.beginning("a"))
      // The copy of so much takes a while.
      recorder.leastRotation = 1_000_000
      let copy = RunFolder(scratch("a")).before + ".new"
      let limit = Limit()
      var step = 0
      var isCopied = false
      while !isCopied {
        try limit.check("run.h5 is copied")
        step += 1
        for event in events(at: step) { _ = try recorder.record(event) }
        if step % 100 == 0 { recorder.flush() }
        while recorder.isRotating && !isCopied { isCopied = FileManager.default.fileExists(atPath: copy) }
      }
      try recorder.close(.stopped)
      #expect(try RunFileTests.steps(scratch("a")).map(\.step) == Array(1...step))
      #expect(try Verification(of: scratch("a")).isWhole)
    }
  }
}
