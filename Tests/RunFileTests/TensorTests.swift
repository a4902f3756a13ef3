// Tensors in numbers.
import Foundation
import Run
import RunFile
import RunFileTorture
import Support
import Testing

extension RunFileTests {
  @Suite struct Tensors {
    let scratch = ScratchFolder()

    /// A checkpoint with one tensor of these numbers, padded on both sides.
    private func checkpoint(_ values: [Float], path: String = "a", shape: [Int]? = nil) -> Checkpoint {
      var checkpoint = Sample.checkpoint(1)
      checkpoint.tensors = [Checkpoint.Tensor(path: path, shape: shape ?? [values.count], offset: 3)]
      checkpoint.weights = [100, 100, 100] + values + [-100]
      return checkpoint
    }

    @Test func `tensors are read as they are asked for, and damage is known until the file is replaced`() throws {
      try writeRun(scratch("a"), steps: 30, checkpoints: [20, 30])
      var run = StoredTensors(of: scratch("a"))
      #expect(try run.steps() == [20, 30])
      let tensors = try run.tensors(ofStep: 30)
      let (checkpoint, _) = try StoredRun.checkpoint(in: scratch("a"), step: 30)
      #expect(tensors == checkpoint.tensors && tensors.count > 3)
      let wanted = [tensors[0], tensors[2]]
      let weights = try run.weights(ofStep: 30, of: Set(wanted.map(\.path)))
      #expect(weights.tensors.map(\.path) == wanted.map(\.path))
      for (read, whole) in zip(weights.tensors, wanted) {
        #expect(
          weights.numbers[read.offset..<read.offset + read.count]
            == checkpoint.weights[whole.offset..<whole.offset + whole.count])
      }
      // A bit of a number: names and shapes are still to be seen.
      let path = scratch("a/checkpoints/000000030.h5")
      let sound = try Data(contentsOf: URL(fileURLWithPath: path))
      var damaged = sound
      damaged[damaged.count - 100] ^= 1
      try damaged.write(to: URL(fileURLWithPath: path))
      #expect(try run.tensors(ofStep: 30) == tensors)
      let damage = #expect(throws: DamagedCheckpoint.self) { try run.weights(ofStep: 30, of: [tensors[0].path]) }
      #expect(damage?.step == 30 && "\(damage!.error)".contains("checksum"))
      #expect(sentence { _ = try run.tensors(ofStep: 30) }.contains("checksum"))
      #expect(try run.tensors(ofStep: 20) == tensors)
      try sound.write(to: URL(fileURLWithPath: path))
      #expect(try run.weights(ofStep: 30, of: [tensors[0].path]).tensors.count == 1)
      try FileManager.default.removeItem(atPath: path)
      #expect(sentence { _ = try run.tensors(ofStep: 30) }.contains("no checkpoint of step 30 any more"))
    }

    private func summary(_ values: [Float]) -> TensorSummary {
      let checkpoint = checkpoint(values)
      return TensorSummary(checkpoint.tensors[0], in: checkpoint.weights)
    }

    @Test func `a tensor is summed up by its own numbers alone`() {
      let summary = summary([3, -4, 0, 1])
      #expect(summary.count == 4 && summary.mean == 0 && summary.minimum == -4 && summary.maximum == 3)
      #expect(abs(summary.norm - 26.0.squareRoot()) < 1e-12)
      #expect(abs(summary.deviation - (26.0 / 4).squareRoot()) < 1e-12)
      #expect(summary.zeros == 1 && summary.nonFinite == 0)
    }

    @Test func `what is not finite is counted and not averaged`() {
      let some = summary([.nan, 2, .infinity, 4, -.infinity])
      #expect(some.nonFinite == 3 && some.mean == 3 && some.deviation == 1 && some.minimum == 2 && some.maximum == 4)
      let none = summary([.nan, .nan])
      #expect(none.nonFinite == 2 && none.mean.isNaN && none.minimum.isNaN && none.norm == 0)
    }

    @Test func `a small deviation around a large mean is not lost`() {
      let summary = summary((0..<1000).map { 10_000 + Float($0 % 2) / 512 })
      #expect(abs(summary.deviation - 1.0 / 1024) < 1e-9)
    }

    @Test func `a histogram counts every finite number once`() {
      let values = (0..<1000).map { Float($0) } + [.nan]
      let checkpoint = checkpoint(values)
      let histogram = Histogram(checkpoint.tensors[0], in: checkpoint.weights, parts: 10)
      #expect(histogram.counts.reduce(0, +) == 1000 && histogram.edges.count == 11)
      #expect(histogram.edges.first == 0 && histogram.edges.last == 999)
      #expect(histogram.counts.allSatisfy { $0 == 100 }, "\(histogram.counts)")
      let equal = self.checkpoint([5, 5, 5])
      let one = Histogram(equal.tensors[0], in: equal.weights)
      #expect(one.counts.reduce(0, +) == 3 && one.counts[one.counts.count / 2] == 3)
      let nothing = self.checkpoint([.nan])
      #expect(Histogram(nothing.tensors[0], in: nothing.weights).counts.isEmpty)
    }

    @Test func `two checkpoints differ by the norm of their difference`() {
      let same = TensorDifference.all(Sample.checkpoint(5), Sample.checkpoint(5))
      #expect(same.count == Sample.checkpoint(5).tensors.count && same.allSatisfy { $0.norm == 0 })
      let apart = TensorDifference.all(checkpoint([1, 2, 2]), checkpoint([1, 5, -2]))
      #expect(apart.map(\.norm) == [5] && apart.map(\.base) == [3])
      let others = TensorDifference.all(checkpoint([1, 2]), checkpoint([1, 2], path: "b"))
      #expect(others.map(\.path) == ["a", "b"] && others.allSatisfy { $0.norm == nil })
      let shapes = TensorDifference.all(checkpoint([1, 2], shape: [1, 2]), checkpoint([1, 2], shape: [2, 1]))
      #expect(shapes.map(\.norm) == [nil] && shapes[0].shapes.b == [2, 1])
    }
  }
}
