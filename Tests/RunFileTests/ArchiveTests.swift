// The list of runs, names, and files that are none of ours.
import Foundation
import Run
import RunFile
import RunFileTorture
import Support
import Testing

extension RunFileTests {
  @Suite struct Archives {
    let scratch = ScratchFolder()

    @Test func `runs are listed with what they came to, damaged ones with what is wrong`() throws {
      try writeRun(scratch("b"), steps: 45, checkpoints: [20, 40])
      try writeRun(scratch("a"), steps: 5)
      for name in ["cut", "garbage", "empty", "zeroed"] { try writeRun(scratch(name), steps: 30) }
      func damage(_ name: String, _ change: (inout Data) -> Void) throws {
        let url = URL(fileURLWithPath: scratch(name) + "/run.h5")
        var data = try Data(contentsOf: url)
        change(&data)
        try data.write(to: url)
      }
      try damage("cut") { $0 = $0.prefix(3000) }
      var dice = Dice(for: "garbage")
      try damage("garbage") { $0 = Data((0..<5000).map { _ in UInt8.random(in: 0...255, using: &dice) }) }
      try damage("empty") { $0 = Data() }
      try damage("zeroed") { $0.replaceSubrange(48..<60_000, with: Data(count: 60_000 - 48)) }
      try FileManager.default.createDirectory(atPath: scratch("no run"), withIntermediateDirectories: true)
      try FileManager.default.createDirectory(
        atPath: scratch("unborn/checkpoints"), withIntermediateDirectories: true)

      let runs = try StoredRun.runs(in: scratch.path)
      #expect(runs.map(\.name) == ["a", "b", "cut", "empty", "garbage", "unborn", "zeroed"])
      let b = try #require(runs.first { $0.name == "b" })
      #expect(b.state == .stopped && b.step == 45 && b.tokens == 45 * 4096 && b.parameters == 5000)
      #expect(b.steps == 1_000_000 && b.heads == [.ntp, .top] && b.checkpoints == 2 && b.error == nil)
      #expect(b.last == Sample.report(45).losses && b.heldOut == Sample.evaluation(40).losses)
      #expect(b.best == [20, 40].map { Sample.evaluation($0).losses[0].loss }.min())
      #expect(b.bytes > 100_000 && b.created == 1_700_000_000)
      for name in ["cut", "empty", "garbage", "zeroed", "unborn"] {
        let run = try #require(runs.first { $0.name == name })
        #expect(run.error?.contains(name) == true, "\(name): \(run.error ?? "no error")")
        #expect(run.state == nil)
      }
      #expect(try StoredRun.runs(in: scratch("nowhere")).isEmpty)
    }

    @Test func `a run that is not there is said to be not there`() {
      #expect(sentence { _ = try StoredRun(opening: scratch("x")) }.contains("there is no run “x” in \(scratch.path)"))
    }

    @Test func `damaged rows are left out, not read wrong`() throws {
      try writeRun(scratch("a"), steps: 500)
      let url = URL(fileURLWithPath: scratch("a") + "/run.h5")
      let whole = try Data(contentsOf: url)
      // The stored form of one loss, which occurs once.
      let pattern = withUnsafeBytes(of: Sample.report(321).losses[0].loss) { Data($0) }
      let place = try #require(whole.range(of: pattern))
      var damaged = whole
      damaged[place.lowerBound] ^= 4
      try damaged.write(to: url)
      let steps = try StoredRun(opening: scratch("a")).events().compactMap {
        if case .stepped(let report) = $0 { report } else { nil }
      }
      #expect(steps == (1...500).filter { $0 != 321 }.map(Sample.report))
    }

    @Test(arguments: [
      "", "a/b", "/", "a/\u{301}b", ".hidden", ".\u{301}x", "..", "-x", "a\nb", " a", "a ",
      String(repeating: "é", count: 51),
      "a\u{9B}b", "a\u{202E}b", "a\u{2066}", "a\u{200B}", "\u{FEFF}a", "a\u{AD}b", "a\u{E0041}", "a\u{2028}",
      "a\u{FFFE}",
    ])
    func `a name that would make trouble is refused`(name: String) {
      #expect(sentence { try RunName.check(name) }.contains("cannot be the name of a run"))
      #expect(
        sentence { try RunName.checkFolder(String(fileName: [0x63, 0xE9])) }.contains("bytes that are not UTF-8"))
    }

    @Test func `a free name is found`() throws {
      #expect(try RunName.nextFree("kjv", in: scratch("none")) == "kjv")
      for name in ["kjv", "kjv-2", "kjv-4"] {
        try FileManager.default.createDirectory(atPath: scratch(name), withIntermediateDirectories: true)
        try Data("mine".utf8).write(to: URL(fileURLWithPath: scratch(name) + "/run.h5"))
      }
      #expect(try RunName.nextFree("kjv", in: scratch.path) == "kjv-3")
      #expect(try RunName.nextFree("other", in: scratch.path) == "other")
    }
  }
}
