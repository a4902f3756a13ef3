// Branches: complete by themselves, with the parent's rows up to a checkpoint; nothing of the parent changes.
import Foundation
import Run
import RunFile
import RunFileTorture
import Testing

extension RunFileTests {
  @Suite struct Branches {
    let scratch = ScratchFolder()

    /// A run of 130 steps with checkpoints of the steps 50 and 100.
    private func parent() throws -> String {
      try writeRun(scratch("a"), steps: 130, checkpoints: [50, 100])
      return scratch("a")
    }

    /// Begins a branch, trains it for some steps, and ends it.
    @discardableResult private func branch(of parent: String, at step: Int, to last: Int, in folder: String) throws
      -> ParentRun
    {
      let pending = try PendingBranch(of: parent, at: step, in: folder)
      let origin = try pending.finish(at: 1_800_000_000 + Double(step))
      let name = (folder as NSString).lastPathComponent
      var beginning = Sample.beginning(name, step: step)
      beginning.parent = origin
      let recorder = try Recorder(resuming: folder, from: step, beginning: beginning)
      for now in step + 1...last {
        for event in Sample.events(at: now) { #expect(try recorder.record(event) == []) }
      }
      _ = try recorder.save(Sample.checkpoint(last), isBest: false)
      try recorder.close(.stopped)
      return origin
    }

    private func bytes(_ folder: String) throws -> [String: Data] {
      let files = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
      return Dictionary(
        uniqueKeysWithValues: files.compactMap { name in
          FileManager.default.contents(atPath: "\(folder)/\(name)").map { (name, $0) }
        })
    }

    @Test func `a branch has the parent's rows up to its checkpoint, and the parent is as it was`() throws {
      let folder = try parent()
      let before = try bytes(folder)
      try branch(of: folder, at: 50, to: 90, in: scratch("a~2"))
      #expect(try bytes(folder) == before)
      let run = try StoredRun(opening: scratch("a~2"))
      #expect(run.beginning.parent?.name == "a" && run.beginning.parent?.step == 50)
      #expect(run.state == .stopped)
      #expect(try steps(scratch("a~2")) == (1...90).map(Sample.report))
      #expect(try run.evaluations().map(\.step) == [20, 40, 60, 80])
      #expect(try run.checkpoints().map(\.step) == [50, 90])
      #expect(try run.checkpoint(step: 50).checkpoint.state.step == 50)
      #expect(try Verification(of: scratch("a~2")).isWhole)
      // One file with two names, where the disk has those.
      var (here, there) = (stat(), stat())
      stat("\(folder)/checkpoints/000000050.h5", &there)
      stat("\(scratch("a~2"))/checkpoints/000000050.h5", &here)
      #expect(here.st_ino == there.st_ino)
      // No event of the parent that came later, and none twice.
      let events = try run.events().compactMap { if case .occurred(let value) = $0 { value } else { nil } }
      let wanted = (1...90).flatMap { Sample.events(at: $0) }.compactMap {
        if case .occurred(let value) = $0 { value } else { nil }
      }
      #expect(events.filter { $0.kind != .saved } == wanted)
    }

    @Test func `a branch is complete when its parent is gone, and has branches itself`() throws {
      let folder = try parent()
      try branch(of: folder, at: 50, to: 90, in: scratch("a~2"))
      try branch(of: scratch("a~2"), at: 50, to: 70, in: scratch("a~3"))
      try branch(of: scratch("a~2"), at: 90, to: 95, in: scratch("a~4"))
      for name in ["a", "a~2"] { _ = try Removal(ofRun: scratch(name)).carryOut() }
      #expect(!FileManager.default.fileExists(atPath: folder))
      for (name, step, last) in [("a~3", 50, 70), ("a~4", 90, 95)] {
        let run = try StoredRun(opening: scratch(name))
        #expect(run.beginning.parent?.name == "a~2" && run.beginning.parent?.step == step)
        #expect(try run.checkpoint(step: step).warnings == [])
        #expect(try steps(scratch(name)) == (1...last).map(Sample.report))
        #expect(try Verification(of: scratch(name)).isWhole)
      }
      // A checkpoint of a third run is still refused.
      try writeRun(scratch("other"), steps: 60, checkpoints: [50])
      let other = try StoredRun(opening: scratch("other"))
      #expect(try other.checkpoint(step: 50).checkpoint.state.step == 50)
    }

    @Test func `what was saved by hand stays by its names in a branch, and in a branch of that`() throws {
      let folder = scratch("a")
      let recorder = try Recorder(creating: folder, beginning: Sample.beginning("a"))
      for step in 1...10 { for event in Sample.events(at: step) { _ = try recorder.record(event) } }
      _ = try recorder.begin(Sample.checkpoint(10), isBest: false, keptAs: ["here", "there"]).pending.write()
      try recorder.close(.stopped)
      try branch(of: folder, at: 10, to: 12, in: scratch("a~2"))
      try branch(of: scratch("a~2"), at: 10, to: 14, in: scratch("a~3"))
      for name in ["a", "a~2", "a~3"] {
        #expect(try StoredRun(opening: scratch(name)).keptName(ofCheckpoint: 10) == "here, there")
        #expect(try StoredRun.step(ofCheckpoint: "there", in: scratch(name)) == 10)
      }
      #expect(try StoredRun(opening: scratch("a~2")).keptName(ofCheckpoint: 12) == nil)
    }

    @Test func `a branch that was killed is put together again`() throws {
      let folder = try parent()
      let pending = try PendingBranch(of: folder, at: 100, in: scratch("a~2"))
      try pending.finish(at: 1_800_000_000)
      let recorder = try Recorder(resuming: scratch("a~2"), from: 100, beginning: Sample.beginning("a~2", step: 100))
      for step in 101...140 { for event in Sample.events(at: step) { _ = try recorder.record(event) } }
      recorder.flush()
      // As the file of a run whose run.h5 is lost.
      let copy = scratch("killed")
      try FileManager.default.copyItem(atPath: scratch("a~2"), toPath: copy)
      try recorder.close(.stopped)
      try FileManager.default.removeItem(atPath: "\(copy)/run.h5")
      try Recorder.recover(copy)
      let run = try StoredRun(opening: copy)
      #expect(run.beginning.parent?.name == "a" && run.beginning.parent?.step == 100)
      #expect(try RunFileTests.steps(copy) == (1...140).map(Sample.report))
      #expect(try run.checkpoint(step: 100).checkpoint.state.step == 100)
    }

    @Test func `what is left of a branch in the making takes no name`() throws {
      let folder = try parent()
      // As a process leaves it that is killed before run.h5 has its name.
      let left = scratch("a~2")
      try FileManager.default.createDirectory(atPath: "\(left)/checkpoints", withIntermediateDirectories: true)
      _ = FileManager.default.createFile(atPath: "\(left)/branch.new", contents: nil)
      _ = FileManager.default.createFile(atPath: "\(left)/run.h5.new", contents: Data("half".utf8))
      try FileManager.default.linkItem(
        atPath: "\(folder)/checkpoints/000000050.h5", toPath: "\(left)/checkpoints/000000050.h5")
      #expect(RunName.isFree(left))
      #expect(try RunName.nextBranch(of: "a", in: scratch.path) == "a~2")
      try branch(of: folder, at: 50, to: 60, in: left)
      #expect(try RunName.nextBranch(of: "a~2", in: scratch.path) == "a~3")
      #expect(try StoredRun(opening: left).checkpoints().map(\.step) == [50, 60])
      // Without the mark it is somebody's.
      let theirs = scratch("b~2")
      try FileManager.default.createDirectory(atPath: "\(theirs)/checkpoints", withIntermediateDirectories: true)
      _ = FileManager.default.createFile(atPath: "\(theirs)/checkpoints/000000050.h5", contents: Data("theirs".utf8))
      #expect(!RunName.isFree(theirs))
    }

    @Test func `a branch that cannot be made leaves nothing`() throws {
      let folder = try parent()
      let error = #expect(throws: UserError.self) { try PendingBranch(of: folder, at: 60, in: scratch("a~2")) }
      #expect(error?.message == "run “a” has no checkpoint of step 60, only of 50, 100")
      #expect(!FileManager.default.fileExists(atPath: scratch("a~2")))
      _ = try PendingBranch(of: folder, at: 50, in: scratch("a~2"))
      #expect(!FileManager.default.fileExists(atPath: scratch("a~2")))
      let taken = #expect(throws: UserError.self) { try PendingBranch(of: folder, at: 50, in: folder) }
      #expect(taken?.message.contains("exists already") == true)
      #expect(try StoredRun(opening: folder).checkpoints().map(\.step) == [50, 100])
    }
  }
}
