// What the other ranks need to know of a session before its first step. They get it from rank 0, and read no recipe, checkpoint or
// run folder of their own: only the text.
import Corpus
import Foundation
import Run
import RunFile
import Training

/// A session as rank 0 describes it to the others.
struct RankSetup: Codable {
  let program, name, recipe: String
  let threads: Int
  let paths: [String]
  let cache: String
  let spareCache: String?
  let tokenizerKind: String
  let tokenizerModel: Data
  let vocabulary: Int
  /// Of rank 0's text: see `Corpus.fingerprint`.
  let tokens: String

  init(_ request: RunRequest, _ corpus: Corpus) throws {
    program = ProgramVersion.text
    name = request.name
    recipe = request.recipe.yaml
    threads = request.threads
    (paths, cache, spareCache) = (request.source.paths, request.source.cache, request.source.spareCache)
    tokenizerKind = corpus.tokenizer.kind.rawValue
    tokenizerModel = Data(corpus.tokenizer.model)
    vocabulary = corpus.tokenizer.vocabulary
    tokens = try corpus.fingerprint
  }

  var bytes: [UInt8] { get throws { Array(try JSONEncoder().encode(self)) } }

  /// - Throws: `UserError` where rank 0 is another version of the program.
  init(_ bytes: [UInt8]) throws {
    do {
      self = try JSONDecoder().decode(RankSetup.self, from: Data(bytes))
    } catch {
      throw UserError(.data, "rank 0 is another version of foretop: start the same program on every rank")
    }
    guard program == ProgramVersion.text else {
      throw UserError(
        .data, "rank 0 is version \(program), and this is \(ProgramVersion.text): start the same program on every rank")
    }
  }

  /// Makes this rank's trainer, together with the others.
  /// - Throws: what one of the ranks lacks; every rank throws it.
  func trainer(_ ranks: Ranks) throws -> Trainer {
    let recipe: Recipe
    let corpus: Corpus
    do {
      recipe = try Recipe(yaml: self.recipe, source: "rank 0")
      corpus = try self.corpus(recipe)
    } catch {
      let error = (error as? CorpusError).map { UserError($0) } ?? UserError(error, while: "opening the text")
      try ranks.agree(on: error)
      throw error
    }
    return try Trainer.make(
      recipe: recipe, corpus: corpus, from: nil, threads: threads, name: name, ranks: ranks)
  }

  private func corpus(_ recipe: Recipe) throws -> Corpus {
    var source = Corpus.Source(recipe, paths: paths, cache: cache, runs: "")
    source.spareCache = spareCache
    let tokenizer = try Tokenizer(
      TokenizerRecord(kind: tokenizerKind, model: Array(tokenizerModel), vocabulary: vocabulary))
    let corpus = try Corpus(opening: source, tokenizer: tokenizer)
    guard try corpus.fingerprint == tokens else {
      throw UserError(
        .data,
        "the text on \(ProcessInfo.processInfo.hostName) is not the one that rank 0 has (\(corpus.summary)): every rank needs the "
          + "same files at the same paths")
    }
    return corpus
  }
}

extension Ranks {
  /// Tells the other ranks that a session begins; they make their trainers when this rank does (`Trainer.make`).
  func begin(_ request: RunRequest, on corpus: Corpus) throws {
    _ = try broadcast(try RankSetup(request, corpus).bytes)
  }

  /// Follows rank 0 through all of its sessions, until it leaves.
  /// - Throws: `UserError` when a rank is lost.
  package func follow() throws {
    while case let bytes = try broadcast([]), !bytes.isEmpty {
      do {
        let setup = try RankSetup(bytes)
        let trainer = try setup.trainer(self)
        try trainer.follow()
      } catch {
        // Where all ranks have heard of it, rank 0 says it, and may begin another session.
        if let failure { throw failure }
      }
    }
  }

  /// Ends the training of all ranks: rank 0 lets the others go.
  package func leave() {
    if isLeader { _ = try? broadcast([]) }
    close()
  }
}
