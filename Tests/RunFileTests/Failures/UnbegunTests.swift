// Folders of runs whose first process was killed before the run began: their names are free.
import Foundation
import Run
import RunFile
import RunFileTorture
import Support
import Testing

extension RunFileTests {
  @Suite struct UnbegunTests {
    let scratch = ScratchFolder()
    private let files = FileManager.default

    /// A folder with these in it; names that end with a slash are folders.
    private func leave(_ names: String..., journal: Data? = nil) throws -> String {
      let folder = scratch(UUID().uuidString)
      try files.createDirectory(atPath: folder, withIntermediateDirectories: true)
      for name in names where name.hasSuffix("/") {
        try files.createDirectory(atPath: folder + "/" + name, withIntermediateDirectories: true)
      }
      for name in names where !name.hasSuffix("/") {
        try Data("x".utf8).write(to: URL(fileURLWithPath: folder + "/" + name))
      }
      if let journal { try journal.write(to: URL(fileURLWithPath: folder + "/run.journal")) }
      return folder
    }

    /// The journal of a run that has just begun, and of one that has taken a step.
    private func journals() throws -> (begun: Data, stepped: Data) {
      let recorder = try Recorder(creating: scratch("live"), beginning: Sample.beginning("live"))
      let path = URL(fileURLWithPath: scratch("live") + "/run.journal")
      let begun = try Data(contentsOf: path)
      _ = try recorder.record(.stepped(Sample.report(1)))
      let stepped = try Data(contentsOf: path)
      try recorder.close(.stopped)
      return (begun, stepped)
    }

    @Test func `a run begins in what was left by one that was killed before it began`() throws {
      let (begun, _) = try journals()
      var left = [
        try leave(), try leave("run.lock"), try leave("run.lock", "checkpoints/"),
        try leave("run.lock", "checkpoints/", "run.journal.new"),
      ]
      // The journal is written entry by entry, and the last one may be cut short.
      for length in [16, 24, 33, 40, begun.count - 1, begun.count] {
        left.append(try leave("run.lock", "checkpoints/", "run.h5.new", journal: begun.prefix(length)))
      }
      for folder in left {
        #expect(RunName.isFree(folder))
        let name = (folder as NSString).lastPathComponent
        #expect(try RunName.nextFree(name, in: scratch.path) == name)
        try writeRun(folder, steps: 30, checkpoints: [20])
        #expect(try Verification(of: folder).isWhole)
        #expect(!RunName.isFree(folder))
        #expect(try RunName.nextFree(name, in: scratch.path) == name + "-2")
      }
    }

    @Test func `nothing of worth is ever begun over`() throws {
      let (begun, stepped) = try journals()
      let kept = [
        try leave("run.lock", "checkpoints/", journal: stepped), try leave("run.lock", "checkpoints/", "run.h5"),
        try leave("run.lock", "checkpoints/", "checkpoints/000000010.h5", journal: begun),
        try leave("run.lock", "notes.txt"), try leave("run.h5.before", journal: begun), try leave("run.h5.damaged"),
        try leave("checkpoints/", "checkpoints/mine"), try leave(journal: Data("no journal at all".utf8)),
      ]
      for folder in kept {
        let before = try files.subpathsOfDirectory(atPath: folder).sorted()
        #expect(!RunName.isFree(folder))
        #expect(
          sentence { _ = try Recorder(creating: folder, beginning: Sample.beginning("a")) }.contains("exists already"))
        #expect(try files.subpathsOfDirectory(atPath: folder).sorted() == before)
      }
      let target = try leave("run.lock")
      try files.createSymbolicLink(atPath: scratch("link"), withDestinationPath: target)
      #expect(!RunName.isFree(scratch("link")))
    }

    @Test func `a folder in which another process begins its run is left to it`() throws {
      let folder = try leave("run.lock", "checkpoints/")
      let file = open(folder + "/run.lock", O_RDONLY)
      #expect(flock(file, LOCK_EX) == 0)
      #expect(!RunName.isFree(folder))
      #expect(
        sentence { _ = try Recorder(creating: folder, beginning: Sample.beginning("a")) }
          .contains("is being written by"))
      #expect(try files.subpathsOfDirectory(atPath: folder).sorted() == ["checkpoints", "run.lock"])
      close(file)
      #expect(RunName.isFree(folder))
    }

    @Test func `the process that writes a run is known while it does`() throws {
      let folder = scratch("written")
      let recorder = try Recorder(creating: folder, beginning: Sample.beginning("written"))
      let writer = try #require(StoredRun.writer(of: folder))
      #expect(writer.process == Int(getpid()) && writer.isHere)
      try recorder.close(.stopped)
      // A lock file that nobody holds says nothing.
      let left = try leave("run.lock")
      #expect(StoredRun.writer(of: left) == nil)
    }
  }
}
