// The names in the files are a contract with everybody who opens them; h5py opens them here.
import Foundation
import Run
import RunFile
import RunFileTorture
import Testing

extension RunFileTests {
  @Suite struct Contract {
    let scratch = ScratchFolder()

    @Test func `run.h5 has the layout that is documented`() throws {
      try writeRun(scratch("a"), steps: 30)
      let found = try Program.script("layout.py", scratch("a") + "/run.h5").split(separator: "\n").map(String.init)
      let wanted = try String(contentsOfFile: Program.root + "/Tests/RunFileTests/Readers/layout.txt", encoding: .utf8)
        .split(separator: "\n").map(String.init)
      #expect(Set(found).subtracting(wanted) == [], "not in the contract")
      #expect(Set(wanted).subtracting(found) == [], "missing in the file")
    }

    @Test func `a checkpoint has Hugging Face names for anybody who opens it`() throws {
      try writeRun(scratch("a"), steps: 5, checkpoints: [5])
      let found = try Program.script("checkpoint.py", scratch("a") + "/checkpoints/000000005.h5")
      let checkpoint = Sample.checkpoint(5)
      func line(_ path: String) throws -> String {
        let tensor = try #require(checkpoint.tensors.first { $0.path == path })
        let first = Double(checkpoint.weights[tensor.offset + 1])
        let last = Double(checkpoint.weights[tensor.offset + tensor.count - 1])
        return "model/\(path) float32 (\(tensor.shape[0]), \(tensor.shape[1])) \(first) \(last)\n"
      }
      let wanted =
        try line("model/layers/0/self_attn/k_proj/weight") + line("lm_head/weight") + line("top_head/weight")
        + "['exp_avg', 'exp_avg_sq'] (8,)\n5 1.1 \(String(decoding: checkpoint.tokenizer.model, as: UTF8.self))\n"
      #expect(found == wanted)
    }

    @Test func `h5py reads a run while it is written`() throws {
      let writer = try Writer(scratch("a"), pause: 200)
      try writer.hear { $0.lines >= 2 }
      writer.goOnUnheard()
      let output = try Program.script("live.py", scratch("a") + "/run.h5", "10")
      #expect(output.hasPrefix("10 times there were more rows"), "\(output)")
      try writer.end()
    }

    @Test func `this program reads a run while another writes it`() throws {
      let writer = try Writer(scratch("a"), pause: 100)
      try writer.hear { $0.lines >= 2 }
      writer.goOnUnheard()
      let limit = Limit()
      var (growths, seen) = (0, 0)
      while growths < 5 {
        let archive = try StoredRun(opening: scratch("a"))
        let steps = try archive.events().compactMap { if case .stepped(let report) = $0 { report } else { nil } }
        #expect(steps.count >= seen)
        for (index, step) in steps.enumerated() where step != Sample.report(index + 1) {
          Issue.record("step \(index + 1) was read wrong")
        }
        if steps.count > seen { growths += 1 }
        seen = steps.count
        try limit.check("there are more rows than \(seen)")
      }
      try writer.end()
    }
  }
}
