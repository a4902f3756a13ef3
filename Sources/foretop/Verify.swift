// foretop verify: whether all of a stored run is as it was written.
import ArgumentParser
import Foundation
import Run
import RunFile
import TerminalUI

struct Verify: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Checks every checksum of a run, and everything that must hold between its numbers.",
    discussion: """
      Every row of run.h5, every entry of the journal, every byte of every checkpoint. Nothing is changed. The status is 65 \
      when something is wrong.
      """)

  @Argument(help: ArgumentHelp("The run's name.", valueName: "name"))
  var name: String

  @Flag(help: "Prints a JSON object a check and line.")
  var json = false

  @OptionGroup var place: FolderOptions

  func run() throws {
    let verification = try Verification(of: StoredRun.folder(name, in: place))
    for check in verification.checks { print(json ? check.json.line : check.words) }
    let problems = verification.checks.flatMap(\.problems)
    if !json {
      print(
        problems.isEmpty
          ? "run “\(name)” is as it was written: \(verification.checks.count) parts checked"
          : "run “\(name)” is damaged: \(problems.count) \(problems.count == 1 ? "problem" : "problems")")
    }
    if !verification.isWhole { throw Ended(status: UserError.Status.data.rawValue) }
  }
}

extension Verification.Check {
  fileprivate var words: String {
    var lines = ["\(problems.isEmpty ? "ok " : "BAD")  \(name)\(holds.isEmpty ? "" : ": \(holds)")"]
    lines += problems.map { "     wrong: \($0)" } + notes.map { "     note: \($0)" }
    return lines.joined(separator: "\n")
  }

  fileprivate var json: JSON {
    .object([
      JSON.Member("check", .text(name)), JSON.Member("isWhole", .flag(problems.isEmpty)),
      JSON.Member("holds", .text(holds)), JSON.Member("problems", .array(problems.map(JSON.text))),
      JSON.Member("notes", .array(notes.map(JSON.text))),
    ])
  }
}
