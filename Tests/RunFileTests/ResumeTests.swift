// A run goes on: what was stored stays, what is computed again is compared, and a difference is said.
import Foundation
import Run
import RunFile
import RunFileTorture
import Support
import Testing

extension RunFileTests {
  @Suite struct Resume {
    let scratch = ScratchFolder()

    /// A run of 130 steps with a checkpoint of step 100.
    private func stored() throws -> String {
      try writeRun(scratch("a"), steps: 130, checkpoints: [100])
      return scratch("a")
    }

    @Test func `equal steps are not stored twice`() throws {
      let folder = try stored()
      let before = try StoredRun(opening: folder).events()
      let recorder = try Recorder(resuming: folder, from: 100, beginning: Sample.beginning("a", step: 100))
      var notices: [Occurrence] = []
      for step in 101...150 {
        for event in Sample.events(at: step) { notices += try recorder.record(event) }
        if step == 120 { _ = try recorder.save(Sample.checkpoint(120), isBest: false) }
      }
      try recorder.close(.finished)
      #expect(notices == [])
      let after = try StoredRun(opening: folder).events()
      #expect(Array(after.prefix(before.count)) == before)
      let new = after.dropFirst(before.count)
      #expect(new.first == .began(Sample.beginning("a", step: 100)))
      let wanted = (131...150).flatMap { Sample.events(at: $0) }
      #expect(
        new.filter {
          switch $0 {
          case .began, .ended: false
          case .occurred(let occurrence): occurrence.kind != .saved
          default: true
          }
        } == wanted)
      #expect(try RunFileTests.steps(folder) == (1...150).map(Sample.report))
    }

    @Test func `a checkpoint that is written again stands before what is stored of the steps after it`() throws {
      let folder = scratch("a")
      let twin = try writeRun(scratch("twin"), steps: 60)
      /// Goes on from a checkpoint, and is killed after some steps.
      func session(from step: Int, to last: Int, saving saved: Int, into killed: String) throws {
        let place = scratch(killed)
        let begin = Sample.beginning("a", step: step)
        let recorder =
          step == 0
          ? try Recorder(creating: folder, beginning: begin)
          : try Recorder(resuming: scratch("killed-\(step)"), from: step, beginning: begin)
        for now in step + 1...last {
          for event in Sample.events(at: now) { _ = try recorder.record(event) }
          if now == saved { _ = try recorder.save(Sample.checkpoint(now), isBest: false) }
        }
        recorder.flush()
        try FileManager.default.copyItem(
          atPath: step == 0 ? folder : scratch("killed-\(step)"), toPath: place)
        try recorder.close(.stopped)
      }
      try session(from: 0, to: 50, saving: 10, into: "killed-10")
      // The steps up to 50 are stored; this one does not come to them again.
      try session(from: 10, to: 17, saving: 16, into: "killed-16")
      #expect(try StoredRun(opening: scratch("killed-16")).edits(after: 16).map(\.step) == [30, 45])
      try session(from: 16, to: 60, saving: 60, into: "end")
      func happened(_ events: [Event]) -> [Event] {
        events.filter { event in
          switch event {
          case .began, .ended: false
          case .occurred(let occurrence): occurrence.kind != .saved
          default: true
          }
        }
      }
      #expect(try happened(StoredRun(opening: scratch("end")).events()) == happened(twin))
    }

    @Test func `a checkpoint whose copy comes steps later stands where its state was`() throws {
      let folder = scratch("a")
      let recorder = try Recorder(creating: folder, beginning: Sample.beginning("a"))
      func record(_ steps: ClosedRange<Int>) throws {
        for step in steps { for event in Sample.events(at: step) { _ = try recorder.record(event) } }
      }
      try record(1...10)
      let mark = try recorder.mark(step: 10).mark
      try record(11...50)
      _ = try recorder.pending(Sample.checkpoint(10), at: mark, isBest: false).write()
      try recorder.close(.stopped)
      let run = try StoredRun(opening: folder)
      #expect(try run.checkpoint(step: 10).warnings == [])
      #expect(try run.edits(after: 10).map(\.step) == [15, 30, 45])
    }

    @Test func `a run that began without accuracies and rank quality goes on without them`() throws {
      let folder = scratch("a")
      try writeRun(folder, steps: 15, checkpoints: [10])
      // As an older foretop made it. No evaluation is stored yet, so that no checksum is wrong.
      _ = try Program.script("without.py", folder + "/run.h5", "/heldout", "accuracy", "order")
      let recorder = try Recorder(resuming: folder, from: 10, beginning: Sample.beginning("a", step: 10))
      for step in 11...45 { for event in Sample.events(at: step) { _ = try recorder.record(event) } }
      try recorder.close(.finished)
      let evaluations = try StoredRun(opening: folder).events().compactMap { event -> Evaluation? in
        if case .evaluated(let evaluation) = event { evaluation } else { nil }
      }
      let wanted = [20, 40].map { step in
        var evaluation = Sample.evaluation(step)
        evaluation.losses[0].accuracy = nil
        evaluation.order = nil
        return evaluation
      }
      #expect(evaluations == wanted)
      #expect(Event.evaluated(evaluations[1]).json.contains("accuracy") == false)
      #expect(try Verification(of: folder).isWhole)
    }

