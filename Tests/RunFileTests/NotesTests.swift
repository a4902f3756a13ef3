// Notes and tags: written beside a run at any moment, in its log when it ends, never twice and never lost.
import Foundation
import Run
import RunFileTorture
import Support
import Testing

@testable import RunFile

extension RunFileTests {
  @Suite struct NoteTests {
    let scratch = ScratchFolder()

    private func note(_ text: String, at time: Double = 1_700_000_100, _ kind: Annotation = .note) -> Occurrence {
      Occurrence(kind, text, step: 3, time: time)
    }

    private func file(_ folder: String) -> String { folder + "/notes.jsonl" }

    /// What the events of a run say, those beside it left out.
    private func stored(_ folder: String) throws -> [Occurrence] {
      let aside = folder + "/aside"
      let hasAside = rename(file(folder), aside) == 0
      defer { if hasAside { rename(aside, file(folder)) } }
      return try StoredRun(opening: folder).annotations()
    }

    @Test func `a stored run has its notes at once, and stays whole`() throws {
      try writeRun(scratch("a"), steps: 30, checkpoints: [20])
      let folder = scratch("a")
      let before = try StoredRun(opening: folder).events()
      let said = [note("first"), note("seed-study", .tag), note("ünïcode 😀", at: 1_700_000_200)]
      #expect(try StoredRun.annotate(folder, Array(said.prefix(2))) == nil)
      #expect(try StoredRun.annotate(folder, [said[2]]) == nil)
      #expect(!FileManager.default.fileExists(atPath: file(folder)))
      let archive = try StoredRun(opening: folder)
      #expect(try archive.annotations() == said && archive.state == .stopped)
      #expect(try archive.events() == before + said.map(Event.occurred))
      #expect(try archive.summary().annotations == said)
      #expect(try StoredRun.runs(in: scratch.path).first?.annotations.tags == ["seed-study"])
      #expect(try Verification(of: folder).isWhole && StoredRun.isClosed(folder))
      // It goes on as before.
      let recorder = try Recorder(resuming: folder, from: 20, beginning: Sample.beginning("a", step: 20))
      var notices: [Occurrence] = []
      for step in 21...40 { for event in Sample.events(at: step) { notices += try recorder.record(event) } }
      try recorder.close(.finished)
      #expect(notices == [])
      #expect(try StoredRun(opening: folder).annotations() == said)
    }

    @Test func `a live run is noted beside its writer, and has it all when it ends`() throws {
      let folder = scratch("a")
      let recorder = try Recorder(creating: folder, beginning: Sample.beginning("a"))
      for step in 1...5 { for event in Sample.events(at: step) { _ = try recorder.record(event) } }
      #expect(try StoredRun.annotate(folder, [note("live")]) == nil)
      #expect(FileManager.default.fileExists(atPath: file(folder)))
      #expect(Notes.waiting(folder) == [note("live")])
      try recorder.close(.finished)
      #expect(!FileManager.default.fileExists(atPath: file(folder)))
      #expect(try StoredRun(opening: folder).annotations() == [note("live")])
      #expect(try Verification(of: folder).isWhole)
    }

    @Test func `what a killed process has put in already is not put in twice`() throws {
      try writeRun(scratch("a"), steps: 10)
      let folder = scratch("a")
      try Notes.write([note("once")], to: folder)
      let waiting = try Data(contentsOf: URL(fileURLWithPath: file(folder)))
      try Recorder.recover(folder)
      // As if it had been killed before the file went.
      try waiting.write(to: URL(fileURLWithPath: file(folder)))
      #expect(try StoredRun(opening: folder).annotations() == [note("once")])
      _ = try StoredRun.annotate(folder, [note("twice", at: 1_700_000_300)])
      #expect(try stored(folder) == [note("once"), note("twice", at: 1_700_000_300)])
    }

