// The program: its commands, and how errors become a sentence and a status.
import ArgumentParser
import Corpus
import Foundation
import Run
import RunFile
import Session

@main
struct Foretop: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "foretop",
    abstract: "Trains small language models on the CPU, while you watch and steer the run.",
    discussion: """
      A run trains a network to predict the next token (NTP) and the order of upcoming tokens (TOP). The screen shows \
      the progress, keys steer the run (? lists them), and HDF5 files in the folder runs/ store the results.

        foretop train                    trains on the default corpus
        foretop train tiny --steps 100   trains with another recipe and fewer steps
        foretop resume NAME              continues a run
        foretop attach NAME              shows the screen of a live run
        foretop tell NAME rate x0.5      steers a live run
        foretop                          shows all runs on a screen
        foretop runs                     lists all runs
      """,
    version: ProgramVersion.text,
    subcommands: [
      Train.self, Resume.self, BranchCommand.self, ReplayCommand.self, Attach.self, Tell.self, Watch.self,
      MCPCommand.self, ExperimentCommand.self, RecipesCommand.self, DataCommand.self, PlanCommand.self,
      Teach.self, BenchCommand.self,
      Runs.self, Inspect.self,
      Eval.self, Generate.self, Ask.self,
      Tokenize.self, LayoutCommand.self,
      NoteCommand.self, TagCommand.self, Verify.self, Recover.self, Snapshot.self, Tensors.self, Diff.self,
      Compare.self, Browse.self, Remove.self,
      Prune.self,
      ExportCommand.self, Import.self, Examine.self, Manual.self,
    ], defaultSubcommand: Browse.self)

  static func main() {
    FrontProcess.followParent()
    FrontProcess.takeName()
    Output.holdClosedStreams()
    // A file beyond its size limit is an error with a message, like a full disk, and does not end the process.
    signal(SIGXFSZ, SIG_IGN)
    Allocator.returnLargeBlocks()
    MemoryLimit.watch()
    Sandbox.use(Examine.command)
    let words = arguments
    if CommandStart.of(words)?.opensRun == true { Sandbox.startEarly { Examine.serve() } }
    do {
      if TerminalProcess.mayShowScreen(words) { Signals.endEarly() }
      try ForeignBytes.requireText(words)
      if words.first == "help", words.count > 1, let wrong = wrongCommand(words[1]) {
        throw UserError(.usage, naming("foretop --help", after: wrong))
      }
      // The process that examines files starts with every command that opens a run: it needs no parser of command lines.
      var command: any ParsableCommand =
        words == Array(Examine.command.dropFirst()) ? Examine() : try parsed(words)
      try command.run()
      finishOutput()
      LibraryExit.expect()
    } catch let error as UserError where error.status == .usage {
      leave(naming(helpPage(for: words), after: error.message), error.status.rawValue)
    } catch let error as UserError {
      leave(error.message, error.status.rawValue)
    } catch let error as CorpusError {
      leave(error.description, UserError(error).status.rawValue)
    } catch let error as Ended {
      LibraryExit.leave(error.status)
    } catch {
      let status = exitCode(for: error)
      // Help and version are not errors.
      guard status != .success else {
        print(fullMessage(for: error))
        finishOutput()
        LibraryExit.leave(0)
      }
      let wrong = words.first.flatMap(wrongCommand)
      leave(
        naming(helpPage(for: words), after: wrong ?? completed(message(for: error))), UserError.Status.usage.rawValue)
    }
  }

  /// Ends with an error if standard output could not be written.
  private static func finishOutput() {
    if let reason = Output.loss() {
      leave("standard output cannot be written: \(reason)", UserError.Status.inputOutput.rawValue)
    }
  }

  /// The command line, whose file names need not be UTF-8.
  private static var arguments: [String] {
    (1..<max(1, Int(CommandLine.argc))).compactMap { index in
      CommandLine.unsafeArgv[index].map { word in
        String(fileName: UnsafeRawBufferPointer(start: word, count: strlen(word)), isText: true)
      }
    }
  }

  private static func parsed(_ words: [String]) throws -> any ParsableCommand {
    // The tree of all commands says what is wrong with the words, and answers requests for help.
    if let command = CommandStart.of(words)?.alone, let parsed = try? command.parse(Array(words.dropFirst())) {
      return parsed
    }
    return try parseAsRoot(helpFirst(words))
  }

  /// `layout help check` as the parser takes it: `help layout check`.
  private static func helpFirst(_ words: [String]) -> [String] {
    guard words.count > 1, words[1] == "help",
      configuration.subcommands.contains(where: {
        $0.configuration.commandName == words[0] && !$0.configuration.subcommands.isEmpty
      })
    else { return words }
    return ["help", words[0]] + words.dropFirst(2)
  }

  /// The error for a word in the place of a command; nil if the word is a command. Commands that remove something are never
  /// suggested.
  private static func wrongCommand(_ word: String) -> String? {
    let names = configuration.subcommands.flatMap(names) + ["help"]
    guard !word.hasPrefix("-"), !names.contains(word) else { return nil }
    let harmless = names.filter { !["rm", "prune"].contains($0) }
    return "there is no command \(word.quotation)"
      + (harmless.nearest(to: word).map { "; did you mean “\($0)”?" } ?? "")
  }

  private static func leave(_ message: String, _ status: Int32) -> Never {
    // The message may quote foreign text of any length: one screen of it is enough.
    let shown = message.count > 2000 ? message.prefix(1200) + " … " + message.suffix(600) : message[...]
    Output.warn(String(shown).showingFileNames.harmless)
    LibraryExit.leave(status)
  }
}

/// Ends a command with a status, without a message.
struct Ended: Error {
  let status: Int32
}
