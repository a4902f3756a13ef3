// The names in the files are a contract with everybody who opens them; h5py opens them here.
import Foundation
import Run
import RunFile
import RunFileTorture
import Testing

extension RunFileTests {
  @Suite struct Contract {
    let scratch = Scratch()

    @Test func `run.h5 has the layout that is documented`() throws {
      try writeRun(scratch("a"), steps: 30)
      let found = try Program.script("layout.py", scratch("a") + "/run.h5").split(separator: "\n").map(String.init)
      let wanted = try String(contentsOfFile: Program.root + "/Tests/RunFileTests/layout.txt", encoding: .utf8)
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
      let writer = Process()
      writer.executableURL = URL(fileURLWithPath: try Program.torture())
      writer.arguments = ["write", scratch("a"), "6000", "200"]
      writer.standardOutput = FileHandle.nullDevice
      try writer.run()
      defer { writer.waitUntilExit() }
      while !FileManager.default.fileExists(atPath: scratch("a") + "/run.h5") { usleep(1000) }
      let output = try Program.script("live.py", scratch("a") + "/run.h5", "5900")
      let words = output.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
      try #require(words.count == 2)
      #expect(words[0] >= 10, "only \(words[0]) reads")
    }

    @Test func `this program reads a run while another writes it`() throws {
      let writer = Process()
      writer.executableURL = URL(fileURLWithPath: try Program.torture())
      writer.arguments = ["write", scratch("a"), "3000", "100"]
      writer.standardOutput = FileHandle.nullDevice
      try writer.run()
      defer { writer.waitUntilExit() }
      while !FileManager.default.fileExists(atPath: scratch("a") + "/run.h5") { usleep(1000) }
      var reads = 0
      var seen = 0
      while writer.isRunning {
        let archive = try Archive(opening: scratch("a"))
        let steps = try archive.events().compactMap { if case .stepped(let report) = $0 { report } else { nil } }
        #expect(steps.count >= seen)
        for (index, step) in steps.enumerated() where step != Sample.report(index + 1) {
          Issue.record("step \(index + 1) was read wrong")
        }
        seen = steps.count
        reads += 1
      }
      #expect(reads >= 3 && seen > 0, "\(reads) reads, \(seen) rows")
    }
  }
}
