// foretop tell: a command for a run that another process trains.
import ArgumentParser
import Foundation
import Run
import Session

struct Tell: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Sends a command to a run that another process trains, and prints the answer.",
    discussion: """
      The commands, which can also be typed after : on the screen:

      \(HelpTable.text(CommandForm.all.map { ($0.usage, $0.about) }))

      A change of the rate by more than ten times within ten steps, or of a weight by more than ten times, is refused unless --yes \
      is given. “back” answers with the name of the branch as which the run goes on.

      The answer comes when the command has been carried out: at once, or at the end of a step. “step N” is answered after N \
      steps, “until” at once. Exit statuses: 0 done, 1 refused, 64 no such command, 66 no such run, 69 no process trains the run.
      """)

  @OptionGroup var which: RunArgument

  // Arguments such as -0.1 are no options.
  @Argument(parsing: .allUnrecognized, help: ArgumentHelp("The command with its arguments.", valueName: "command"))
  var words: [String]

  @Flag(help: "Says yes to a change of the rate or of a weight by more than ten times.")
  var yes = false

  @OptionGroup var output: JSONOption

  @OptionGroup var place: FolderOptions

  func run() throws {
    let line = words.joined(separator: " ")
    // A wrong command is refused without asking the run.
    _ = try Command(typed: line)
    let client = try ControlClient(folder: RunLookup.folder(which.name, in: place), name: which.name)
    if let preparing = client.preparing {
      Output.warn(
        "run “\(which.name)” is being set up (\(preparing)): the command waits until it has begun".harmlessLine)
    }
    try client.send(
      .object(
        [JSON.Member("id", .integer(1)), JSON.Member("as", .text("tell")), JSON.Member("command", .text(line))]
          // A process of an earlier version does not know the key.
          + (yes ? [JSON.Member("yes", .flag(true))] : [])))
    while let message = try client.next() {
      guard message["answer"] == .integer(1), let text = message["text"]?.string else { continue }
      let isDone = message["status"]?.string == "done"
      let step = message["step"]?.whole ?? 0
      if output.json {
        print(message.line)
      } else if isDone {
        let shown = Figure.grouped(step)
        print(text.hasSuffix("at step \(shown)") ? text : "\(text) (step \(shown))")
      } else {
        Output.warn("refused: \(text)".harmlessLine)
      }
      throw Ended(status: isDone ? 0 : 1)
    }
    throw UserError(.unavailable, "the process that trains run “\(which.name)” ended before it answered")
  }
}
