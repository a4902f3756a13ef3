// The weights of the losses, a column each; and runs of foretops that had none.
import Foundation
import Run
import RunFile
import RunFileTorture
import Testing

extension RunFileTests {
  @Suite struct WeightTests {
    let scratch = ScratchFolder()

    /// A step whose weights are none of the recipe's.
    private func report(_ step: Int) -> StepReport {
      var report = Sample.report(step)
      report.losses[0].weight = Float(step) / 8
      report.losses[1].weight = 0.25
      return report
    }

    @Test func `every step has the weights of its losses, for h5py too`() throws {
      let recorder = try Recorder(creating: scratch("a"), beginning: Sample.beginning("a"))
      for step in 1...200 { _ = try recorder.record(.stepped(report(step))) }
      try recorder.close(.stopped)
      #expect(try steps(scratch("a")) == (1...200).map(report))
      let words = try Program.script("weights.py", scratch("a") + "/run.h5").split(separator: "\n")
        .map { $0.split(separator: " ").map(String.init) }
      try #require(words.map(\.count) == [203, 203])
      #expect(words[0].prefix(3) == ["ntp", "float32", "1"] && words[1].prefix(3) == ["top", "float32", "1"])
      let weights = (1...200).map { Double($0) / 8 }
      #expect(words[0].dropFirst(3).compactMap { Double($0) } == weights)
      #expect(words[1].dropFirst(3).allSatisfy { $0 == "0.25" })
      // Sums have them too.
      let sums = try StoredRun(opening: scratch("a")).history()
      #expect(!sums.isEmpty)
      #expect(try Verification(of: scratch("a")).isWhole)
    }

    /// A run without steps, as an older foretop made it.
    private func older(_ name: String) throws -> String {
      let folder = scratch(name)
      let recorder = try Recorder(creating: folder, beginning: Sample.beginning(name))
      try recorder.close(.stopped)
      for group in ["/metrics", "/overview/L1", "/overview/L2", "/overview/L3"] {
        _ = try Program.script("without.py", folder + "/run.h5", group, "weight")
      }
      #expect(try Program.script("weights.py", folder + "/run.h5") == "none\n")
      return folder
    }

    @Test func `a run that began without them goes on without them, whatever becomes of its files`() throws {
      let folder = try older("a")
      let recorder = try Recorder(resuming: folder, from: 0, beginning: Sample.beginning("a"))
      let change = Occurrence(.weight, step: 100, time: 1, key: "top", old: 1, new: 0.5, actor: .key, text: "weight")
      var wanted: [StepReport] = []
      for step in 1...200 {
        var report = Sample.report(step)
        if step > 100 { report.losses[1].weight = 0.5 }
        wanted.append(report)
        _ = try recorder.record(.stepped(report))
        if step == 100 { _ = try recorder.record(.occurred(change)) }
      }
      recorder.flush()
      for copy in ["killed", "lost", "without-copy"] {
        try FileManager.default.copyItem(atPath: folder, toPath: scratch(copy))
      }
      try recorder.close(.finished)
      #expect(try RunFileTests.steps(folder) == wanted)
      #expect(try StoredRun(opening: folder).snapshot(to: scratch("plain.h5"), isReplacing: false) == 200)
      #expect(try Program.script("weights.py", scratch("plain.h5")) == "none\n")
      // Made again from the copy and the journal, and from the journal alone.
      try FileManager.default.removeItem(atPath: scratch("lost") + "/run.h5")
      for name in ["run.h5", "run.h5.before"] {
        try FileManager.default.removeItem(atPath: scratch("without-copy") + "/" + name)
      }
      for copy in ["killed", "lost", "without-copy"] {
        #expect(try steps(scratch(copy)) == wanted, "\(copy)")
        try Recorder.recover(scratch(copy))
        #expect(try steps(scratch(copy)) == wanted, "\(copy)")
        #expect(try Verification(of: scratch(copy)).isWhole)
        #expect(try Program.script("weights.py", scratch(copy) + "/run.h5") == "none\n")
      }
    }

    /// A session that was killed before its first step has asked for a weight all the same.
    @Test(arguments: [0.7, 0.5]) func `a weight that a resume gave is not undone by older changes`(first: Double) throws
    {
      func change(_ step: Int, to weight: Double, by actor: Occurrence.Actor) -> Event {
        .occurred(
          Occurrence(.weight, step: step, time: 1, key: "top", old: 1, new: weight, actor: actor, text: "weight"))
      }
      let folder = scratch("a")
      var recorder = try Recorder(creating: folder, beginning: Sample.beginning("a"))
      for step in 1...20 {
        for event in Sample.events(at: step) { _ = try recorder.record(event) }
        guard step == 10 || step == 15 else { continue }
        if step == 10 { _ = try recorder.save(Sample.checkpoint(10), isBest: false) }
        // The one at 10 may be just what the command line asks for later.
        _ = try recorder.record(change(step, to: step == 10 ? first : 0.2, by: .key))
      }
      try recorder.close()
      // The sample changes the rate too.
      func weights() throws -> [ReplayedCommand] {
        try StoredRun(opening: folder).edits(after: 10).filter { if case .weight = $0.command { true } else { false } }
      }
      #expect(try weights().count == 2)
      recorder = try Recorder(resuming: folder, from: 10, beginning: Sample.beginning("a", step: 10))
      _ = try recorder.record(change(10, to: 0.7, by: .commandLine))
      try recorder.close()
      let head = try #require(Head.all.first { $0.name == "top" })
      #expect(try weights() == [ReplayedCommand(step: 10, .weight(WeightChange(head, to: 0.7)))])
    }
  }
}
