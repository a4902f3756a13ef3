// Every stored input of every target, once: the corpus of `make fuzz`, and what was found with it.
import Foundation
import FuzzTargets
import Support
import Testing

@Suite struct FuzzTests {
  private static let corpus = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "corpus")

  private static func inputs(of target: FuzzTarget) throws -> [URL] {
    try FileManager.default.contentsOfDirectory(
      at: corpus.appending(path: target.name), includingPropertiesForKeys: nil
    ).sorted { $0.path < $1.path }
  }

  // One after the other: the readers share a file.
  @Test func `every stored input is read or refused, and so are its beginnings and changes`() throws {
    var dice = Dice(for: "fuzz")
    for target in FuzzTarget.all {
      let inputs = try Self.inputs(of: target)
      #expect(!inputs.isEmpty, "\(target.name) has no input to begin with")
      for input in inputs {
        let bytes = Array(try Data(contentsOf: input))
        target.read(bytes)
        for _ in 0..<20 {
          target.read(Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &dice))))
          var changed = bytes
          for _ in 0..<Int.random(in: 1...4, using: &dice) where !changed.isEmpty {
            changed[Int.random(in: 0..<changed.count, using: &dice)] = UInt8.random(in: 0...255, using: &dice)
          }
          target.read(changed)
        }
      }
    }
  }

  @Test func `there are inputs for targets alone`() throws {
    let folders = try FileManager.default.contentsOfDirectory(atPath: Self.corpus.path)
    #expect(Set(folders) == Set(FuzzTarget.all.map(\.name)))
  }
}
