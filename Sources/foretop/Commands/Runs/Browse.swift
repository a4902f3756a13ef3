// foretop without a command: the runs on a screen.
import ArgumentParser
import Dashboard
import Foundation
import Run
import TerminalUI

struct Browse: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Shows all runs on a screen: compares, opens and removes them.",
    discussion: """
      On a terminal, “foretop” without a command does the same; elsewhere it prints its help. “foretop runs” lists the \
      runs as text. On the screen, ? lists the keys.
      """)

  @OptionGroup var place: FolderOptions
  @OptionGroup var looks: LookOptions

  func run() throws {
    guard let status = try Self.show(place, looks) else { throw CleanExit.helpRequest(Foretop.self) }
    throw Ended(status: status)
  }

  /// Shows the list of all runs until the user leaves.
  /// - Returns: the process's exit status; nil if the terminal cannot show a screen.
  static func show(_ place: FolderOptions, _ looks: LookOptions) throws -> Int32? {
    let layouts = try LayoutFiles()
    let catalog = try RunCatalog(place.runs)
    let loop = try BrowserLoop(place, looks, layouts) { glyphs in
      var browser = Browser(layouts: layouts.layouts, problems: layouts.problems)
      browser.runs = RunsScreen(folder: place.runs, glyphs: glyphs)
      return browser
    }
    guard var loop else { return nil }
    return loop.run(catalog)
  }
}
