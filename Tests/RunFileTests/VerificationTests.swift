// What is examined of a run, what is copied of it, and what it says of damage.
import Foundation
import Run
import RunFile
import RunFileTorture
import Support
import Testing

extension RunFileTests {
  @Suite struct Verifications {
    let scratch = ScratchFolder()

    private func problems(_ folder: String) throws -> [String] {
      try Verification(of: folder).checks.flatMap { check in check.problems.map { "\(check.name): \($0)" } }
    }

    private func damage(_ path: String, _ change: (inout Data) throws -> Void) throws {
      let url = URL(fileURLWithPath: path)
      var data = try Data(contentsOf: url)
      try change(&data)
      try data.write(to: url)
    }

    @Test func `a run that ended well is whole, and every part of it was looked at`() throws {
      try writeRun(scratch("a"), steps: 60, checkpoints: [20, 40])
      let verification = try Verification(of: scratch("a"))
      #expect(verification.isWhole, "\(verification.checks.flatMap(\.problems))")
      #expect(verification.checks.flatMap(\.notes).isEmpty)
      let names = verification.checks.map(\.name)
      for name in [
        "run.h5", "run.h5 /metrics", "run.h5 /heldout", "run.h5 /samples/text", "run.h5 /samples/order",
        "run.h5 /beginnings", "run.h5 /events", "run.h5 /sessions", "run.h5 history", "run.journal",
        "checkpoints/000000020.h5", "checkpoints/000000040.h5",
      ] { #expect(names.contains(name), "\(name) was not looked at") }
      #expect(verification.checks.first { $0.name == "run.h5 /metrics" }?.holds.hasPrefix("60 rows") == true)
    }

    @Test func `a changed bit is found, in a row, an event, a text and a checkpoint`() throws {
      func stored(_ value: Float) -> Data { withUnsafeBytes(of: value) { Data($0) } }
      let places: [(String, Data, String)] = [
        ("/run.h5", stored(Sample.report(33).losses[0].loss), "run.h5 /metrics: the checksum does not hold in 1 of"),
        ("/run.h5", stored(Sample.evaluation(40).losses[0].loss), "run.h5 /heldout: "),
        ("/run.h5", Data("rate ×1.1 at step 45".utf8), "run.h5 /events: "),
        ("/run.h5", Data("“30”".utf8), "run.h5 /samples/text: "),
        ("/checkpoints/000000020.h5", stored(Sample.checkpoint(20).weights[7]), "checkpoints/000000020.h5: "),
      ]
      for (index, (file, pattern, wanted)) in places.enumerated() {
        let folder = scratch("\(index)")
        try writeRun(folder, steps: 60, checkpoints: [20])
        try damage(folder + file) { data in
          let place = try #require(data.range(of: pattern), "\(wanted) is not there")
          data[place.lowerBound] ^= 1
        }
        let found = try problems(folder)
        #expect(found.count == 1 && found.first?.hasPrefix(wanted) == true, "\(wanted) \(found)")
      }
    }

    @Test func `a file that is none of ours, or cut short, is a problem and no error`() throws {
      try writeRun(scratch("a"), steps: 30)
      try damage(scratch("a") + "/run.h5") { $0 = $0.prefix(3000) }
      #expect(try problems(scratch("a")).count == 1)
      try writeRun(scratch("b"), steps: 30, checkpoints: [30])
      try damage(scratch("b") + "/checkpoints/000000030.h5") { $0 = $0.dropLast(1) }
      #expect(try problems(scratch("b")).first?.contains("is damaged") == true)
      try FileManager.default.moveItem(
        atPath: scratch("b") + "/checkpoints/000000030.h5", toPath: scratch("b") + "/checkpoints/000000031.h5")
      try writeRun(scratch("c"), steps: 30, checkpoints: [30])
      try FileManager.default.moveItem(
        atPath: scratch("c") + "/checkpoints/000000030.h5", toPath: scratch("c") + "/checkpoints/000000031.h5")
      #expect(try problems(scratch("c")).first?.contains("holds step 30, but its name says 31") == true)
      #expect(sentence { _ = try Verification(of: scratch("none")) }.contains("there is no run “none”"))
    }

    /// A run whose machine lost its power: run.h5 has half of what the journal has.
    private func interrupted(_ name: String, steps: Int) throws -> String {
      let recorder = try Recorder(creating: scratch("live " + name), beginning: Sample.beginning(name))
      for step in 1...steps {
        for event in Sample.events(at: step) { _ = try recorder.record(event) }
        guard step == steps / 2 else { continue }
        recorder.flush()
        try FileManager.default.copyItem(atPath: scratch("live " + name) + "/run.h5", toPath: scratch("half " + name))
      }
      try FileManager.default.copyItem(atPath: scratch("live " + name), toPath: scratch(name))
      try FileManager.default.removeItem(atPath: scratch(name) + "/run.h5")
      try FileManager.default.moveItem(atPath: scratch("half " + name), toPath: scratch(name) + "/run.h5")
      try recorder.close(.stopped)
      return scratch(name)
    }

    @Test func `a killed run is whole, and says what the journal has`() throws {
      let folder = try interrupted("a", steps: 50)
      let verification = try Verification(of: folder)
      #expect(verification.isWhole, "\(verification.checks.flatMap(\.problems))")
      #expect(verification.checks.flatMap(\.notes).contains { $0.contains("foretop recover") })
      #expect(verification.checks.flatMap(\.notes).contains { $0 == "25 more are in the journal" })
      #expect(try !StoredRun.isClosed(folder))
      try Recorder.recover(folder)
      #expect(try StoredRun.isClosed(folder))
      let after = try Verification(of: folder)
      #expect(after.isWhole && after.checks.flatMap(\.notes).isEmpty, "\(after.checks)")
      #expect(after.checks.first { $0.name == "run.h5 /metrics" }?.holds.hasPrefix("50 rows") == true)
    }

    @Test func `a journal that is damaged in the middle is found, one cut short is no damage`() throws {
      let folder = try interrupted("a", steps: 50)
      let journal = folder + "/run.journal"
      try damage(journal) { $0 = $0.dropLast(3) }
      #expect(try problems(folder).isEmpty)
      try damage(journal) { $0[$0.count / 2] ^= 4 }
      let found = try problems(folder)
      #expect(found.count == 1 && found[0].hasPrefix("run.journal: run.journal is damaged at byte"), "\(found)")
    }

    @Test func `a live run is whole at every moment, and so is what is copied of it`() throws {
      let recorder = try Recorder(creating: scratch("a"), beginning: Sample.beginning("a"))
      for step in 1...40 {
        for event in Sample.events(at: step) { _ = try recorder.record(event) }
        guard step % 10 == 0 else { continue }
        recorder.flush()
        let verification = try Verification(of: scratch("a"))
        #expect(verification.isWhole, "\(verification.checks.flatMap(\.problems))")
        #expect(try StoredRun(opening: scratch("a")).snapshot(to: scratch("copy.h5"), isReplacing: true) == step)
      }
      try recorder.close(.stopped)
    }

    @Test func `a snapshot is all of the run, and any reader opens it`() throws {
      let folder = try interrupted("a", steps: 50)
      let archive = try StoredRun(opening: folder)
      #expect(try archive.snapshot(to: scratch("copy.h5"), isReplacing: false) == 50)
      let said = try Program.script("snapshot.py", scratch("copy.h5"))
      #expect(said == "superblock 0, 50 rows, 2 evaluations, loss \(Sample.report(50).losses[0].loss)\n")
      #expect(
        sentence { _ = try archive.snapshot(to: scratch("copy.h5"), isReplacing: false) }.contains("exists already"))
      #expect(
        sentence { _ = try archive.snapshot(to: folder + "/copy.h5", isReplacing: true) }.contains("folder of a run"))
      #expect(
        sentence { _ = try archive.snapshot(to: scratch("no/copy.h5"), isReplacing: true) }.contains("cannot create"))
      let left = try FileManager.default.contentsOfDirectory(atPath: scratch.path).filter { $0.hasPrefix(".") }
      #expect(left.isEmpty)
    }
  }
}
