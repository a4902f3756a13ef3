// foretop data --neighbours: what a document of the training part is like.
import Corpus
import Run
import TerminalUI

extension DataCommand {
  /// Prints the nearest documents of a document, or the one that it repeats.
  func printNeighbours(of document: Int, _ corpus: Corpus) throws {
    guard let related = corpus.related else {
      throw UserError(.usage, "--neighbours compares documents of a text, but this recipe's data are graphs")
    }
    guard document < related.count else {
      throw UserError(
        .usage, "--neighbours \(document): the training part has \(related.count) documents, from 0 on")
    }
    func beginning(_ document: Int) throws -> String {
      try related.beginning(of: document, tokens: 24).map(corpus.tokenizer.visible).joined()
    }
    guard let likeness = related.likeness(of: document) else { return }
    if shown.json {
      var members = [
        JSON.Member("document", .integer(document)), JSON.Member("text", .text(try beginning(document))),
      ]
      switch likeness {
      case .duplicate(let original): members.append(JSON.Member("repeats", .integer(original)))
      case .neighbours(let near):
        members.append(
          JSON.Member(
            "neighbours",
            try .objects(near) { other, cosine in
              [
                JSON.Member("document", .integer(other)), JSON.Member("cosine", .float(cosine)),
                JSON.Member("text", .text(try beginning(other))),
              ]
            }))
      }
      return print(JSON.object(members).line)
    }
    print("document \(Figure.grouped(document)) of \(Figure.grouped(related.count)): \(try beginning(document))")
    switch likeness {
    case .duplicate(let original):
      print("left out: it nearly repeats document \(Figure.grouped(original)): \(try beginning(original))")
    case .neighbours(let near) where near.isEmpty: print("no document shares a term with it")
    case .neighbours(let near):
      let rows = try near.map { other, cosine in
        [Figure.fixed(Double(cosine), 3), Figure.grouped(other), try beginning(other)]
      }
      print(TextTable.text([["cosine", "document", "beginning"]] + rows, right: [0, 1]))
    }
  }
}
