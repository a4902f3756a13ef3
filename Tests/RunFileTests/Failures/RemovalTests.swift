// What is taken away of a run, and what never is.
import Foundation
import Run
import RunFile
import RunFileTorture
import Support
import Testing

extension RunFileTests {
  @Suite struct Removals {
    let scratch = ScratchFolder()
    private let files = FileManager.default

    @Test func `a run goes with all that is foretop's`() throws {
      try writeRun(scratch("a"), steps: 30, checkpoints: [10, 20])
      for name in ["checkpoints/.000000030.h5.new", "checkpoints/000000040.h5.replaced", "run.h5.before"] {
        #expect(files.createFile(atPath: scratch("a") + "/" + name, contents: Data("x".utf8)))
      }
      let removal = try Removal(ofRun: scratch("a"))
      #expect(removal.steps == [10, 20] && removal.bytes > 100_000)
      #expect(files.fileExists(atPath: scratch("a") + "/run.h5"))
      #expect(try removal.carryOut().isEmpty)
      #expect(!files.fileExists(atPath: scratch("a")))
    }

    @Test func `what somebody else put there stays, and so does what a link points at`() throws {
      try writeRun(scratch("a"), steps: 30, checkpoints: [10])
      try writeRun(scratch("b"), steps: 30, checkpoints: [10])
      #expect(files.createFile(atPath: scratch("a") + "/notes.txt", contents: Data("mine".utf8)))
      #expect(files.createFile(atPath: scratch("a") + "/checkpoints/mine.h5", contents: Data("mine".utf8)))
      try files.createSymbolicLink(
        atPath: scratch("a") + "/checkpoints/000000020.h5",
        withDestinationPath: scratch("b") + "/checkpoints/000000010.h5")
      let strangers = try Removal(ofRun: scratch("a")).carryOut()
      #expect(strangers == ["checkpoints", "notes.txt"])
      #expect(try files.contentsOfDirectory(atPath: scratch("a") + "/checkpoints") == ["mine.h5"])
      #expect(try Verification(of: scratch("b")).isWhole)
      try files.createSymbolicLink(atPath: scratch("link"), withDestinationPath: scratch("b"))
      #expect(sentence { _ = try Removal(ofRun: scratch("link")) }.contains("is a link"))
      try files.createDirectory(atPath: scratch("other"), withIntermediateDirectories: true)
      #expect(sentence { _ = try Removal(ofRun: scratch("other")) }.contains("is not a run"))
      // Checkpoints that lie elsewhere are not removed there.
      try files.moveItem(atPath: scratch("b") + "/checkpoints", toPath: scratch("elsewhere"))
      try files.createSymbolicLink(atPath: scratch("b") + "/checkpoints", withDestinationPath: scratch("elsewhere"))
      _ = try Removal(ofRun: scratch("b")).carryOut()
      #expect(try files.contentsOfDirectory(atPath: scratch("elsewhere")) == ["000000010.h5"])
    }

    @Test func `a live run is never removed`() throws {
      let recorder = try Recorder(creating: scratch("a"), beginning: Sample.beginning("a"))
      _ = try recorder.save(Sample.checkpoint(10), isBest: false)
      for said in [
        sentence { _ = try Removal(ofRun: scratch("a")) },
        sentence { _ = try Removal(ofCheckpoints: scratch("a"), keeping: 1) },
      ] { #expect(said.contains("is being written by process")) }
      try recorder.close(.stopped)
      #expect(try StoredRun(opening: scratch("a")).checkpoints().map(\.step) == [10])
    }

    @Test func `checkpoints that the recipe keeps for ever stay, whatever became of run.h5`() throws {
      var recipe = Sample.recipe
      recipe.save.keep = 0
      recipe.save.keepEvery = 20
      let recorder = try Recorder(creating: scratch("a"), beginning: Sample.beginning("a", recipe: recipe))
      for step in [10, 20, 30, 40, 50] {
        _ = try recorder.save(Sample.checkpoint(step, recipe: recipe), isBest: false)
      }
      try recorder.close(.stopped)
      for isThere in [true, false] {
        if !isThere { try files.removeItem(atPath: scratch("a") + "/run.h5") }
        let removal = try Removal(ofCheckpoints: scratch("a"), keeping: 1)
        #expect(removal.steps == [10, 30] && removal.kept == [20, 40, 50])
      }
    }

    @Test func `the newest whole checkpoints and the best stay`() throws {
      var recipe = Sample.recipe
      recipe.save.keep = 0
      let recorder = try Recorder(creating: scratch("a"), beginning: Sample.beginning("a", recipe: recipe))
      for step in [10, 20, 30, 40, 50, 60] {
        _ = try recorder.save(Sample.checkpoint(step, recipe: recipe), isBest: step <= 20)
      }
      try recorder.close(.stopped)
      let newest = scratch("a") + "/checkpoints/000000060.h5"
      var damaged = try Data(contentsOf: URL(fileURLWithPath: newest))
      damaged[5000] ^= 1
      try damaged.write(to: URL(fileURLWithPath: newest))
      let removal = try Removal(ofCheckpoints: scratch("a"), keeping: 2)
      #expect(removal.steps == [10, 30] && removal.kept == [20, 40, 50])
      #expect(removal.warnings.count == 1 && removal.warnings[0].contains("000000060.h5 is damaged"))
      _ = try removal.carryOut()
      #expect(try StoredRun(opening: scratch("a")).checkpoints().map(\.step) == [20, 40, 50, 60])
      #expect(try Removal(ofCheckpoints: scratch("a"), keeping: 9).count == 0)
    }
  }
}
