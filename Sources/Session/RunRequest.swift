// The request for a session, complete before any thread is started.
import Corpus
import Foundation
import Run
import RunFile
import Training

/// A request to begin a run, or to continue one.
package struct RunRequest: Sendable {
  /// The stored state from which a resumed run continues.
  package struct Past: Sendable {
    /// The checkpoint; empty if the run ended before its first checkpoint and starts again.
    package var start: Handoff
    /// The step of the checkpoint; nil without a checkpoint.
    package var step: Int?
    /// The user's changes of rate, weights and settings after the checkpoint, to be repeated at the same steps.
    package var edits: [ReplayedCommand]
    /// The first event of its last session.
    package var beginning: Beginning?
    /// The last step that is stored.
    package var last = 0
    /// The weights of losses that the command line gives, from the first step on.
    package var weights: [WeightChange] = []
    /// Settings that commands had changed before the checkpoint, with their values, by recipe key.
    package var settings: [String: Double] = [:]
    /// The prompt as the checkpoint had it, where a command had changed it.
    package var prompt: String?
    /// Keys given on the command line, whose changes after the checkpoint are not repeated. They are recorded even if
    /// the value stays the same.
    package var droppedSettings: Set<String> = []
    /// Events of earlier sessions, for the screen.
    package var events: [Event] = []
    /// The branch that this session begins; nil where the run is there already.
    package var branch: PendingBranch?
    /// A factor of the rate, from the first step on; nil leaves it as it is.
    package var rateFactor: Double?
    /// The rate of the first step, where a command holds it and the recipe's schedule is another now; nil leaves it as it is.
    package var heldRate: Double?
    /// How often the guard went back already.
    package var backs = 0
    /// Finds the newest sound checkpoint from before the one to continue from, for who must go back further.
    package var older: (@Sendable () -> SoundCheckpoint?)?
    /// Who asked for the branch.
    package var branchActor = Occurrence.Actor.commandLine

    package init(start: Handoff, edits: [ReplayedCommand]) {
      self.start = start
      self.edits = edits
    }

    /// A notice if the resumed run has another text than before; nil if the text is the same.
    func change(of text: Beginning) -> String? {
      // An imported run had no text of ours before.
      guard step != nil, let before = beginning, before.trainingTokens > 0,
        (before.trainingTokens, before.heldOutTokens) != (text.trainingTokens, text.heldOutTokens)
          || before.unigramEntropy != text.unigramEntropy
      else { return nil }
      return "the text has changed (before: \(before.corpus)): losses from here on cannot be compared with earlier ones"
    }
  }

  package var recipe: Recipe
  package var address: RunAddress
  /// The source of the run's text.
  package var source: Corpus.Source
  package var threads: Int
  /// The questions of `evaluate.task`; nil without.
  package var task: TaskSet?
  /// Nil for a new run.
  package var past: Past?
  /// The processes that train together, of which this is the first; nil for a process alone.
  package var ranks: Ranks?
  /// Notices to publish at the start, such as of a damaged checkpoint that was skipped.
  package var notices: [String]

  package init(
    recipe: Recipe, address: RunAddress, source: Corpus.Source, threads: Int, task: TaskSet? = nil, past: Past? = nil,
    notices: [String] = [], ranks: Ranks? = nil
  ) {
    self.recipe = recipe
    self.address = address
    self.source = source
    self.threads = threads
    self.task = task
    self.past = past
    self.notices = notices
    self.ranks = ranks
  }

  var name: String { address.name }
  var folder: String { address.folder }

  /// Opens the run's text.
  /// - Parameters:
  ///   - record: the checkpoint's tokenizer; nil uses the recipe's.
  ///   - report: receives a sentence before each long operation.
  ///   - progress: receives how much of how much is done, of the tokenizer and of the tokens.
  func corpus(
    by record: TokenizerRecord?, report: (String) -> Void, progress: (SetupWork, Int, Int) -> Void
  ) throws -> Corpus {
    let tokenizer = try record.map { try Tokenizer($0) }
    if tokenizer == nil, !recipe.tokenizer.model.isEmpty { try Sandbox.require(.tokenizer(recipe.tokenizer.model)) }
    return try Corpus(opening: source, tokenizer: tokenizer, report: report, progress: progress)
  }
}

/// Hands a checkpoint from one thread to another without a copy: the sender keeps no reference.
package final class Handoff: @unchecked Sendable {
  // Unchecked: one thread has it at a time.
  private var checkpoint: Checkpoint?

  package init(_ checkpoint: consuming Checkpoint?) { self.checkpoint = consume checkpoint }

  /// Takes the checkpoint out, and leaves this empty.
  package func takeOut() -> Checkpoint? {
    defer { checkpoint = nil }
    return checkpoint
  }
}

extension Corpus.Source {
  /// The source of a recipe's corpus.
  /// - Parameters:
  ///   - paths: the paths of its texts.
  ///   - cache: the cache folder.
  ///   - runs: the folder of all runs, which holds the cache if the cache folder cannot be written.
  package init(_ recipe: Recipe, paths: [String], cache: String, runs: String) {
    self.init(
      paths: paths, kind: recipe.tokenizer.kind,
      vocabulary: recipe.tokenizer.vocabulary, model: recipe.tokenizer.model, heldOut: recipe.data.heldOut,
      context: recipe.model.context, documents: DocumentBounds(recipe), cache: cache)
    ids = recipe.tokenizer.ids
    width = recipe.tokenizer.width.bytes
    if recipe.data.kind == .stargraph {
      graphs = Corpus.StarGraphSource(recipe.data.graph, seed: recipe.seed)
    }
    order = recipe.data.order
    deduplicates = recipe.data.deduplicate
    seed = recipe.seed
    if documents == nil, ordersDocuments {
      documents = DocumentBounds(separator: recipe.data.separator)
      isPacked = true
    }
    spareCache = runs.hasSuffix("/") ? runs + ".cache" : runs + "/.cache"
  }
}

extension DocumentBounds {
  /// How a recipe divides its texts into documents; nil if documents are packed.
  package init?(_ recipe: Recipe) {
    guard recipe.data.documents == .separate else { return nil }
    self.init(separator: recipe.data.separator)
  }
}

extension Tokenizer {
  /// The tokenizer that a checkpoint stores.
  package init(_ record: TokenizerRecord) throws(CorpusError) { try self.init(kind: record.kind, model: record.model) }
}

extension SoundCheckpoint {
  /// The newest sound checkpoint of a run before a step; nil where there is none that can be read.
  package init?(newestBefore step: Int, in folder: String) {
    guard let found = try? StoredRun.newestSound(before: step, in: folder) else { return nil }
    self.init(run: (folder as NSString).lastPathComponent, step: found)
  }
}
