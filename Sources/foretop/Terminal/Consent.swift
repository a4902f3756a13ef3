// A question before something is taken away: asked on a terminal, and answered by --yes elsewhere.
import ArgumentParser
import Foundation
import Run

/// What answers the question beforehand.
struct ConsentOptions: ParsableArguments {
  @Flag(help: "Agrees without being asked.")
  var yes = false

  /// Whether the user agrees.
  /// - Throws: `UserError` where nobody is there to be asked.
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
