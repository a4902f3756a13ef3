// The gradients of parts of the network: columns of evaluations, as many as there are parts, and runs that have none.
import Foundation
import Run
import RunFile
import RunFileTorture
import Testing

extension RunFileTests {
  @Suite struct GradientTests {
    let scratch = ScratchFolder()

    private func beginning(_ name: String, blocks: Int) -> Beginning {
      var beginning = Sample.beginning(name)
      beginning.recipe.model.blocks = blocks
      return beginning
    }

    private func evaluation(_ step: Int, _ recipe: Recipe) -> Evaluation {
      var evaluation = Sample.evaluation(step)
      evaluation.gradients = recipe.tensorGroups.enumerated().map { index, group in
        GroupGradient(group: group, norm: Float(step + index), update: 1 / Float(step + index))
      }
      for index in evaluation.losses.indices { evaluation.losses[index].gradientAtH = Float(index) + 0.5 }
      return evaluation
    }

    private func evaluations(_ folder: String) throws -> [Evaluation] {
      try StoredRun(opening: folder).events().compactMap { if case .evaluated(let value) = $0 { value } else { nil } }
    }

    /// 130 blocks have more than 260 columns: rows of the journal count them in more than a byte.
    @Test(arguments: [1, 130]) func `every part has its columns, and a crash loses none`(blocks: Int) throws {
      let folder = scratch("a")
      let beginning = beginning("a", blocks: blocks)
      let recorder = try Recorder(creating: folder, beginning: beginning)
      let wanted = [2, 4].map { evaluation($0, beginning.recipe) }
      for step in 1...4 {
        _ = try recorder.record(.stepped(Sample.report(step)))
        for evaluation in wanted where evaluation.step == step { _ = try recorder.record(.evaluated(evaluation)) }
      }
      for copy in try scratch.crash(recorder) {
        let read = try evaluations(scratch(copy))
        #expect(read.map(\.gradients) == wanted.map(\.gradients), "\(copy)")
        #expect(read.map { $0.losses.map(\.gradientAtH) } == wanted.map { $0.losses.map(\.gradientAtH) }, "\(copy)")
        #expect(try Verification(of: scratch(copy)).isWhole)
      }
    }

    @Test func `a run that began without them goes on without them`() throws {
      let folder = scratch("a")
      let recorder = try Recorder(creating: folder, beginning: Sample.beginning("a"))
      try recorder.close(.stopped)
      for group in ["gradient", "gradient-at-h", "update"] {
        _ = try Program.script("without.py", folder + "/run.h5", "/heldout", group)
      }
      let later = try Recorder(resuming: folder, from: 0, beginning: Sample.beginning("a"))
      for step in 1...4 { _ = try later.record(.stepped(Sample.report(step))) }
      _ = try later.record(.evaluated(evaluation(4, Sample.beginning("a").recipe)))
      for copy in try scratch.crash(later, copies: ["lost"]) {
        let read = try evaluations(scratch(copy))
        #expect(read.map(\.step) == [4] && read.allSatisfy(\.gradients.isEmpty), "\(copy)")
        #expect(try Verification(of: scratch(copy)).isWhole)
      }
    }
  }
}
