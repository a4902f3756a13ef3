// Checkpoints without the moments of some tensors: as files.
import Foundation
import Run
import RunFile
import RunFileTorture
import Testing

extension RunFileTests {
  @Suite struct WeightsOnlyFileTests {
    let scratch = ScratchFolder()

    private var recipe: Recipe {
      var recipe = Sample.recipe
      recipe.model.memory.keys = 4
      (recipe.model.memory.keyWidth, recipe.model.memory.top, recipe.model.memory.candidates) = (4, 4, 2)
      (recipe.model.memory.valueWidth, recipe.model.memory.preWidth) = (16, 16)
      recipe.save.weightsOnly = true
      return recipe
    }

    /// A checkpoint of that recipe's network.
    private func checkpoint(_ step: Int, leaves: Bool = true) -> Checkpoint {
      var checkpoint = Sample.checkpoint(step)
      checkpoint.recipe = recipe
      checkpoint.recipe.save.weightsOnly = leaves
      checkpoint.tensors = []
      var (count, moments) = (0, 0)
      for tensor in recipe.shape(vocabulary: 20).tensors {
        if tensor.section == .memory, moments == 0 { moments = count }
        checkpoint.tensors.append(Checkpoint.Tensor(path: tensor.path, shape: tensor.shape, offset: count))
        count += (tensor.count + 15) / 16 * 16
      }
      func block(_ count: Int, _ sign: Float) -> [Float] {
        var block = [Float](repeating: 0, count: count)
        for tensor in checkpoint.tensors where tensor.offset + tensor.count <= count {
          for place in tensor.offset..<tensor.offset + tensor.count { block[place] = sign * Float(place % 1000 + step) }
        }
        return block
      }
      checkpoint.weights = block(count, 1)
      checkpoint.firstMoments = block(leaves ? moments : count, -1)
      checkpoint.secondMoments = block(leaves ? moments : count, 2)
      return checkpoint
    }

    private func write(_ checkpoints: [Checkpoint]) throws {
      var beginning = Sample.beginning("a")
      beginning.recipe = recipe
      let recorder = try Recorder(creating: scratch("a"), beginning: beginning)
      for checkpoint in checkpoints {
        for step in 1...checkpoint.state.step where step > checkpoint.state.step - 10 {
          _ = try recorder.record(.stepped(Sample.report(step)))
        }
        _ = try recorder.save(checkpoint, isBest: false)
      }
      try recorder.close(.stopped)
    }

    @Test func `what is in them comes back to the bit, and files are as small as they can be`() throws {
      let written = [checkpoint(10), checkpoint(20, leaves: false)]
      try write(written)
      let run = try StoredRun(opening: scratch("a"))
      for wanted in written {
        let read = try run.checkpoint(step: wanted.state.step).checkpoint
        #expect(read.tensors == wanted.tensors && read.weights == wanted.weights)
        #expect(read.tensorsWithMoments == wanted.tensorsWithMoments)
        for tensor in wanted.tensorsWithMoments {
          let range = tensor.offset..<tensor.offset + tensor.count
          #expect(read.firstMoments[range] == wanted.firstMoments[range])
          #expect(read.secondMoments[range] == wanted.secondMoments[range])
        }
      }
      let tables = written[0].tensors.count - written[0].tensorsWithMoments.count
      #expect(tables == recipe.memoryGroups.count && tables > 0)
      func size(_ step: Int) throws -> Int {
        let path = scratch("a") + "/checkpoints/" + String(format: "%09d.h5", step)
        return try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0
      }
      #expect(try size(20) - size(10) >= tables * 16 * 32 * 4 * 2)
      #expect(try Verification(of: scratch("a")).isWhole)
      // Weights alone are read as ever.
      let names = Set(try run.checkpoint(step: 10).checkpoint.tensors.map(\.path))
      #expect(names == Set(recipe.shape(vocabulary: 20).tensors.map(\.path)))
    }

    @Test func `moments that are missing without the recipe saying so are damage`() throws {
      try write([checkpoint(20, leaves: false)])
      let path = scratch("a") + "/checkpoints/000000020.h5"
      let code = """
        import sys, h5py
        with h5py.File(sys.argv[1], "r+") as file:
            del file["/optimizer/exp_avg/model/layers/0/memory/table/weight"]
        """
      #expect(try Program.run(Program.python(), ["-c", code, path]).status == 0)
      #expect(throws: UserError.self) { try StoredRun(opening: scratch("a")).checkpoint(step: 20) }
    }
  }
}
