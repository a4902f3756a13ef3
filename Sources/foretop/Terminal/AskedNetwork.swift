// A stored run's network that is asked what comes after a text: it stays in memory from one question to the next.
import Corpus
import Dashboard
import Kernels
import Run
import RunFile
import Training

/// The network of the checkpoint that was asked last.
struct AskedNetwork {
  private let name: String
  /// What was asked for; a damaged newest checkpoint gives way to one before it.
  private let wanted: Int?
  private let step: Int
  private let tokenizer: Tokenizer
  private let network: TrainedNetwork

  /// - Throws: `UserError` where the run has no such checkpoint, or the machine cannot compute with it.
  private init(_ name: String, in place: FolderOptions, step: Int?, wanted: Int?) throws {
    if let missing = Machine.missing { throw UserError(.unavailable, missing) }
    let checkpoint = try RunLookup.checkpoint(name, in: place, step: step)
    tokenizer = try Tokenizer(checkpoint.tokenizer)
    let threads = ThreadOptions.usual(before: checkpoint.state.threads)
    network = try TrainedNetwork(checkpoint, threads: threads, rows: 1)
    (self.name, self.wanted, self.step) = (name, wanted, checkpoint.state.step)
  }

  /// Answers a question.
  /// - Parameters:
  ///   - text: any text; one of star graphs has numbers of tokens.
  ///   - step: nil asks the newest checkpoint, which is looked for at every question.
  ///   - kept: the network of the question before, and then of this one.
  static func answer(
    _ text: String, of name: String, in place: FolderOptions, step: Int?, keeping kept: inout AskedNetwork?
  ) throws -> TextAnswer {
    let wanted = try step ?? StoredRun.checkpointSteps(in: RunLookup.folder(name, in: place)).last
    if let kept, kept.name == name, kept.wanted == wanted { return try kept.answer(text) }
    // Two networks need twice the memory.
    kept = nil
    let network = try AskedNetwork(name, in: place, step: step, wanted: wanted)
    kept = network
    return try network.answer(text)
  }

  private func answer(_ text: String) throws -> TextAnswer {
    TextAnswer(step: step, try network.expectation(after: tokenizer.tokens(ofQuestion: text), by: tokenizer))
  }
}

extension Tokenizer {
  /// The tokens of a text that a network is asked about.
  /// - Throws: `UserError` where the text is empty, or has words that are no tokens.
  func tokens(ofQuestion text: String) throws -> [Int32] {
    guard takesAll(of: text) else {
      throw UserError(
        .usage, "\(text.quotation) must be numbers of tokens, such as “17 4”, each below \(vocabulary), for this run")
    }
    let tokens = tokens(of: text.fileNameBytes)
    guard !tokens.isEmpty else { throw UserError(.usage, "the text is empty: give at least one character") }
    return tokens
  }
}
