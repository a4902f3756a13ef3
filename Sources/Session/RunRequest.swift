// What is asked of a session, decided before anything is started.
import Corpus
import Foundation
import Run
import RunFile

/// A request to begin a run, or to continue one.
package struct RunRequest: Sendable {
  /// The stored state from which a resumed run continues.
  package struct Past: Sendable {
    /// The checkpoint; empty if the run ended before its first one, and begins again.
    package var start: Handoff
    /// The step of the checkpoint; nil without a checkpoint.
    package var step: Int?
    /// The changes of rate, weights and settings that the user made after that, to be made again at the same steps.
    package var edits: [ReplayedCommand]
    /// The first event of its last session.
    package var beginning: Beginning?
    /// The last step that is stored.
    package var last = 0
    /// The weights of losses that the command line gives, from the first step on.
    package var weights: [WeightChange] = []
    /// Numbers of the recipe as the checkpoint had them, by key, where commands had changed them.
    package var settings: [String: Double] = [:]
    /// The prompt as the checkpoint had it, where a command had changed it.
    package var prompt: String?
    /// Keys that the command line gives, and whose changes after the checkpoint are not made again: that is recorded, even
    /// where a value stays as it is.
    package var droppedSettings: Set<String> = []
    /// Events of earlier sessions, for the screen.
    package var events: [Event] = []

    package init(start: Handoff, edits: [ReplayedCommand]) {
      self.start = start
      self.edits = edits
    }

    /// What to say where the run goes on with a text that is not the one it had: a file that changed, or another one.
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
  /// Nil for a new run.
  package var past: Past?
  /// Something to say in the events at the start: a damaged checkpoint that was passed over.
  package var notices: [String]

  package init(
    recipe: Recipe, address: RunAddress, source: Corpus.Source, threads: Int, past: Past? = nil, notices: [String] = []
  ) {
    self.recipe = recipe
    self.address = address
    self.source = source
    self.threads = threads
    self.past = past
    self.notices = notices
  }

  var name: String { address.name }
  var folder: String { address.folder }

  /// Opens the run's text.
  /// - Parameters:
  ///   - record: the tokenizer to go on with; nil takes the recipe's.
  ///   - report: told what takes time.
  func corpus(by record: TokenizerRecord?, report: (String) -> Void) throws -> Corpus {
    let tokenizer = try record.map { try Tokenizer($0) }
    if tokenizer == nil, !recipe.tokenizer.model.isEmpty { try Sandbox.require(.tokenizer(recipe.tokenizer.model)) }
    return try Corpus(opening: source, tokenizer: tokenizer, report: report)
  }
}

/// A checkpoint that is handed from thread to thread, and let go of by the one before: its memory is used again, or freed.
package final class Handoff: @unchecked Sendable {
  // Unchecked: one thread has it at a time.
  private var checkpoint: Checkpoint?

  package init(_ checkpoint: consuming Checkpoint?) { self.checkpoint = consume checkpoint }

  /// Takes the checkpoint out; afterwards this is empty.
  package func takeOut() -> Checkpoint? {
    defer { checkpoint = nil }
    return checkpoint
  }
}

extension Corpus.Source {
  /// What a recipe's corpus is made from.
  /// - Parameters:
  ///   - paths: its texts.
  ///   - cache: the folder for what can be made again.
  ///   - runs: the folder of all runs, where a cache is kept that has no other place.
  package init(_ recipe: Recipe, paths: [String], cache: String, runs: String) {
    self.init(
      paths: paths, kind: recipe.tokenizer.kind,
      vocabulary: recipe.tokenizer.vocabulary, model: recipe.tokenizer.model, heldOut: recipe.data.heldOut,
      context: recipe.model.context, documents: DocumentBounds(recipe), cache: cache)
    ids = recipe.tokenizer.ids
    width = recipe.tokenizer.width.bytes
    spareCache = runs.hasSuffix("/") ? runs + ".cache" : runs + "/.cache"
  }
}

extension DocumentBounds {
  /// How a recipe divides its texts; nil where it takes them as one.
  package init?(_ recipe: Recipe) {
    guard recipe.data.documents == .separate else { return nil }
    self.init(separator: recipe.data.separator)
  }
}

extension Tokenizer {
  /// A tokenizer as a checkpoint keeps it.
  package init(_ record: TokenizerRecord) throws(CorpusError) { try self.init(kind: record.kind, model: record.model) }
}
