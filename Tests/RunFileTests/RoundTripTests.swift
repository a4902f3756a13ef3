// What goes into a run's folder comes out again.
import Foundation
import Run
import RunFile
import RunFileTorture
import Testing

extension RunFileTests {
  @Suite struct RoundTrip {
    let scratch = ScratchFolder()

    @Test func `every event comes back, in order`() throws {
      let written = try writeRun(scratch("a"), steps: 130, checkpoints: [50, 100])
      let archive = try StoredRun(opening: scratch("a"))
      let read = try archive.events()
      #expect(read.count == written.count)
      for (read, written) in zip(read, written) { #expect(read == written) }
      #expect(archive.state == .stopped)
      #expect(archive.recipe == Sample.recipe)
    }

    @Test func `every kind of occurrence and every reason to end comes back`() throws {
      for reason in [Ending.Reason.finished, .stopped, .abandoned, .diverged, .failed] {
        let folder = scratch(reason.rawValue)
        let recorder = try Recorder(creating: folder, beginning: Sample.beginning("x"))
        var written: [Event] = []
        for kind in Occurrence.Subject.allCases where kind != .done {
          for actor in Occurrence.Actor.allCases {
            let occurrence = Occurrence(
              kind, step: 3, time: 12.5, key: "k", old: actor == .key ? nil : -1.5, new: kind == .end ? nil : 1e300,
              actor: actor, text: "“é” \(kind)")
            written.append(.occurred(occurrence))
            _ = try recorder.record(.occurred(occurrence))
          }
        }
        try recorder.close(reason)
        let archive = try StoredRun(opening: folder)
        #expect(try archive.events().filter { if case .occurred = $0 { true } else { false } } == written)
        guard case .ended(let ending)? = try archive.events().last else {
          Issue.record("the ending is missing")
          continue
        }
        #expect(ending.reason == reason)
      }
    }

    @Test func `a text too long for its row is cut at a character and says so`() throws {
      let recorder = try Recorder(creating: scratch("a"), beginning: Sample.beginning("a"))
      let long = String(repeating: "é", count: 1000)
      _ = try recorder.record(.occurred(Occurrence(.notice, step: 1, time: 1, text: long)))
      try recorder.close(.stopped)
      let texts = try StoredRun(opening: scratch("a")).events().compactMap {
        if case .occurred(let occurrence) = $0 { occurrence.text } else { nil }
      }
      #expect(texts == [String(repeating: "é", count: 204) + "…"])
    }

    @Test func `numbers that are none, infinities and missing heads come back`() throws {
      var recipe = Sample.recipe
      recipe.objective.top = 0
      let recorder = try Recorder(creating: scratch("a"), beginning: Sample.beginning("a", recipe: recipe))
      var report = Sample.report(1)
      report.losses = [HeadLoss(head: .ntp, loss: .infinity, positions: 0)]
      report.gradientNorm = .nan
      report.total = -.infinity
      _ = try recorder.record(.stepped(report))
      try recorder.close(.stopped)
      guard case .stepped(let read)? = try StoredRun(opening: scratch("a")).events().dropFirst().first else {
        Issue.record("no step came back")
        return
      }
      #expect(read.losses == report.losses)
      #expect(read.gradientNorm.isNaN)
      #expect(read.total == -.infinity)
    }

    @Test func `a checkpoint comes back to the bit`() throws {
      try writeRun(scratch("a"), steps: 60, checkpoints: [50, 60])
      let archive = try StoredRun(opening: scratch("a"))
      for (step, wanted) in [(nil, 60), (50, 50)] as [(Int?, Int)] {
        let (read, warnings) = try archive.checkpoint(step: step)
        let written = Sample.checkpoint(wanted)
        #expect(warnings.isEmpty)
        #expect(read.state == written.state)
        #expect(read.recipe == written.recipe)
        #expect(read.tokenizer == written.tokenizer)
        #expect(read.tensors == written.tensors)
        #expect(read.weights == written.weights)
        #expect(read.firstMoments == written.firstMoments)
        #expect(read.secondMoments == written.secondMoments)
      }
      #expect(try archive.checkpoints().map(\.step) == [50, 60])
    }

    @Test func `equal states make equal files`() throws {
      for name in ["a", "b"] { try writeRun(scratch(name), steps: 1, checkpoints: [1]) }
      let files = ["a", "b"].map { FileManager.default.contents(atPath: scratch($0) + "/checkpoints/000000001.h5") }
      #expect(files[0] != nil)
      #expect(files[0] == files[1])
    }
  }
}
