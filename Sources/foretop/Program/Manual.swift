// Manual pages for `make install`, made from the same descriptions as --help: one per command, and one of the recipe's keys.
import ArgumentParser
import Foundation
import Run

/// `foretop manual FOLDER` writes foretop.1, foretop-COMMAND.1 and foretop-recipe.5.
struct Manual: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "manual", abstract: "Writes manual pages into a folder.", shouldDisplay: false)

  @Argument(help: "The folder, which must exist.", completion: .directory) var folder: String

  func run() throws {
    let root = try JSONDecoder().decode(HelpDump.self, from: Data(Foretop._dumpHelp().utf8)).command
    try write(ManualPage.program(root), to: "foretop.1")
    for command in root.visibleSubcommands {
      try write(ManualPage.command(command, of: root), to: "foretop-\(command.commandName).1")
    }
    try write(ManualPage.recipe(), to: "foretop-recipe.5")
  }

  private func write(_ page: ManualPage, to name: String) throws {
    let path = "\(folder)/\(name)"
    do {
      try Data(page.text.utf8).write(to: URL(filePath: path))
    } catch {
      throw UserError(.cannotCreate, "\(path) cannot be written: \(error.localizedDescription)")
    }
  }
}

/// The parts of the argument parser's description of commands that manual pages need.
struct HelpDump: Decodable {
  let command: CommandHelp

  /// A command with its arguments and subcommands.
  struct CommandHelp: Decodable {
    let commandName: String
    let abstract: String?
    let discussion: String?
    let arguments: [Argument]?
    let subcommands: [CommandHelp]?
    let shouldDisplay: Bool?

    var visibleSubcommands: [CommandHelp] {
      (subcommands ?? []).filter { ($0.shouldDisplay ?? true) && $0.commandName != "help" }
    }
    var visibleArguments: [Argument] { (arguments ?? []).filter(\.shouldDisplay) }
  }

  /// An argument, an option or a flag.
  struct Argument: Decodable {
    let kind: String
    let names: [Name]?
    let valueName: String?
    let abstract: String?
    let discussion: String?
    let defaultValue: String?
    let isOptional: Bool
    let isRepeating: Bool
    let shouldDisplay: Bool
  }

  /// A spelling of an option: `-h` or `--help`.
  struct Name: Decodable {
    let kind: String
    let name: String
  }
}

/// A page in mdoc, the language of manual pages.
struct ManualPage {
  private(set) var text: String

  private init(_ title: String, section: Int, name: String, about: String) {
    text = """
      .Dd \(Self.today)
      .Dt \(title.uppercased()) \(section)
      .Os foretop \(Foretop.configuration.version)
      .Sh NAME
      .Nm \(name)
      .Nd \(Self.inline(about.hasSuffix(".") ? String(about.dropLast()) : about))

      """
  }

  /// `November 28, 2026`, as mdoc writes dates.
  private static var today: String {
    Date.now.formatted(
      Date.FormatStyle(locale: Locale(identifier: "en_US"), timeZone: .gmt).month(.wide).day().year())
  }

  /// The page of the program as a whole.
  static func program(_ root: HelpDump.CommandHelp) -> ManualPage {
    var page = ManualPage("foretop", section: 1, name: "foretop", about: root.abstract ?? "")
    page.add(".Sh SYNOPSIS\n.Nm\n.Ar command\n.Op Ar options")
    page.describe(root.discussion)
    page.add(".Sh COMMANDS\n.Bl -tag -width Ds")
    for command in root.visibleSubcommands {
      page.add(".It Xr foretop-\(command.commandName) 1")
      page.add(inline(command.abstract ?? ""))
    }
    page.add(".El")
    page.list(root.visibleArguments)
    page.see(["foretop-recipe 5"])
    return page
  }

