// A stored run, trained once more: its recipe, its commands at their steps, and the numbers compared to the bit. Nothing is
// written into the run.
import Corpus
import Kernels
import Run
import RunFile
import Training

/// A replay of a stored run.
package struct RunReplay {
  /// How a replay went.
  package struct Verdict: Sendable {
    /// Steps that were taken again.
    package var steps = 0
    /// Those of them that are not stored, or damaged.
    package var missing = 0
    /// The first number that came out differently; nil where all are the same.
    package var difference: StepDifference?
    /// Steps of which every number is the same, before the first that differs.
    package var same = 0
    /// The largest difference of the total loss, as a part of the stored one, and its step.
    package var largest = (relative: 0.0, step: 0)
    /// Whether the last step was reached.
    package var isComplete = false

    package var isSame: Bool { difference == nil && missing == 0 && isComplete }
  }

  private let run: StoredRun
  private let runs: String
  private let source: (Recipe) throws -> Corpus.Source
  /// The processes that replay together; nil for one alone.
  private let ranks: Ranks?
  private let segments: [ReplaySegment]
  /// Optimizer steps taken before the first that is replayed, and the last one.
  package let first: Int
  package let last: Int

  /// - Parameters:
  ///   - run: a stored run.
  ///   - runs: the folder of all runs.
  ///   - source: what a recipe's text is made from.
  ///   - first: the step of a checkpoint to begin at; nil begins where the run began.
  ///   - last: the last step; nil takes all that are stored.
  ///   - ranks: the processes that replay together; nil for one alone.
  /// - Throws: `UserError` when there is nothing to replay between them.
  package init(
    of run: StoredRun, in runs: String, source: @escaping (Recipe) throws -> Corpus.Source, from first: Int?,
    to last: Int?, ranks: Ranks? = nil
  ) throws {
    self.run = run
    self.ranks = ranks
    self.runs = runs
    self.source = source
    segments = try run.replaySegments()
    guard let begin = segments.first, let end = segments.last?.end else {
      throw UserError(.data, "run “\(run.name)” has no steps to replay")
    }
    self.first = first ?? begin.start
    self.last = min(last ?? end, end)
    if let last, last > end {
      throw UserError(.usage, "--to \(last) is not stored: run “\(run.name)” has steps up to \(end)")
    }
    guard self.first >= begin.start, self.first < self.last else {
      throw UserError(
        .usage,
        "from step \(self.first) to \(self.last) there is nothing to replay: steps \(begin.start + 1) to \(end) are stored"
      )
    }
  }

  /// The sessions whose steps are replayed.
  private var used: [ReplaySegment] { segments.filter { $0.end > first && $0.start < last } }

  // MARK: What computes here, and what computed then

  /// Where this is not what computed the run: sentences for which to refuse, and sentences on what run.h5 does not say.
  package func differences() throws -> (reasons: [String], unknown: [String]) {
    var reasons: [String] = []
    var unknown: [String] = []
    for segment in used {
      let steps = "steps \(max(segment.start, first) + 1) to \(min(segment.end, last))"
      let precision = try segment.beginning.recipe.operandPrecision().name
      if precision != segment.beginning.precision {
        reasons.append("\(steps) were computed in \(segment.beginning.precision), and this machine takes \(precision)")
      }
      let (then, here) = (segment.beginning.ranks, ranks?.count ?? 1)
      if then != here {
        reasons.append(
          "\(steps) were computed by \(then == 1 ? "one process" : "\(then) ranks"), whose sums are rounded otherwise than those of "
            + "\(here == 1 ? "one process" : "\(here) ranks")"
            + (then == 1 ? ": start it without mpirun" : ": mpirun -n \(then) starts as many"))
      }
      guard let place = segment.beginning.place else {
        unknown.append(
          "run.h5 does not say what machine and version computed \(steps), nor from which tokens: an older foretop wrote it"
        )
        continue
      }
      if place.machine != Machine.kind {
        reasons.append("\(steps) were computed by another kind of machine (\(place.machine); here \(Machine.kind))")
      }
      if place.program != ProgramVersion.text {
        reasons.append("\(steps) were computed by version \(place.program), and this is \(ProgramVersion.text)")
      }
    }
    return (reasons, unknown)
  }

  /// Whether a text is not the one that a session had.
  private func change(of corpus: Corpus, since beginning: Beginning) throws -> String? {
    let isOther =
      try beginning.place.map { try $0.tokens != corpus.fingerprint }
      ?? (beginning.trainingTokens != beginning.recipe.trained(of: corpus).count
        || beginning.heldOutTokens != corpus.heldOut.count
        || beginning.unigramEntropy != corpus.unigramEntropy)
    return isOther
      ? "the text is not the one that the run had (then: \(beginning.corpus); now: \(corpus.summary))" : nil
  }

  // MARK: Taking the steps

  /// Trains again and compares.
  /// - Parameters:
  ///   - isAnyway: whether to go on with another text, and after the first difference.
  ///   - say: hears of differences of the text that are passed over.
  ///   - progress: hears of each step that was compared.
  /// - Throws: `UserError` when the checkpoint or the text is missing, or the text is another one.
  package func run(isAnyway: Bool, say: (String) -> Void, progress: (Int) -> Void) throws -> Verdict {
    let comparison = try StepComparison(run)
    var state = try start()
    let tokenizer =
      try state?.tokenizer
      ?? (run.checkpoints().isEmpty ? nil : run.checkpoint().checkpoint.tokenizer)
    let edits = try first == segments[0].start && state == nil ? run.edits(after: 0) : run.edits(after: first)
    var verdict = Verdict()
    for segment in used {
      var recipe = segment.beginning.recipe
      // What commands had changed in this session before the checkpoint that the replay begins with.
      if let past = state?.state, past.step > segment.start { recipe.take(past.settings ?? [:]) }
      // As the thread that trained; the caller's goes on with all numbers.
      Team.flushSubnormals()
      defer { Team.keepSubnormals() }
      try Team.require(segment.beginning.threads)
      let request = RunRequest(
        recipe: recipe, address: RunAddress(name: run.name, runs: runs), source: try source(recipe),
        threads: segment.beginning.threads)
      let corpus = try request.corpus(by: tokenizer, report: { _ in }, progress: { _, _, _ in })
      if let change = try change(of: corpus, since: segment.beginning) {
        guard isAnyway else { throw UserError(.unavailable, "\(change): --anyway replays with this one") }
        say(change)
      }
      try ranks?.begin(request, on: corpus)
      let trainer = try Trainer.make(
        recipe: recipe, corpus: corpus, from: state, threads: segment.beginning.threads, name: run.name, ranks: ranks)
      defer { trainer.endOrders() }
      let start = trainer.checkpointWithoutNumbers.state.step
      verdict.isComplete = try trainer.replay(
        edits.filter { $0.step >= start }, to: min(segment.end, last)
      ) { report in
        try take(report, comparison, &verdict)
        progress(report.step)
        return isAnyway || verdict.difference == nil
      }
      guard verdict.isComplete else { break }
      state = trainer.checkpoint
    }
    return verdict
  }

  private func take(_ report: StepReport, _ comparison: StepComparison, _ verdict: inout Verdict) throws {
    verdict.steps += 1
    switch try comparison.compare(report) {
    case .same: if verdict.difference == nil { verdict.same += 1 }
    case .missing: verdict.missing += 1
    case .differs(let difference):
      verdict.difference = verdict.difference ?? difference
      guard let stored = try comparison.total(of: report.step), stored != 0 else { return }
      let relative = abs(Double(report.total) - stored) / abs(stored)
      if relative > verdict.largest.relative { verdict.largest = (relative, report.step) }
    }
  }

  /// The state that the replay begins with; nil for new weights.
  private func start() throws -> Checkpoint? {
    let begin = segments[0].beginning
    if first > 0 || (begin.step == 0 && begin.trainingTokens == 0) {
      return try run.checkpoint(step: first).checkpoint
    }
    // A run that was imported has its first weights in a checkpoint of step 0.
    return try StoredRun.checkpointSteps(in: run.folder).contains(0) ? run.checkpoint(step: 0).checkpoint : nil
  }
}
