// foretop recipes: lists the recipes that come with the program.
import ArgumentParser
import Foundation
import Run
import TerminalUI

struct RecipesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "recipes", abstract: "Lists the recipes that come with the program.",
    discussion: """
      “foretop train NAME” trains with one of them; “foretop plan NAME” prints the memory and the time that the training \
      needs. A recipe is a YAML file: edit a copy, or change keys with --set.
      """)

  @OptionGroup var output: JSONOption

  func run() throws {
    let files = BundledFiles.files(in: "recipes")
    guard !files.isEmpty else {
      throw UserError(.noInput, "the program's folder recipes/ is missing or empty: install it again")
    }
    let recipes = try files.map { file in
      (file, try Self.sentence(of: BundledFiles.text(at: file.path, what: "recipe")))
    }
    guard !output.json else {
      for (file, sentence) in recipes {
        let members = [("name", file.name), ("sentence", sentence), ("path", file.path)]
        print(JSON.object(members.map { JSON.Member($0.0, .text($0.1)) }).line)
      }
      return
    }
    let names = recipes.map(\.0.name.width).max() ?? 0
    let room = TextTable.terminalColumns.map { max($0 - names - 2, 20) } ?? .max
    let rows = recipes.flatMap { file, sentence in
      sentence.wrapped(to: room).enumerated().map { [$0 == 0 ? file.name : "", $1] }
    }
    print(TextTable.text(rows, right: []))
  }

  /// The first sentence of a recipe's opening comment; empty without such a comment.
  static func sentence(of text: String) -> String {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).prefix { $0.hasPrefix("#") }
    let comment = lines.map { $0.dropFirst().trimmingCharacters(in: .whitespaces) }.joined(separator: " ")
    // A period within a number or a name does not end the sentence.
    let end = comment.range(of: #"\.( |$)"#, options: .regularExpression)
    return String(comment[..<(end?.lowerBound ?? comment.endIndex)])
  }
}