  /// The page of a command.
  static func command(_ command: HelpDump.CommandHelp, of root: HelpDump.CommandHelp) -> ManualPage {
    let name = "foretop-\(command.commandName)"
    var page = ManualPage(name, section: 1, name: name, about: command.abstract ?? "")
    page.add(".Sh SYNOPSIS\n.Nm foretop \(command.commandName)")
    if !command.visibleSubcommands.isEmpty { page.add(".Ar command") }
    for argument in command.visibleArguments where argument.names == nil {
      let word = "Ar \(argument.valueName ?? "value")\(argument.isRepeating ? " ..." : "")"
      page.add(argument.isOptional ? ".Op \(word)" : ".\(word)")
    }
    page.add(".Op Ar options")
    // The keys have a page of their own.
    page.describe(command.discussion?.components(separatedBy: "The keys of a recipe, for --set:").first)
    if !command.visibleSubcommands.isEmpty {
      page.add(".Sh COMMANDS\n.Bl -tag -width Ds")
      for inner in command.visibleSubcommands {
        let words = inner.visibleArguments.filter { $0.names == nil }.map { "<\($0.valueName ?? "value")>" }
        page.add(".It \(inline(([inner.commandName] + words).joined(separator: " ")))\n\(inline(inner.abstract ?? ""))")
      }
      page.add(".El")
    }
    page.list(command.visibleArguments)
    page.see(["foretop 1", "foretop-recipe 5"])
    return page
  }

  /// The page of a recipe's keys.
  static func recipe() -> ManualPage {
    var page = ManualPage(
      "foretop-recipe", section: 5, name: "foretop-recipe", about: "the keys of a foretop recipe")
    page.add(".Sh DESCRIPTION")
    page.add(
      inline(
        "A recipe is a YAML file with the settings of a run; --set KEY=VALUE changes a setting on the command line. A key with a "
          + "dot is in a section of the file: model.width is the key width in the section model."))
    page.add(".Bl -tag -width Ds")
    let recipe = Recipe()
    for field in Recipe.fields {
      page.add(".It Cm \(inline(field.key))\n\(inline(field.about)).")
      page.add(inline("Takes \(field.kind.words); default: \(field.read(recipe).json.line)."))
    }
    page.add(".El")
    page.see(["foretop 1", "foretop-train 1", "foretop-plan 1"])
    return page
  }

  /// A discussion; lines that begin with spaces are kept as they are.
  private mutating func describe(_ discussion: String?) {
    guard let discussion, discussion.contains(where: { !$0.isWhitespace }) else { return }
    add(".Sh DESCRIPTION")
    var isLiteral = false
    for line in discussion.split(separator: "\n", omittingEmptySubsequences: false) {
      if line.isEmpty {
        if !isLiteral { add(".Pp") }
        continue
      }
      if line.hasPrefix("  ") != isLiteral {
        isLiteral.toggle()
        add(isLiteral ? ".Bd -literal" : ".Ed")
      }
      add(Self.inline(line))
    }
    if isLiteral { add(".Ed") }
  }

  private mutating func list(_ arguments: [HelpDump.Argument]) {
    guard !arguments.isEmpty else { return }
    add(".Sh OPTIONS\n.Bl -tag -width Ds")
    for argument in arguments {
      let names = (argument.names ?? []).map { $0.kind == "long" ? "--\($0.name)" : "-\($0.name)" }
      let value = argument.kind == "flag" ? nil : argument.valueName
      let words = [names.joined(separator: ", "), value.map { "<\($0)>" } ?? ""].filter { !$0.isEmpty }
      add(".It \(Self.inline(words.joined(separator: " ")))")
      add(Self.inline(argument.abstract ?? ""))
      if let value = argument.defaultValue { add(Self.inline("Default: \(value).")) }
      if let discussion = argument.discussion { add(Self.inline(discussion)) }
    }
    add(".El")
  }

  private mutating func see(_ pages: [String]) {
    add(".Sh SEE ALSO")
    add(pages.map { ".Xr \($0)" }.joined(separator: " ,\n"))
  }

  private mutating func add(_ lines: String) { text += lines + "\n" }

  /// Text escaped for troff: backslashes doubled, minus signs that can be copied, and no request at the start of a line.
  static func inline(_ text: some StringProtocol) -> String {
    let escaped = text.replacingOccurrences(of: "\\", with: "\\e").replacingOccurrences(of: "-", with: "\\-")
    return escaped.split(separator: "\n", omittingEmptySubsequences: false)
      .map { $0.hasPrefix(".") || $0.hasPrefix("'") ? "\\&\($0)" : String($0) }.joined(separator: "\n")
  }
}
