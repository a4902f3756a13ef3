// Checkpoints: which stay, and what becomes of damaged ones.
import Foundation
import Run
import RunFile
import RunFileTorture
import Support
import Testing

extension RunFileTests {
  @Suite struct Checkpoints {
    let scratch = ScratchFolder()

    private func steps(_ folder: String) throws -> [Int] { try StoredRun(opening: folder).checkpoints().map(\.step) }

    @Test func `the newest and the best are kept`() throws {
      for (keep, wanted) in [(2, [20, 40, 50]), (1, [20, 50]), (0, [10, 20, 30, 40, 50])] {
        var recipe = Sample.recipe
        recipe.save.keep = keep
        let folder = scratch("keep\(keep)")
        let recorder = try Recorder(creating: folder, beginning: Sample.beginning("x", recipe: recipe))
        for step in [10, 20, 30, 40, 50] {
          let saved = try recorder.save(Sample.checkpoint(step, recipe: recipe), isBest: step <= 20)
          #expect(saved.kind == .saved && saved.step == step)
          #expect(saved.text.hasPrefix("saved checkpoints/0000000\(step).h5  "))
        }
        try recorder.close(.stopped)
        #expect(try steps(folder) == wanted)
      }
    }

    @Test func `a spoilt checkpoint is never the best`() throws {
      let folder = scratch("a")
      let recorder = try Recorder(creating: folder, beginning: Sample.beginning("a"))
      func save(_ step: Int, isSpoilt: Bool, isBest: Bool = true) throws -> Occurrence {
        var checkpoint = Sample.checkpoint(step)
        checkpoint.state.guarded = GuardState()
        checkpoint.state.guarded?.isExploded = isSpoilt
        return try recorder.save(checkpoint, isBest: isBest)
      }
      let first = try save(10, isSpoilt: true)
      #expect(first.key == Occurrence.spoilt && first.text.hasSuffix("; its weights are spoilt"))
      #expect(sentence { _ = try StoredRun.bestStep(in: folder) }.contains("has no best checkpoint"))
      #expect(try save(20, isSpoilt: false).key == "best")
      #expect(try save(30, isSpoilt: false, isBest: false).key == "")
      #expect(try save(40, isSpoilt: true).key == Occurrence.spoilt)
      try recorder.close(.stopped)
      let run = try StoredRun(opening: folder)
      #expect(try run.bestStep() == 20)
      #expect([20, 30, 40].map { run.verdict(onCheckpoint: $0)?.isSpoilt } == [false, false, true])
    }

    @Test func `a checkpoint that another program wrote into is said to be that`() throws {
      try writeRun(scratch("a"), steps: 20, checkpoints: [10, 20])
      let path = scratch("a") + "/checkpoints/000000020.h5"
      let code = "import h5py, sys\nwith h5py.File(sys.argv[1], 'r+') as file: file.attrs['note'] = 'mine'"
      #expect(try Program.run(Program.python(), ["-c", code, path]).status == 0)
      let (read, warnings) = try StoredRun(opening: scratch("a")).checkpoint()
      #expect(read.state.step == 10)
      #expect(
        warnings == [
          "\(path) is damaged: another program, such as h5py, changed it after foretop wrote it, and checkpoints are not to be "
            + "edited; put it back from a copy; the checkpoint of step 10 is used"
        ])
    }

    @Test func `a weight that is no number never becomes a checkpoint`() throws {
      let recorder = try Recorder(creating: scratch("a"), beginning: Sample.beginning("a"))
      _ = try recorder.save(Sample.checkpoint(10), isBest: true)
      for value in [Float.nan, .infinity, -.infinity] {
        var broken = Sample.checkpoint(20)
        broken.weights[broken.tensors[3].offset + 5] = value
        let said = sentence { _ = try recorder.save(broken, isBest: false) }
        #expect(said.contains("weights of model/layers/0/self_attn/k_proj/weight are not finite at step 20"))
        broken = Sample.checkpoint(20)
        broken.secondMoments[0] = value
        #expect(sentence { _ = try recorder.save(broken, isBest: false) }.contains("second moments"))
      }
      try recorder.close(.stopped)
      #expect(try steps(scratch("a")) == [10])
      #expect(try FileManager.default.contentsOfDirectory(atPath: scratch("a") + "/checkpoints") == ["000000010.h5"])
    }