    @Test func `a file of notes that somebody else wrote does no harm`() throws {
      try writeRun(scratch("a"), steps: 10)
      let folder = scratch("a")
      let lines = [
        "", "{", "[]", "null", #"{"kind":"rate","step":1,"time":1,"key":"rate","new":9,"actor":"key","text":"x"}"#,
        #"{"kind":"notice","step":1,"time":1,"key":"replay","actor":"key","text":"x"}"#,
        #"{"kind":"notice","step":-1,"time":1,"key":"note","actor":"key","text":"x"}"#,
        #"{"kind":"notice","step":1,"time":"nan","key":"note","actor":"key","text":"x"}"#,
        #"{"kind":"notice","step":1,"time":1e300,"key":"note","actor":"key","text":"x"}"#,
        #"{"kind":"notice","step":1,"time":1,"key":"note","actor":"key","text":"\u202ex"}"#,
        #"{"kind":"notice","step":1,"time":1,"key":"note","actor":"key","text":"\#(String(repeating: "x", count: 500))"}"#,
        String(repeating: "[", count: 5000), "\u{0}\u{FF}",
        #"{"kind":"notice","step":1,"time":5,"key":"note","actor":"key","text":"good"}"#,
        #"{"kind":"notice","step":1,"time":6,"key":"note","actor":"key","text":"to"#,
      ]
      try Data(lines.joined(separator: "\n").utf8).write(to: URL(fileURLWithPath: file(folder)))
      let good = Occurrence(.note, "good", step: 1, time: 5)
      #expect(try StoredRun(opening: folder).annotations() == [good])
      _ = try StoredRun.annotate(folder, [note("mine")])
      #expect(try stored(folder) == [good, note("mine")])
      // Nothing is read or written through a link, and nothing without end.
      symlink("/etc/passwd", file(folder))
      #expect(throws: UserError.self) { try StoredRun.annotate(folder, [note("x")]) }
      try Recorder.recover(folder)
      unlink(file(folder))
      mkfifo(file(folder), 0o600)
      #expect(try StoredRun(opening: folder).annotations() == [good, note("mine")])
      #expect(throws: UserError.self) { try StoredRun.annotate(folder, [note("x")]) }
      unlink(file(folder))
      try Data(count: 4 << 20).write(to: URL(fileURLWithPath: file(folder)))
      #expect(sentence { _ = try StoredRun.annotate(folder, [note("x")]) }.contains("more than the notes of any run"))
    }

    @Test func `a run that is removed takes its notes along`() throws {
      try writeRun(scratch("a"), steps: 10)
      try Notes.write([note("x")], to: scratch("a"))
      #expect(try Removal(ofRun: scratch("a")).carryOut() == [])
      #expect(!FileManager.default.fileExists(atPath: scratch("a")))
    }

    @Test func `tags are given and taken away in order`() {
      let said = [
        note("a", .tag), note("b", .tag), note("a", .tag), note("a", .untag), note("x"), note("c", .tag),
        note("b", .untag), note("b", .tag),
      ]
      #expect(said.tags == ["c", "b"])
      #expect(said.notes.map(\.text) == ["x"])
    }

    @Test(arguments: ["", " ", "a b", "a,b", "a\nb", "a\u{202E}b", "a\u{200B}", String(repeating: "x", count: 65)])
    func `a tag that is no word is refused`(text: String) {
      #expect(sentence { _ = try Annotation.tag.checked(text) }.contains("cannot be a tag"))
    }

    @Test func `notes and tags of a run file that cannot be opened are taken over into a new one`() throws {
      try writeRun(scratch("a"), steps: 30, checkpoints: [20])
      let folder = scratch("a")
      let said = [note("first"), note("seed-study", .tag), note("ünïcode 😀", at: 1_700_000_200)]
      #expect(try StoredRun.annotate(folder, said) == nil)
      let path = URL(fileURLWithPath: folder + "/run.h5")
      var data = try Data(contentsOf: path)
      data.replaceSubrange(0..<64, with: Data(repeating: 7, count: 64))
      try data.write(to: path)
      #expect(throws: UserError.self) { try StoredRun(opening: folder) }
      let (step, aside, notes) = try Recorder.rebuild(folder)
      #expect(step == 20 && aside.count == 1 && notes == 3)
      #expect(try StoredRun(opening: folder).annotations() == said)
      #expect(try Verification(of: folder).isWhole)
    }

    @Test func `verify tells of notes that wait, and of lines that are something else`() throws {
      try writeRun(scratch("a"), steps: 30)
      let folder = scratch("a")
      try Notes.write([note("waits"), note("too")], to: folder)
      var check = try #require(try Verification(of: folder).checks.first { $0.name == "notes.jsonl" })
      #expect(check.problems.isEmpty && check.holds.hasPrefix("2 notes and tags"), "\(check)")
      let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: file(folder)))
      try handle.seekToEnd()
      try handle.write(contentsOf: Data("{\"kind\":\"rate\"}\nnothing\n".utf8))
      try handle.close()
      check = try #require(try Verification(of: folder).checks.first { $0.name == "notes.jsonl" })
      #expect(check.problems.count == 1 && check.problems[0].hasPrefix("2 of its lines are not notes"), "\(check)")
    }
  }
}
