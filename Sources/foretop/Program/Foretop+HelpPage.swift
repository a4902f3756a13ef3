// Which page of help an error names: that of the command whose options were wrong.
import ArgumentParser

extension Foretop {
  /// The command line that prints the help on a command line's options: `foretop train --help`.
  /// - Parameter words: the command line without the program's name.
  static func helpPage(for words: [String]) -> String {
    var page = ["foretop"]
    var command: any ParsableCommand.Type = Foretop.self
    var rest = words[...]
    while !command.configuration.subcommands.isEmpty {
      if let word = rest.first,
        let next = command.configuration.subcommands.first(where: { names(of: $0).contains(word) })
      {
        command = next
        rest = rest.dropFirst()
      } else if let usual = command.configuration.defaultSubcommand,
        rest.first?.hasPrefix("-") ?? true || page.count > 1
      {
        command = usual
      } else {
        break
      }
      page.append(names(of: command)[0])
    }
    return (page + ["--help"]).joined(separator: " ")
  }

  /// A sentence with the page that says more, unless it names one already.
  static func naming(_ page: String, after sentence: String) -> String {
    sentence.contains("--help”") ? sentence : "\(sentence) (“\(page)” says more)"
  }

  /// The parser's sentence about a wrong value, with a hint where the value must be a number.
  static func completed(_ sentence: String) -> String {
    let isNumber =
      sentence.hasPrefix("The value '") && ["<n>'", "<k>'", "<p>'", "<x>'"].contains(where: sentence.hasSuffix)
    return isNumber ? sentence + ": give a number" : sentence
  }

  /// The names of a command, first the one that help has.
  static func names(of command: any ParsableCommand.Type) -> [String] {
    let configuration = command.configuration
    return [configuration.commandName ?? String(describing: command).lowercased()] + configuration.aliases
  }
}