    @Test func `times may differ in a replay`() throws {
      let folder = try stored()
      let recorder = try Recorder(resuming: folder, from: 100, beginning: Sample.beginning("a", step: 100))
      for step in 101...140 {
        var report = Sample.report(step)
        if step <= 130 {
          report.time += 1000
          report.active += 5
          report.phases.forward = 9
          report.tokensPerSecond = 3
        }
        #expect(try recorder.record(.stepped(report)) == [])
      }
      try recorder.close(.stopped)
      #expect(try RunFileTests.steps(folder) == (1...140).map(Sample.report))
    }

    @Test func `a difference is said once, and what follows is replaced`() throws {
      let folder = try stored()
      let recorder = try Recorder(resuming: folder, from: 100, beginning: Sample.beginning("a", step: 100))
      func other(_ step: Int) -> StepReport {
        var report = Sample.report(step)
        if step >= 115 { report.losses[0].loss = report.losses[0].loss.nextUp }
        return report
      }
      var notices: [Occurrence] = []
      for step in 101...140 { notices += try recorder.record(.stepped(other(step))) }
      #expect(notices.map(\.kind) == [.warning])
      #expect(notices.first?.text.contains("step 115 came out differently than before: loss/ntp is ") == true)
      _ = try recorder.save(Sample.checkpoint(140), isBest: false)
      try recorder.close(.stopped)
      #expect(try RunFileTests.steps(folder) == (1...140).map(other))
      let events = try StoredRun(opening: folder).events()
      let evaluations = events.compactMap { if case .evaluated(let evaluation) = $0 { evaluation.step } else { nil } }
      #expect(evaluations == [20, 40, 60, 80, 100])
      #expect(events.contains { if case .occurred(let said) = $0 { said == notices.first } else { false } })
      // A third session, from the second one's checkpoint, sees one history.
      let third = try Recorder(resuming: folder, from: 140, beginning: Sample.beginning("a", step: 140))
      #expect(try third.record(.stepped(other(141))) == [])
      try third.close(.stopped)
      #expect(try RunFileTests.steps(folder) == (1...141).map(other))
    }

    @Test func `an evaluation that differs is said, and what follows is replaced`() throws {
      let folder = try stored()
      let recorder = try Recorder(resuming: folder, from: 100, beginning: Sample.beginning("a", step: 100))
      for step in 101...120 { #expect(try recorder.record(.stepped(Sample.report(step))) == []) }
      var evaluation = Sample.evaluation(120)
      evaluation.losses[1].loss += 1
      let notices = try recorder.record(.evaluated(evaluation))
      #expect(notices.count == 1 && notices[0].text.contains("loss/top"))
      try recorder.close(.stopped)
      #expect(try RunFileTests.steps(folder) == (1...120).map(Sample.report))
      let evaluations = try StoredRun(opening: folder).events().compactMap {
        if case .evaluated(let evaluation) = $0 { evaluation } else { nil }
      }
      #expect(evaluations.map(\.step) == [20, 40, 60, 80, 100, 120])
      #expect(evaluations.last?.losses == evaluation.losses)
    }

    @Test func `checkpoints of a replaced history are not taken again`() throws {
      let folder = scratch("a")
      try writeRun(folder, steps: 130, checkpoints: [100, 120])
      let recorder = try Recorder(resuming: folder, from: 100, beginning: Sample.beginning("a", step: 100))
      var report = Sample.report(101)
      report.total += 1
      _ = try recorder.record(.stepped(report))
      #expect(try StoredRun(opening: folder).checkpoints().map(\.step) == [100])
      _ = try recorder.save(Sample.checkpoint(102), isBest: false)
      try recorder.close(.stopped)
      let files = try FileManager.default.contentsOfDirectory(atPath: folder + "/checkpoints").sorted()
      #expect(files == ["000000100.h5", "000000102.h5"])
    }

    @Test func `changes of the rate after a checkpoint are given back`() throws {
      let folder = scratch("a")
      let recorder = try Recorder(creating: folder, beginning: Sample.beginning("a"))
      func change(_ step: Int, _ new: Double) throws {
        _ = try recorder.record(
          .occurred(Occurrence(.rate, step: step, time: 1, key: "rate", old: 1, new: new, actor: .key, text: "rate")))
      }
      try change(5, 0.5)
      try change(10, 0.4)
      _ = try recorder.save(Sample.checkpoint(10), isBest: false)
      try change(10, 0.3)
      try change(12, 0.2)
      try recorder.close(.stopped)
      let archive = try StoredRun(opening: folder)
      #expect(
        try archive.edits(after: 10) == [
          ReplayedCommand(step: 10, .rate(.to(0.3))), ReplayedCommand(step: 12, .rate(.to(0.2))),
        ])
      #expect(try archive.edits(after: 0).map(\.command) == [0.5, 0.4, 0.3, 0.2].map { .rate(.to($0)) })
      // Applied again, they are stored once; those of a replaced history are gone.
      let again = try Recorder(resuming: folder, from: 10, beginning: Sample.beginning("a", step: 10))
      _ = try again.record(
        .occurred(Occurrence(.rate, step: 10, time: 9, key: "rate", old: 1, new: 0.3, actor: .program, text: "again")))
      try again.close(.stopped)
      #expect(try StoredRun(opening: folder).edits(after: 10).map(\.command) == [0.3, 0.2].map { .rate(.to($0)) })
    }

