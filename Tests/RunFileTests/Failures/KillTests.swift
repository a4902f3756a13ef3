// Writers that are killed, and disks that are full: nothing that was said to be stored is lost, and no number is wrong.
import Foundation
import Run
import RunFile
import RunFileTorture
import Support
import Testing

extension RunFileTests {
  @Suite struct Killed {
    let scratch = ScratchFolder()

    /// Starts a writer, kills it when it has said enough, and returns what it had promised.
    static func writeAndKill(_ folder: String, when isEnough: (Writer) -> Bool) throws -> Promise {
      let writer = try Writer(folder)
      try writer.hear(until: isEnough)
      return try writer.end()
    }

    /// Checks everything that the run holds against what was promised; returns how many steps it has.
    /// - Parameter isGapless: whether nothing may be missing before something that is there.
    @discardableResult
    static func check(_ folder: String, _ promise: Promise, isGapless: Bool = true) throws -> Int {
      #expect(try StoredRun(opening: folder).state == .interrupted)
      let found = Examination(of: folder, promised: promise, isGapless: isGapless)
      #expect(found.problems == [])
      return found.steps
    }

    @Test func `kills lose nothing that was stored, and every run goes on`() throws {
      var dice = Dice(for: "kills")
      var steps = 0
      for run in 0..<(Trial.isFull ? 6 : 2) {
        let folder = scratch("run\(run)")
        var promise = Promise()
        for round in 0..<(Trial.isFull ? 10 : 3) {
          // Every third one hardly begins, the others come to some steps.
          let lines = Int.random(in: round % 3 == 0 ? 1...3 : 4...400, using: &dice)
          promise.take(in: try Self.writeAndKill(folder) { $0.lines >= lines })
          // A writer killed before its run had a file has promised nothing.
          guard FileManager.default.fileExists(atPath: folder + "/run.h5") else {
            #expect(promise == Promise())
            try? FileManager.default.removeItem(atPath: folder)
            continue
          }
          steps = try Self.check(folder, promise)
          #expect(try StoredRun.runs(in: scratch.path).allSatisfy { $0.error == nil })
        }
        #expect(promise.stored > 0, "no writer came far enough")
        let opened = try Program.script("layout.py", try repaired(folder, steps: steps))
        #expect(opened.contains("/metrics/loss/ntp float32"))
      }
    }

    /// Goes on with a run for a few steps and closes it: then plain h5py opens it.
    private func repaired(_ folder: String, steps: Int) throws -> String {
      let (status, output, errors) = try Program.run(Program.torture(), ["write", folder, "\(steps + 10)", "0"])
      #expect(status == 0 && output.hasSuffix("closed \(steps + 10)\n"), "\(output.suffix(200)) \(errors)")
      let archive = try StoredRun(opening: folder)
      #expect(archive.state == .finished)
      #expect(try archive.summary().step == steps + 10)
      let names = try FileManager.default.contentsOfDirectory(atPath: folder + "/checkpoints")
      #expect(names.allSatisfy { !$0.hasPrefix(".") }, "\(names)")
      return folder + "/run.h5"
    }

    @Test func `a killed run that is recovered opens with any tool`() throws {
      let promise = try Self.writeAndKill(scratch("a")) { $0.promise.saved >= 200 }
      let before = try StoredRun(opening: scratch("a")).events()
      try Recorder.recover(scratch("a"))
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: scratch("a")).sorted() == [
          "checkpoints", "run.h5", "run.lock",
        ])
      #expect(try Program.script("layout.py", scratch("a") + "/run.h5").contains("/metrics/commit uint32"))
      try Self.check(scratch("a"), promise)
      #expect(try StoredRun(opening: scratch("a")).events() == before)
      try Recorder.recover(scratch("a"))
      #expect(try StoredRun(opening: scratch("a")).events() == before)
    }

    @Test func `reading a killed run changes nothing in it`() throws {
      _ = try Self.writeAndKill(scratch("a")) { $0.promise.saved >= 200 }
      let url = URL(fileURLWithPath: scratch("a") + "/run.h5")
      let before = try Data(contentsOf: url)
      _ = try StoredRun(opening: scratch("a")).events()
      _ = try StoredRun.runs(in: scratch.path)
      #expect(try Data(contentsOf: url) == before)
    }

    @Test(
      arguments: Trial.isFull
        ? [1000, 8000, 50_000, 140_000, 300_000, 700_000, 1_000_000, 1_300_000] : [1000, 140_000, 300_000, 1_300_000])
    func `a full disk loses no row, and the run goes on when there is room`(room: Int) throws {
      let (status, output, errors) = try Program.run(Program.torture(), ["fill", scratch("a"), "\(room)"])
      #expect(status == 0, "\(errors)")
      let lines = output.split(separator: "\n")
      try #require(lines.count == 5, "\(output)")
      // The journal is written once a second, too: either file may be the first that grows too large.
      #expect(lines[0].hasPrefix("warning ") && lines[0].contains(/run\.(h5|journal): File too large/), "\(lines[0])")
      #expect(lines[1].hasPrefix("not saved 1500: cannot write ") == (room < 158_000))
      #expect(lines[2].hasPrefix("notice 3000: "))
      #expect(lines[3...] == ["saved 4500", "closed 6000"])
      let names = try FileManager.default.contentsOfDirectory(atPath: scratch("a") + "/checkpoints").sorted()
      #expect(names == (room < 158_000 ? [] : ["000001500.h5"]) + ["000004500.h5"])
      let steps = try StoredRun(opening: scratch("a")).events().compactMap {
        if case .stepped(let report) = $0 { report } else { nil }
      }
      #expect(steps.count == 6000)
      for (index, step) in steps.enumerated() where step != Sample.report(index + 1) {
        Issue.record("step \(index + 1) is \(step)")
      }
    }
  }
}
