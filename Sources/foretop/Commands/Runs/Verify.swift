// foretop verify: checks that a stored run is as it was written.
import ArgumentParser
import Foundation
import Run
import RunFile
import TerminalUI

struct Verify: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Checks every checksum of runs, and the consistency of their files.",
    discussion: """
      The command checks every row of run.h5, every entry of the journal, and every byte of every checkpoint, and \
      changes nothing. --json prints one object per check. The exit status is 65 when a check fails.
      """)

  @OptionGroup var which: RunsArgument

  @OptionGroup var output: JSONOption

  @OptionGroup var place: FolderOptions

  func run() throws {
    let folders = try which.names.map { (name: $0, folder: try RunLookup.folder($0, in: place)) }
    StoredRun.prepare(folders.map(\.folder), withCheckpoints: true)
    var isWhole = true
    for (name, folder) in folders {
      let verification = try Verification(of: folder)
      isWhole = isWhole && verification.isWhole
      for check in verification.checks { print(output.json ? check.json(of: name).line : check.words.harmless) }
      let count = verification.checks.reduce(0) { $0 + $1.problems.count }
      if !output.json {
        print(
          count == 0
            ? "run “\(name)” is undamaged: \(verification.checks.count) parts checked"
            : "run “\(name)” is damaged: \(count) \(count == 1 ? "problem" : "problems")")
      }
    }
    if !isWhole { throw Ended(status: UserError.Status.data.rawValue) }
  }
}

extension Verification.Check {
  fileprivate var words: String {
    var lines = ["\(problems.isEmpty ? "ok " : "BAD")  \(name)\(holds.isEmpty ? "" : ": \(holds)")"]
    lines += problems.map { "     wrong: \($0)" } + notes.map { "     note: \($0)" }
    return lines.joined(separator: "\n")
  }

  fileprivate func json(of run: String) -> JSON {
    .object([
      JSON.Member("run", .text(run)), JSON.Member("check", .text(name)),
      JSON.Member("isWhole", .flag(problems.isEmpty)),
      JSON.Member("holds", .text(holds)), JSON.Member("problems", .array(problems.map(JSON.text))),
      JSON.Member("notes", .array(notes.map(JSON.text))),
    ])
  }
}
