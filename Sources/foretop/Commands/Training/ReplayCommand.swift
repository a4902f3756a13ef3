// foretop replay: trains a stored run again, and compares every number.
import ArgumentParser
import Corpus
import Foundation
import Run
import RunFile
import Session
import TerminalUI
import Training

struct ReplayCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay",
    abstract: "Trains a stored run again, with the same commands at the same steps, and compares every number.",
    discussion: """
      Losses, KL divergences, rates and gradient norms must equal the stored ones to the bit. The run is not changed. \
      The replay uses the run's number of threads; for a run of several ranks, mpirun starts as many. \
      Held-out losses and samples are left out, since they depend only on \
      the weights.

      If the machine, the program's version or the text differ from those in run.h5, the replay is refused. --anyway \
      replays nevertheless, continues after a difference, and reports how closely the numbers agree.

      Exit statuses: 0 every number is the same, 1 a number differs (it is printed with both values), 69 refused.
      """)

  @OptionGroup var which: RunArgument

  @Option(value: "step", "The last step to replay, or a checkpoint's name. Default: the last stored step.")
  var to: CheckpointChoice?

  @Option(value: "step", "The step or the name of the checkpoint to begin at. Default: the run's beginning.")
  var from: CheckpointChoice?

  @Flag(
    help: "Replays on another machine, with another version or another text, and reports how closely the numbers agree."
  )
  var anyway = false

  @OptionGroup var output: JSONOption

  @OptionGroup var place: FolderOptions

  func run() throws { try RankStart.computing { ranks in try run(with: ranks) } }

  private func run(with ranks: Ranks?) throws {
    let run = try RunLookup.archive(which.name, in: place)
    let runs = place.runs
    let replay = try RunReplay(
      of: run, in: runs, source: { try Corpus.Source($0, runs: runs) }, from: try from?.step(in: run.folder),
      to: try to?.step(in: run.folder), ranks: ranks)
    let (reasons, unknown) = try replay.differences()
    guard anyway || reasons.isEmpty else {
      throw UserError(
        .unavailable,
        "run “\(which.name)” is not replayed here: \(reasons.joined(separator: "; ")). --anyway replays nevertheless"
      )
    }
    for sentence in reasons + unknown { say(sentence) }
    var last = ContinuousClock.now
    let verdict = try replay.run(isAnyway: anyway, say: say) { step in
      guard ContinuousClock.now - last >= .seconds(2) else { return }
      last = .now
      progress(step, of: replay.last)
    }
    conclude(verdict, replay)
    fflush(nil)
    throw Ended(status: verdict.isSame ? 0 : 1)
  }

  private func say(_ sentence: String) {
    if output.json {
      print(JSON.object([JSON.Member("event", .text("notice")), JSON.Member("text", .text(sentence))]).line)
    } else {
      Output.warn(sentence.harmlessLine)
    }
  }

  private func progress(_ step: Int, of last: Int) {
    if output.json {
      print(
        JSON.object([
          JSON.Member("event", .text("progress")), JSON.Member("step", .integer(step)),
          JSON.Member("last", .integer(last)),
        ]).line)
    } else {
      print("step \(Figure.grouped(step)) of \(Figure.grouped(last))")
    }
    fflush(nil)
  }

  private func conclude(_ verdict: RunReplay.Verdict, _ replay: RunReplay) {
    if output.json {
      var members = [
        JSON.Member("event", .text("verdict")), JSON.Member("same", .flag(verdict.isSame)),
        JSON.Member("from", .integer(replay.first)), JSON.Member("to", .integer(replay.last)),
        JSON.Member("steps", .integer(verdict.steps)), JSON.Member("sameSteps", .integer(verdict.same)),
        JSON.Member("missing", .integer(verdict.missing)),
      ]
      if let difference = verdict.difference {
        members += [
          JSON.Member(
            "difference",
            .object([
              JSON.Member("step", .integer(difference.step)), JSON.Member("column", .text(difference.column)),
              JSON.Member("stored", .double(difference.stored)), JSON.Member("replayed", .double(difference.replayed)),
            ])), JSON.Member("largestRelative", .double(verdict.largest.relative)),
        ]
      }
      return print(JSON.object(members).line)
    }
    let steps = "steps \(Figure.grouped(replay.first + 1)) to \(Figure.grouped(replay.last))"
    if verdict.isSame {
      return print("the same: \(steps) of “\(which.name)” are reproduced, every loss and norm to the bit".harmlessLine)
    }
    if let difference = verdict.difference {
      print(
        "different: step \(Figure.grouped(difference.step)), \(difference.column) is stored as \(difference.stored), and came "
          + "out as \(difference.replayed)")
      switch verdict.same {
      case 0: print("that is the first step that was compared")
      case 1: print("the step before it is the same to the bit")
      default: print("the \(Figure.grouped(verdict.same)) steps before it are the same to the bit")
      }
      if anyway, verdict.largest.relative > 0 {
        print(
          "up to step \(Figure.grouped(replay.last)), the total loss differs by at most \(Figure.share(verdict.largest.relative, 6)) of "
            + "the stored one, at step \(Figure.grouped(verdict.largest.step))")
      }
    }
    if verdict.missing > 0 {
      print("\(verdict.missing) of the replayed steps are not stored, or their rows are damaged")
    }
    if !verdict.isComplete, verdict.difference == nil {
      print("step \(Figure.grouped(replay.last)) was not reached: the losses of every attempt were not finite")
    }
  }
}