    @Test func `changes of the rate in a replaced history are not given back`() throws {
      let folder = scratch("a")
      let recorder = try Recorder(creating: folder, beginning: Sample.beginning("a"))
      _ = try recorder.save(Sample.checkpoint(1), isBest: false)
      for step in 2...20 {
        _ = try recorder.record(.stepped(Sample.report(step)))
        guard step == 5 || step == 15 else { continue }
        _ = try recorder.record(.occurred(Sample.occurrence(step)))
      }
      try recorder.close(.stopped)
      let second = try Recorder(resuming: folder, from: 1, beginning: Sample.beginning("a", step: 1))
      var report = Sample.report(2)
      for step in 2...10 {
        report = Sample.report(step)
        if step == 10 { report.rate *= 2 }
        _ = try second.record(.stepped(report))
      }
      try second.close(.stopped)
      #expect(try StoredRun(opening: folder).edits(after: 1).map(\.step) == [5])
    }

    @Test func `changes after a difference are given back, even where its warning is recorded later`() throws {
      let folder = scratch("a")
      func change(_ step: Int) -> Event {
        .occurred(Occurrence(.rate, step: step, time: 1, key: "rate", old: 1, new: 0.5, actor: .tell, text: "rate"))
      }
      let recorder = try Recorder(creating: folder, beginning: Sample.beginning("a"))
      _ = try recorder.save(Sample.checkpoint(1), isBest: false)
      for step in 2...20 {
        _ = try recorder.record(.stepped(Sample.report(step)))
        if step == 5 || step == 15 { _ = try recorder.record(change(step)) }
      }
      try recorder.close(.stopped)
      // As in a session: what the recorder has to say is recorded when it comes back as an event.
      let second = try Recorder(resuming: folder, from: 1, beginning: Sample.beginning("a", step: 1))
      second.noticesComeBack = true
      var said: [Occurrence] = []
      for step in 2...14 {
        var report = Sample.report(step)
        if step >= 10 { report.rate *= 2 }
        said += try second.record(.stepped(report))
        if step == 5 || step == 12 { _ = try second.record(change(step)) }
      }
      #expect(said.map(\.key) == ["replay"] && said.first?.new == 10)
      for notice in said { _ = try second.record(.occurred(notice)) }
      try second.close(.stopped)
      #expect(try StoredRun(opening: folder).edits(after: 1).map(\.step) == [5, 12])
    }

    @Test func `a changed recipe is what the run then has, and other heads are refused`() throws {
      let folder = try stored()
      var recipe = Sample.recipe
      recipe.steps = 777
      let recorder = try Recorder(
        resuming: folder, from: 100, beginning: Sample.beginning("a", step: 100, recipe: recipe))
      try recorder.close(.stopped)
      #expect(try StoredRun(opening: folder).recipe == recipe)
      recipe.objective.top = 0
      let beginning = Sample.beginning("a", step: 100, recipe: recipe)
      let said = sentence { _ = try Recorder(resuming: folder, from: 100, beginning: beginning) }
      #expect(said.contains("this run trains the heads ntp, top, and the recipe now asks for ntp"))
    }

    @Test func `a second writer is refused, and told who has the run`() throws {
      let holder = Process()
      holder.executableURL = URL(fileURLWithPath: try Program.torture())
      holder.arguments = ["hold", scratch("a")]
      let input = Pipe()
      let output = Pipe()
      holder.standardInput = input
      holder.standardOutput = output
      try holder.run()
      _ = output.fileHandleForReading.availableData
      let said = sentence {
        _ = try Recorder(resuming: scratch("a"), from: 0, beginning: Sample.beginning("a"))
      }
      #expect(said.contains("is being written by process \(holder.processIdentifier) on host "))
      #expect(try StoredRun(opening: scratch("a")).state == .training)
      #expect(try StoredRun.runs(in: scratch.path).map(\.state) == [.training])
      try input.fileHandleForWriting.close()
      holder.waitUntilExit()
      #expect(try StoredRun(opening: scratch("a")).state == .stopped)
      let recorder = try Recorder(resuming: scratch("a"), from: 0, beginning: Sample.beginning("a"))
      try recorder.close(.stopped)
    }

    @Test func `nothing that exists is written over`() throws {
      let folder = try stored()
      let said = sentence { _ = try Recorder(creating: folder, beginning: Sample.beginning("a")) }
      #expect(said.contains("exists already") && said.contains("foretop resume a"))
      #expect(try RunFileTests.steps(folder).count == 130)
    }
  }
}
