// Steps taken once more, with the commands that were recorded at their steps, and nothing beside them.
import Corpus
import Run

extension Trainer {
  /// Attempts at a step in a row of which none is finite, before a replay gives up.
  private static let mostAttempts = 10_000

  /// Takes steps up to one; obeys at each the commands that were recorded there. Evaluates, samples and saves nothing.
  /// - Parameters:
  ///   - edits: the recorded commands.
  ///   - last: the step to end with.
  ///   - report: hears of each step; with false the replay ends.
  /// - Returns: whether the last step was reached.
  /// - Throws: `UserError` when the machine cannot compute; `CorpusError` when the text cannot be read.
  package func replay(_ edits: [ReplayedCommand], to last: Int, report: (StepReport) throws -> Bool) throws
    -> Bool
  {
    try makeReady(toRepeat: edits)
    let inbox = Inbox(Mailbox<Request>())
    let outlets = Outlets(report: { _ in }, save: { _ in })
    var edits = edits.inOrderOfSteps[...]
    var attempts = 0
    while state.step < last, state.step < recipe.steps {
      while let edit = edits.first, edit.step <= state.step {
        if edit.step == state.step { _ = obey(Request(edit.command, by: .program), inbox, outlets) }
        edits.removeFirst()
      }
      switch step() {
      case .stepped(let taken):
        attempts = 0
        guard try report(taken) else { return false }
      case .diverged:
        // The run left this batch out as well: it is the next one's turn.
        attempts += 1
        guard attempts < Self.mostAttempts else { return false }
      case .spiked: preconditionFailure("a replay acts on no spike")
      case .failed(let error): throw error
      case .unread(let error): throw error
      case .left: continue
      }
    }
    return state.step >= last
  }
}
