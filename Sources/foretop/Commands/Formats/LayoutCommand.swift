// foretop layout check: the frame that a layout file makes.
import ArgumentParser
import Dashboard
import Run
import TerminalUI

struct LayoutCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "layout", abstract: "Works with layout files.", subcommands: [LayoutCheck.self])

  struct LayoutCheck: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "check", abstract: "Prints the panels of a layout as a picture, or the error in its file.")

    @Argument(help: ArgumentHelp("A YAML file.", valueName: "file"))
    var file: String

    @Option(parsing: .unconditional, help: ArgumentHelp("Columns and rows of the screen.", valueName: "80x24"))
    var size = "80x24"

    func run() throws {
      let parts = size.lowercased().split(separator: "x", omittingEmptySubsequences: false).map { Int($0) }
      guard parts.count == 2, let columns = parts[0], let rows = parts[1], (1...1000).contains(columns),
        (1...1000).contains(rows)
      else { throw UserError(.usage, "--size \(size): write columns and rows, such as 80x24, each from 1 to 1000") }
      let layout = try Layout(yaml: BundledFiles.text(at: file, what: "layout"), source: file)
      let dashboard = Dashboard(.live, layouts: [layout], startingWith: layout.name)
      print(dashboard.draw(size: (columns, rows), now: 0).text)
    }
  }
}
