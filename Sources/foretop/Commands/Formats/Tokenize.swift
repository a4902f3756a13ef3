// foretop tokenize: the tokens of a file.
import ArgumentParser
import Corpus
import Foundation
import Run
import RunFile

struct Tokenize: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Prints the tokens of a file, made with a run's tokenizer.",
    discussion: """
      Each line has the number and the text of one token; --json prints one object, {"tokens":[…]}. For a run that \
      trains on token files, the file must be a token file.
      """)

  @OptionGroup var which: RunArgument

  @Argument(help: ArgumentHelp("A text file, or a token file.", valueName: "file"))
  var file: String

  @OptionGroup var output: JSONOption

  @OptionGroup var folder: FolderOptions

  func run() throws {
    let checkpoint = try RunLookup.checkpoint(which.name, in: folder)
    let tokenizer = try Tokenizer(checkpoint.tokenizer)
    let part =
      tokenizer.kind == .tokens
      ? try Corpus.tokens(inFiles: [file], by: tokenizer, width: checkpoint.recipe.tokenizer.width.bytes)
      : try Corpus.tokens(at: [file], by: tokenizer) { Output.warn($0.harmlessLine) }
    let tokens = try part.tokens(0..<part.count)
    if output.json {
      print(JSON.object([JSON.Member("tokens", .array(tokens.map { .integer(Int($0)) }))]).line)
    } else {
      for token in tokens { print("\(token)\t\(tokenizer.visible(token))") }
    }
  }
}