    @Test func `every damage is found, and an older one is taken`() throws {
      try writeRun(scratch("a"), steps: 20, checkpoints: [10, 20])
      let path = scratch("a") + "/checkpoints/000000020.h5"
      let whole = try Data(contentsOf: URL(fileURLWithPath: path))
      let archive = try StoredRun(opening: scratch("a"))
      var dice = Dice(for: "damaged checkpoints")
      var damages = 0
      func expectFound(_ damaged: Data, _ what: String) throws {
        guard damaged != whole else { return }
        damages += 1
        try damaged.write(to: URL(fileURLWithPath: path))
        if sentence({ _ = try archive.checkpoint(step: 20) }).isEmpty { Issue.record("not found: \(what)") }
        guard damages % 25 == 0 else { return }
        let (read, warnings) = try archive.checkpoint()
        #expect(read.state.step == 10 && read.weights == Sample.checkpoint(10).weights)
        #expect(warnings.count == 1 && warnings[0].contains("000000020.h5 is damaged"))
      }
      for _ in 0..<(Trial.isFull ? 5000 : 200) {
        var damaged = whole
        let bit = Int.random(in: 0..<whole.count * 8, using: &dice)
        damaged[bit / 8] ^= 1 << UInt8(bit % 8)
        try expectFound(damaged, "bit \(bit)")
      }
      for bit in (whole.count - 32) * 8..<whole.count * 8 {
        var damaged = whole
        damaged[bit / 8] ^= 1 << UInt8(bit % 8)
        try expectFound(damaged, "bit \(bit) of the trailer")
      }
      for _ in 0..<(Trial.isFull ? 2500 : 100) {
        let length = Int.random(in: 0..<whole.count, using: &dice)
        try expectFound(whole.prefix(length), "cut to \(length)")
        let sector = Int.random(in: 0..<whole.count / 512, using: &dice)
        var damaged = whole
        damaged.replaceSubrange(sector * 512..<(sector + 1) * 512, with: Data(count: 512))
        try expectFound(damaged, "sector \(sector)")
      }
      for length in (whole.count - 40)..<whole.count { try expectFound(whole.prefix(length), "cut to \(length)") }
      try expectFound(whole + Data([0]), "a byte more")
      #expect(damages > 600)
      try whole.write(to: URL(fileURLWithPath: path))
      #expect(try archive.checkpoint().checkpoint.state.step == 20)
    }

    @Test func `a checkpoint that does not fit its recipe is refused`() throws {
      func refusal(_ change: (inout Checkpoint) -> Void) throws -> String {
        let folder = scratch(UUID().uuidString)
        let recorder = try Recorder(creating: folder, beginning: Sample.beginning("x"))
        var checkpoint = Sample.checkpoint(1)
        change(&checkpoint)
        _ = try recorder.save(checkpoint, isBest: false)
        try recorder.close(.stopped)
        return sentence { _ = try StoredRun(opening: folder).checkpoint(step: 1) }
      }
      #expect(try refusal { $0.recipe.model.width = 16 }.contains("but the recipe's model needs ["))
      #expect(try refusal { $0.recipe.model.blocks = 3 }.contains("model/layers/2/"))
      #expect(try refusal { $0.recipe.model.blocks = 1 }.contains("is not a tensor of the recipe's model"))
      #expect(try refusal { $0.tokenizer.vocabulary = 21 }.contains("[21, 8]"))
      #expect(try refusal { $0.recipe.objective.top = 0 }.contains("top_head/weight"))
      #expect(try refusal { $0.tensors[1].offset = 0 }.contains("overlaps another tensor"))
      #expect(try refusal { $0.tensors[0].path = "model/other" }.contains("model/other"))
      #expect(try refusal { _ in }.isEmpty)
    }

    @Test func `what is missing is said`() throws {
      try writeRun(scratch("a"), steps: 20, checkpoints: [10])
      let archive = try StoredRun(opening: scratch("a"))
      #expect(sentence { _ = try archive.checkpoint(step: 11) } == "run “a” has no checkpoint of step 11, only of 10")
      try writeRun(scratch("b"), steps: 20)
      #expect(
        sentence { _ = try StoredRun(opening: scratch("b")).checkpoint() }.contains("run “b” has no checkpoint yet"))
    }
  }
}
