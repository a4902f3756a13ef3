// Files that claim far more than is stored of them, and journals of every length: what is read is what is there.
import Foundation
import Run
import RunFileTorture
import Support
import Testing

@testable import RunFile

extension RunFileTests {
  @Suite struct Sparse {
    let scratch = ScratchFolder()

    private func bytes(_ path: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path)) }

    @Test(arguments: [100, 5000, 100 << 30])
    func `zeros behind a journal's last entry are no part of it, however many a file claims`(zeros: Int) throws {
      let folder = try scratch.killed("a")
      let journal = RunFolder(folder).journal
      let size = try bytes(journal).count
      #expect(truncate(journal, off_t(size + zeros)) == 0)
      #expect(try RunFileTests.steps(folder).map(\.step) == Array(1...60))
      let verification = try Verification(of: folder)
      #expect(verification.isWhole, "\(verification.checks.flatMap(\.problems))")
      try Recorder.recover(folder)
      #expect(try RunFileTests.steps(folder).map(\.step) == Array(1...60))
      #expect(try Verification(of: folder).isWhole)
    }

    @Test func `a journal without an end to its lengths is searched for no longer than it is worth`() throws {
      let folder = try scratch.killed("a")
      let journal = RunFolder(folder).journal
      // Every four bytes are the length of an entry that nobody wrote.
      let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: journal))
      try handle.seekToEnd()
      try handle.write(contentsOf: Data(repeating: 1, count: 40 << 20))
      try handle.close()
      #expect(try RunFileTests.steps(folder).map(\.step) == Array(1...60))
      #expect(try Verification(of: folder).isWhole)
    }

    @Test func `a run file that is a hole for the most part is refused, and made again from the journal`() throws {
      let folder = try scratch.killed("a")
      let path = RunFolder(folder).file
      #expect(truncate(path, 10 << 30) == 0)
      #expect(sentence { _ = try Store(opening: path, .still) }.contains("are stored: the rest is a hole"))
      try Recorder.recover(folder)
      #expect(try RunFileTests.steps(folder).map(\.step) == Array(1...60))
      // One that was closed has nothing to be made from.
      #expect(truncate(path, 10 << 30) == 0)
      for said in [
        sentence { _ = try StoredRun(opening: folder) }, sentence { try Recorder.recover(folder) },
        sentence { _ = try Recorder(resuming: folder, from: 0, beginning: Sample.beginning("a")) },
      ] { #expect(said.contains("claims to have 10737418240 bytes"), "\(said)") }
      #expect(!FileManager.default.fileExists(atPath: path + ".copy"))
    }

    @Test func `a hole behind a killed run's file is no part of it, and takes no memory`() throws {
      let folder = try scratch.killed("a")
      let path = RunFolder(folder).file
      let size = try bytes(path).count
      #expect(truncate(path, 60 << 20) == 0)
      let file = try FileDescriptor(opening: path, O_RDONLY)
      #expect(try Superblock.length(of: file) <= size)
      #expect(try RunFileTests.steps(folder).map(\.step) == Array(1...60))
      try Recorder.recover(folder)
      #expect(try bytes(path).count < size + 65_536)
    }

    @Test func `a run file that is a hole for the most part is no damage where the journal has all`() throws {
      let folder = try scratch.killed("a")
      #expect(truncate(RunFolder(folder).file, 10 << 30) == 0)
      #expect(try RunFileTests.steps(folder).map(\.step) == Array(1...60))
      let verification = try Verification(of: folder)
      #expect(verification.isWhole, "\(verification.checks.flatMap(\.problems))")
      let note = verification.checks.first { $0.name == "run.h5" }?.notes.first ?? ""
      #expect(note.contains("is a hole") && note.contains("“foretop recover” mends the file"), "\(note)")
      try Recorder.recover(folder)
      #expect(try Verification(of: folder).checks.flatMap(\.notes).isEmpty)
    }

    @Test func `holes are counted as no bytes of a run, which is said`() throws {
      try writeRun(scratch("a"), steps: 20, checkpoints: [10])
      let before = try Removal(ofRun: scratch("a")).bytes
      #expect(try Removal(ofRun: scratch("a")).remark == nil)
      #expect(truncate(scratch("a") + "/checkpoints/000000010.h5", 10 << 30) == 0)
      let removal = try Removal(ofRun: scratch("a"))
      #expect(removal.bytes <= before + 65_536 && removal.remark?.contains("holes") == true)
      let listed = try #require(try StoredRun.runs(in: scratch.path).first { $0.name == "a" })
      #expect(listed.bytes <= before + 65_536 && listed.warning?.contains("holes") == true, "\(listed)")
    }

    @Test func `a checkpoint that is a hole is refused`() throws {
      try writeRun(scratch("a"), steps: 20, checkpoints: [10, 20])
      #expect(truncate(scratch("a") + "/checkpoints/000000020.h5", 10 << 30) == 0)
      let (checkpoint, warnings) = try StoredRun(opening: scratch("a")).checkpoint()
      #expect(checkpoint.state.step == 10 && warnings.first?.contains("is a hole") == true, "\(warnings)")
    }

    // MARK: Journals

    @Test(arguments: [0, 1, 254, 255, 256, 300, 5000])
    func `a row of any number of columns goes into a journal and comes back`(count: Int) throws {
      let path = scratch("run.journal")
      let row = Table.Row(values: (0..<count).map { Double($0) / 3 }, payload: [1, 2, 3])
      let journal = try Journal(creating: path, of: 7, with: [.row(Journal.Number.metrics, row)])
      journal.add(.row(Journal.Number.texts, row))
      try journal.sync()
      let contents = try JournalContents(path)
      var steps: [Table.Row] = []
      try contents.forEachStep { steps.append($0) }
      #expect(steps == [row] && contents.rows[Journal.Number.texts] == [row] && contents.created == 7)
      #expect(try Journal.examined(path).entries == 3)
    }

    @Test func `a row with a time that no clock shows is refused before it gets into the file`() throws {
      let folder = try scratch.killed("a")
      let path = RunFolder(folder).journal
      var entries: [Journal.JournalEntry] = []
      let reader = try #require(try JournalReader(path))
      while let entry = try reader.next() { entries.append(entry) }
      var row = Table.Row(values: [])
      for case .row(Journal.Number.metrics, let last) in entries { row = last }
      row.values[0] += 1
      row.values[2] = .nan
      // It begins with the run's entry by itself.
      _ = try Journal(creating: path, of: nil, with: entries + [.row(Journal.Number.metrics, row)])
      let before = try bytes(RunFolder(folder).file)
      for said in [
        sentence { try Recorder.recover(folder) },
        sentence { _ = try Recorder(resuming: folder, from: 0, beginning: Sample.beginning("a")) },
      ] { #expect(said.contains("has nan in column time") && said.contains("nothing was changed"), "\(said)") }
      #expect(try bytes(RunFolder(folder).file) == before)
      #expect(!FileManager.default.fileExists(atPath: RunFolder(folder).file + ".copy"))
      try FileManager.default.removeItem(atPath: path)
      #expect(try RunFileTests.steps(folder).map(\.step).isEmpty == false)
    }

    /// A journal's steps are put into a file batch by batch.
    @Test(arguments: [0, 100, 39_000])
    func `a long journal is put in order as a short one is`(missing: Int) throws {
      let count = 40_000
      let recorder = try Recorder(creating: scratch("a"), beginning: Sample.beginning("a"))
      for step in 1...count - missing { _ = try recorder.record(.stepped(Sample.report(step))) }
      recorder.flush()
      try FileManager.default.copyItem(atPath: scratch("a") + "/run.h5", toPath: scratch("early.h5"))
      if missing > 0 {
        for step in count - missing + 1...count { _ = try recorder.record(.stepped(Sample.report(step))) }
      }
      recorder.flush()
      try FileManager.default.copyItem(atPath: scratch("a"), toPath: scratch("b"))
      try FileManager.default.removeItem(atPath: scratch("b") + "/run.h5")
      try FileManager.default.moveItem(atPath: scratch("early.h5"), toPath: scratch("b") + "/run.h5")
      #expect(try RunFileTests.steps(scratch("b")).map(\.step) == Array(1...count))
      try Recorder.recover(scratch("b"))
      #expect(try RunFileTests.steps(scratch("b")).map(\.step) == Array(1...count))
      #expect(try Verification(of: scratch("b")).isWhole)
      try recorder.close(.stopped)
    }

    @Test func `sessions stay in their order when the clock was set back`() throws {
      let folder = scratch("a")
      try writeRun(folder, steps: 20, checkpoints: [20])
      var beginning = Sample.beginning("a", step: 20)
      beginning.time -= 86_400
      let recorder = try Recorder(resuming: folder, from: 20, beginning: beginning)
      for step in 21...30 { for event in Sample.events(at: step) { _ = try recorder.record(event) } }
      recorder.flush()
      try FileManager.default.copyItem(atPath: folder, toPath: scratch("b"))
      try recorder.close(.finished)
      #expect(try StoredRun(opening: folder).state == .finished)
      #expect(try StoredRun(opening: scratch("b")).state == .interrupted)
      try Recorder.recover(scratch("b"))
      #expect(try StoredRun(opening: scratch("b")).state == .interrupted)
    }

    // MARK: Checkpoints that cannot be read now

    @Test func `a best checkpoint that cannot be read now is kept`() throws {
      var recipe = Sample.recipe
      recipe.save.keep = 1
      let recorder = try Recorder(creating: scratch("a"), beginning: Sample.beginning("a", recipe: recipe))
      _ = try recorder.save(Sample.checkpoint(10, recipe: recipe), isBest: true)
      let path = scratch("a") + "/checkpoints/000000010.h5"
      let whole = try bytes(path)
      try Data(count: whole.count).write(to: URL(fileURLWithPath: path))
      _ = try recorder.save(Sample.checkpoint(20, recipe: recipe), isBest: false)
      _ = try recorder.save(Sample.checkpoint(30, recipe: recipe), isBest: false)
      try recorder.close(.stopped)
      let prune = try Removal(ofCheckpoints: scratch("a"), keeping: 1)
      #expect(prune.kept == [10, 30] && prune.warnings.count == 1, "\(prune.kept) \(prune.warnings)")
      _ = try prune.carryOut()
      #expect(FileManager.default.fileExists(atPath: path))
      try whole.write(to: URL(fileURLWithPath: path))
      #expect(try StoredRun(opening: scratch("a")).checkpoints().map(\.step) == [10, 30])
    }

    @Test func `metrics do not wait for the process that examines a checkpoint`() throws {
      try writeRun(scratch("written"), steps: 20, checkpoints: [20])
      try FileManager.default.copyItem(atPath: scratch("written"), toPath: scratch("a"))
      // It says that it was asked, and answers when it is let go.
      let script = """
        import os, socket, sys, time
        s = socket.socket(fileno=0)
        s.recv(4096)
        open(sys.argv[1] + "/asked", "w").close()
        end = time.monotonic() + 60
        while not os.path.exists(sys.argv[1] + "/go") and time.monotonic() < end: time.sleep(0.01)
        s.send(b"0\\0" if os.path.exists(sys.argv[1] + "/go") else b"65 nobody let it go\\0")
        """
      Sandbox.use([try Program.python(), "-c", script, scratch.path])
      defer { Sandbox.use([]) }
      let folder = CheckpointFolder(scratch("a"))
      let done = DispatchSemaphore(value: 0)
      let scratch = scratch.path
      let thread = Thread {
        // It has the library for a moment, when it has been examined.
        let said = sentence { _ = try folder.sequence(of: 20) }
        #expect(said.isEmpty, "\(said)")
        done.signal()
      }
      thread.start()
      let limit = Limit()
      while !FileManager.default.fileExists(atPath: scratch + "/asked") {
        try limit.check("the process is asked")
        usleep(1000)
      }
      HDF5.alone { _ = FileManager.default.createFile(atPath: scratch + "/go", contents: nil) }
      done.wait()
    }
  }
}
