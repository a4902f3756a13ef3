// Numbers of diagnostics: columns for those that the recipe names, whatever crashes, and none for a run that began without them.
import Foundation
import Run
import RunFile
import RunFileTorture
import Testing

extension RunFileTests {
  @Suite struct DiagnosticColumnTests {
    let scratch = ScratchFolder()

    private func beginning(_ name: String, every: Int) -> Beginning {
      var beginning = Sample.beginning(name)
      for kind in DiagnosticKind.all { beginning.recipe.measure[every: kind.name] = every }
      return beginning
    }

    /// Every second evaluation measures, and one number is missing.
    private func evaluation(_ step: Int, _ recipe: Recipe) -> Evaluation {
      var evaluation = Sample.evaluation(step)
      guard step % 4 == 0 else { return evaluation }
      evaluation.diagnostics = recipe.diagnosticNumbers.enumerated().compactMap { index, number in
        index == 5 ? nil : MeasuredNumber(number.path, Double(step + index) / 8)
      }
      return evaluation
    }

    private func evaluations(_ folder: String) throws -> [Evaluation] {
      try StoredRun(opening: folder).events().compactMap { if case .evaluated(let value) = $0 { value } else { nil } }
    }

    @Test func `every number has its column, and a crash loses none`() throws {
      let folder = scratch("a")
      let beginning = beginning("a", every: 2)
      let recorder = try Recorder(creating: folder, beginning: beginning)
      let wanted = [2, 4, 6, 8].map { evaluation($0, beginning.recipe) }
      #expect(wanted[1].diagnostics.count > 100)
      for step in 1...8 {
        _ = try recorder.record(.stepped(Sample.report(step)))
        for evaluation in wanted where evaluation.step == step { _ = try recorder.record(.evaluated(evaluation)) }
      }
      for copy in try scratch.crash(recorder) {
        #expect(try evaluations(scratch(copy)).map(\.diagnostics) == wanted.map(\.diagnostics), "\(copy)")
        #expect(try Verification(of: scratch(copy)).isWhole)
      }
    }

    @Test func `a run that began without them stores none later`() throws {
      let folder = scratch("a")
      try Recorder(creating: folder, beginning: Sample.beginning("a")).close(.stopped)
      let later = beginning("a", every: 1)
      let recorder = try Recorder(resuming: folder, from: 0, beginning: later)
      for step in 1...4 { _ = try recorder.record(.stepped(Sample.report(step))) }
      _ = try recorder.record(.evaluated(evaluation(4, later.recipe)))
      for copy in try scratch.crash(recorder, copies: ["killed"]) {
        let read = try evaluations(scratch(copy))
        #expect(read.map(\.step) == [4] && read.allSatisfy(\.diagnostics.isEmpty), "\(copy)")
        #expect(try Verification(of: scratch(copy)).isWhole)
      }
    }
  }
}
