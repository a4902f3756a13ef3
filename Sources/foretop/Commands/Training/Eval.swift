// foretop eval: measures a stored network on a text.
import ArgumentParser
import Corpus
import Dashboard
import Foundation
import Run
import RunFile
import Session
import TerminalUI
import Training

struct Eval: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measures the losses, accuracies and rank quality of a run's last checkpoint on a text.",
    discussion: """
      The text is split into consecutive windows of T tokens, where T is the network's context length. An incomplete \
      last window is left out. TOP's targets look past the end of a window where the text continues. Without --data, the \
      held-out part of the run's own corpus is used. --task scores multiple choice or last words instead, and \
      --speculative measures speculative decoding; docs/decoding.md describes both.

      The numbers, with their names in --json:

      \(HelpTable.text(numbers))

      Diagnostics are not among them: a run measures them while it trains, if its recipe's measure.NAME asks for them, \
      and “foretop inspect RUN diagnostics” and “foretop compare RUN --metric NAME” show them:

      \(HelpTable.text(DiagnosticKind.families))
      """)

  private static let numbers = [
    (name: "loss", about: "mean cross-entropy of each head, nats"),
    (name: "kl", about: "loss above the entropy of the targets, of heads that have such a floor (top)"),
    (name: "accuracy", about: "share of right first choices, of heads that predict one token"),
    (name: "order", about: "quality of TOP's rankings: ndcg8, tau, recall8, mrr"),
    (name: "path", about: "of star graphs: shares of paths whose first 1, 2, … tokens are right"),
    (name: "positions", about: "the number of positions with a next token"),
  ]

  @OptionGroup var which: RunArgument

  @Option(help: ArgumentHelp("A text file or folder; can be repeated.", valueName: "path"))
  var data: [String] = []

  @OptionGroup var tasks: TaskOptions

  @OptionGroup var snippets: SnippetOptions

  @OptionGroup var output: JSONOption

  @OptionGroup var place: PlaceOptions

  func validate() throws {
    if tasks.task != nil, snippets.isAsked || !data.isEmpty {
      throw ValidationError("--task is scored by itself: leave out --data and --speculative")
    }
  }

  func run() throws {
    try Computation.prepare()
    let checkpoint = try RunLookup.checkpoint(which.name, in: place.folder)
    let questions = try tasks.questions()
    let reader = try TrainedNetwork(checkpoint, threads: try place.threads(before: checkpoint.state.threads))
    if let questions {
      return try tasks.score(questions, by: reader, of: checkpoint, name: which.name, json: output.json)
    }
    let text = try text(for: checkpoint)
    if snippets.isAsked {
      return try snippets.measure(on: text, by: reader, of: checkpoint, name: which.name, json: output.json)
    }
    var progress = WorkProgress(of: .windows)
    let measured = try reader.measure(on: text) { done, total in
      let line = progress.line(done: done, total: total, now: Date().timeIntervalSince1970)
      if let line { Output.warn(line.trimmingSpaces, from: "eval") }
    }
    let (losses, order) = (measured.losses, measured.order)
    let positions = losses.first?.positions ?? 0
    if output.json {
      let ranks = order.map { [$0.json] } ?? []
      print(
        JSON.object(losses.json + ranks + measured.paths.pathJSON + [JSON.Member("positions", .integer(positions))])
          .line)
    } else {
      print(
        "\(which.name) at step \(Figure.grouped(checkpoint.state.step))  \(losses.words)  over \(Figure.grouped(positions)) positions"
      )
      if let path = measured.paths.last {
        print(
          "path   \(Figure.share(Double(path), 3)) of the test graphs; first tokens right: \(measured.paths.figures)")
      }
      if let order { print("order  \(order.figures)") }
    }
  }

  private func text(for checkpoint: Checkpoint) throws -> TokenRange {
    let tokenizer = try Tokenizer(checkpoint.tokenizer)
    if !data.isEmpty, checkpoint.recipe.tokenizer.kind == .tokens {
      return try Corpus.tokens(
        inFiles: data, by: tokenizer, in: DocumentBounds(checkpoint.recipe),
        width: checkpoint.recipe.tokenizer.width.bytes)
    }
    func say(_ notice: String) { Output.warn(notice.harmlessLine) }
    guard data.isEmpty else {
      return try Corpus.tokens(at: data, by: tokenizer, in: DocumentBounds(checkpoint.recipe), notice: say)
    }
    let source = try Corpus.Source(checkpoint.recipe, runs: place.runs)
    let corpus = try Corpus(opening: source, tokenizer: tokenizer)
    corpus.notices.forEach(say)
    return corpus.heldOut
  }
}
