// What the program must know of a command before its words are parsed, so that the command's screen comes soon: a row each.
import ArgumentParser

/// How a command begins. Commands without a row have no screen and begin by parsing.
struct CommandStart {
  /// True if the command may take the terminal for a screen.
  var hasScreen = true
  /// True if the command opens a run's file first of all, so that the examining process is worth an early start.
  var opensRun = false
  /// The command where it can be parsed by itself: making the tree of all commands takes a while.
  var alone: (any ParsableCommand.Type)?

  private static let table: [String: CommandStart] = [
    "train": CommandStart(), "resume": CommandStart(), "branch": CommandStart(), "experiment": CommandStart(),
    "browse": CommandStart(alone: Browse.self), "data": CommandStart(alone: DataCommand.self),
    "inspect": CommandStart(opensRun: true, alone: Inspect.self),
    "show": CommandStart(opensRun: true, alone: Inspect.self),
    "compare": CommandStart(opensRun: true, alone: Compare.self),
    "tensors": CommandStart(opensRun: true, alone: Tensors.self),
    "attach": CommandStart(opensRun: true, alone: Attach.self),
    "diff": CommandStart(hasScreen: false, opensRun: true),
  ]

  /// The row of a command line's first word.
  static func of(_ words: [String]) -> CommandStart? { words.first.flatMap { table[$0] } }
}
