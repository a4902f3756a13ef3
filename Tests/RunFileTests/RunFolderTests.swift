// The names of a run's files: they are spelled in RunFolder, and a source file that spells one of them again is found.
import Foundation
import Testing

@testable import RunFile

extension RunFileTests {
  @Suite struct RunFolderTests {
    /// What a line of code must not have: a name as a whole literal or as the last part of a path, an end of a name, or a file
    /// within the folder of checkpoints. Sentences may name files.
    private static let spelled = [
      #"/(run\.h5|run\.journal|run\.lock|notes\.jsonl|control\.sock|checkpoints)"#,
      #""(run\.h5|run\.journal|run\.lock|notes\.jsonl|control\.sock)(\.[a-z]+)*["/]"#, #""checkpoints/"#,
      #""(\.h5)?\.(new|copy|before|replaced|damaged|h5)["-]"#,
    ]

    private let patterns: [Regex<AnyRegexOutput>]

    init() throws { patterns = try Self.spelled.map { try Regex($0) } }

    private func isSpelled(in line: String) throws -> Bool {
      // Nearly all lines have no literal, or none with a dot or a slash: they are passed over as bytes.
      guard line.utf8.contains(UInt8(ascii: "\"")), !line.trimmingCharacters(in: .whitespaces).hasPrefix("//"),
        ["run.", "checkpoints", "notes.", "control.", "\"."].contains(where: line.contains)
      else { return false }
      return try patterns.contains { try $0.firstMatch(in: line) != nil }
    }

    @Test(arguments: [
      #"let path = folder + "/run.h5""#, #"exists("run.journal")"#, #"["run.h5.new", "run.lock"]"#,
      #""cannot write \(folder)/run.h5: full""#, #"folder + "/checkpoints""#, #""checkpoints/\(name)""#,
      #"hasSuffix(".h5")"#, #"path + ".new""#, #""\(path)/notes.jsonl""#, #"hasSuffix(".h5.new")"#,
    ])
    func findsAName(line: String) throws { #expect(try isSpelled(in: line)) }

    @Test(arguments: [
      #"say("put run.journal back from a copy")"#, "/// `folder + \"/run.h5\"`", #"WorkerThread("checkpoints")"#,
      #"Check("run.h5 history")"#, #"print("5 checkpoints")"#,
    ])
    func allowsSentences(line: String) throws { #expect(try !isSpelled(in: line)) }

    /// No other source file has the literal of a run's file name.
    @Test func namesAreSpelledOnce() throws {
      let sources = URL(filePath: Program.root).appending(path: "Sources")
      let files = try #require(FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil))
      var read = 0
      for case let file as URL in files
      where file.pathExtension == "swift" && file.lastPathComponent != "RunFolder.swift" {
        read += 1
        for (index, line) in try String(contentsOf: file, encoding: .utf8).split(
          separator: "\n", omittingEmptySubsequences: false
        )
        .enumerated() {
          #expect(
            try !isSpelled(in: String(line)), "\(file.lastPathComponent):\(index + 1): take it from RunFolder")
        }
      }
      #expect(read > 100, "the sources are not where this test looks for them")
    }

    /// The contract with everyone who looks into a run's folder.
    @Test func namesOfFiles() {
      let run = RunFolder("runs/a")
      #expect(run.file == "runs/a/run.h5")
      #expect(run.journal == "runs/a/run.journal")
      #expect(run.lock == "runs/a/run.lock")
      #expect(run.notes == "runs/a/notes.jsonl")
      #expect(run.checkpoints == "runs/a/checkpoints")
      #expect(run.before == "runs/a/run.h5.before")
      #expect(run.copy == "runs/a/run.h5.copy")
      #expect(RunFolder.finished(RunFolder.unfinished(run.file)) == run.file)
      #expect(RunFolder.damaged(run.file, 1) == "runs/a/run.h5.damaged")
      #expect(RunFolder.damaged(run.file, 2) == "runs/a/run.h5.damaged-2")
      #expect(RunFolder.unfinishedCheckpoint(of: 1000) == ".000001000.h5.new")
      #expect(RunFolder.replaced(RunFolder.checkpoint(of: 1000)) == "000001000.h5.replaced")
    }

    @Test(arguments: [0, 1, 999_999_999, 1_000_000_000])
    func stepOfCheckpoint(step: Int) {
      let name = RunFolder.checkpoint(of: step)
      #expect(RunFolder.step(ofCheckpoint: name) == step)
      for name in [name, RunFolder.replaced(name), RunFolder.unfinishedCheckpoint(of: step)] {
        #expect(RunFolder.isOwnCheckpoint(name))
        #expect(!RunFolder.isOwnCheckpoint(name + "~"))
      }
      for other in ["0" + name, "." + name, name + "x", RunFolder.replaced(name)] {
        #expect(RunFolder.step(ofCheckpoint: other) == nil)
      }
    }

    @Test func ownFiles() {
      let run = RunFolder("")
      let own =
        [run.file, run.journal, run.notes, run.before] + run.unfinished
        + [run.file, run.journal, run.before].flatMap { [RunFolder.damaged($0, 1), RunFolder.damaged($0, 7)] }
      for path in own { #expect(RunFolder.isOwn(String(path.dropFirst())), "\(path)") }
      for name in ["notes.txt", "run.h5~", "run.h5.new.new", "plot.png", ""] { #expect(!RunFolder.isOwn(name)) }
    }
  }
}
