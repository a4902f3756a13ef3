// The question before something is removed: asked on a terminal, answered by --yes elsewhere.
import ArgumentParser
import Foundation
import Run

/// The option that answers the question beforehand.
struct ConsentOptions: ParsableArguments {
  @Flag(help: "Answers the question with yes.")
  var yes = false

  /// True if the user agrees.
  /// - Throws: `UserError` without a terminal to ask on.
  func agrees(_ question: String) throws -> Bool {
    if yes { return true }
    guard isatty(STDIN_FILENO) == 1, isatty(STDOUT_FILENO) == 1 else {
      throw UserError(.usage, "\(question) There is no terminal to ask on: add --yes to agree")
    }
    try Output.put(Array("\(question) [y/N] ".harmlessLine.utf8))
    let answer = (readLine() ?? "").trimmingSpaces.lowercased()
    return answer == "y" || answer == "yes"
  }
}
