// What a session is about to do, decided before anything is started.
import Corpus
import Foundation
import Run
import RunFile

/// A run to begin, or to go on with.
struct Plan: Sendable {
  /// What a resumed run goes on from.
  struct Past: Sendable {
    /// Holds none where the run ended before the first one: it begins again, as the same run.
    var start: Parcel
    /// Its step; nil where there is none.
    var step: Int?
    /// The changes of rate and weights that the user made after that, to be made again at the same steps.
    var edits: [Edit]
    /// What its last session began with.
    var beginning: Beginning?
    /// The last step that is stored.
    var last = 0
    /// The weights of losses that the command line gives, from the first step on.
    var weights: [WeightChange] = []
    /// What happened before, for a screen to begin with.
    var events: [Event] = []

    /// What to say where the run goes on with a text that is not the one it had: a file that changed, or another one.
    func change(of text: Beginning) -> String? {
      // An imported run had no text of ours before.
      guard step != nil, let before = beginning, before.trainingTokens > 0,
        (before.trainingTokens, before.heldOutTokens) != (text.trainingTokens, text.heldOutTokens)
          || before.unigramEntropy != text.unigramEntropy
      else { return nil }
      return "the text is not the one from before (\(before.corpus)): losses cannot be compared with those up to here"
    }
  }

  var recipe: Recipe
  var name: String
  /// The folder of all runs, as the user gave it.
  var runs: String
  var threads: Int
  /// Nil for a new run.
  var past: Past?
  /// Something to say in the events at the start: a damaged checkpoint that was passed over.
  var notices: [String] = []

  /// The run's folder.
  var folder: String { runs.hasSuffix("/") ? runs + name : "\(runs)/\(name)" }

  /// How one goes on with it from a shell.
  func command(_ verb: String) -> String {
    let place = runs == "runs" ? "" : " --runs \(Self.quoted(runs))"
    return "foretop \(verb) \(Self.quoted(name))\(place)"
  }

  private static func quoted(_ word: String) -> String {
    // As bash and zsh read what nobody should see as it is.
    if word.unicodeScalars.contains(where: \.steersTerminals) {
      let words = word.unicodeScalars.map { scalar in
        scalar.steersTerminals
          ? scalar.escapedForYAML : "'\\".unicodeScalars.contains(scalar) ? "\\\(scalar)" : "\(scalar)"
      }
      return "$'\(words.joined())'"
    }
    let isPlain = !word.isEmpty && word.allSatisfy { $0.isLetter || $0.isNumber || "-_./+:@,".contains($0) }
    return isPlain ? word : "'" + word.replacing("'", with: #"'\''"#) + "'"
  }

  /// Opens the run's text.
  /// - Parameters:
  ///   - record: the tokenizer to go on with; nil takes the recipe's.
  ///   - report: told what takes time.
  func corpus(by record: TokenizerRecord?, report: (String) -> Void) throws -> Corpus {
    let tokenizer = try record.map { try Tokenizer($0) }
    if tokenizer == nil, !recipe.tokenizer.model.isEmpty { try Examiner.require(.tokenizer(recipe.tokenizer.model)) }
    return try Corpus(opening: try Corpus.Source(recipe, runs: runs), tokenizer: tokenizer, report: report)
  }
}

/// A checkpoint that is handed from thread to thread, and let go of by the one before: its memory is used again, or freed.
final class Parcel: @unchecked Sendable {
  // Unchecked: one thread has it at a time.
  private var checkpoint: Checkpoint?

  init(_ checkpoint: consuming Checkpoint?) { self.checkpoint = consume checkpoint }

  /// What is in it; nothing is afterwards.
  func takeOut() -> Checkpoint? {
    defer { checkpoint = nil }
    return checkpoint
  }
}

extension Corpus.Source {
  /// What a recipe's corpus is made from.
  /// - Parameter runs: the folder of all runs, where a cache is kept that has no other place.
  init(_ recipe: Recipe, runs: String) throws {
    self.init(
      paths: recipe.data.paths.isEmpty ? [try Share.defaultCorpus()] : recipe.data.paths,
      kind: Tokenizer.Kind(rawValue: recipe.tokenizer.kind.rawValue) ?? .sentencepiece,
      vocabulary: recipe.tokenizer.vocabulary, model: recipe.tokenizer.model, heldOut: recipe.data.heldOut,
      context: recipe.model.context, documents: Documents(recipe), cache: Share.cache)
    ids = recipe.tokenizer.ids
    width = recipe.tokenizer.width.bytes
    spareCache = runs.hasSuffix("/") ? runs + ".cache" : runs + "/.cache"
  }
}

extension Documents {
  /// How a recipe divides its texts; nil where it takes them as one.
  init?(_ recipe: Recipe) {
    guard recipe.data.documents == .separate else { return nil }
    self.init(separator: recipe.data.separator)
  }
}

extension Tokenizer {
  /// A tokenizer as a checkpoint keeps it.
  init(_ record: TokenizerRecord) throws(CorpusError) { try self.init(kind: record.kind, model: record.model) }
}
