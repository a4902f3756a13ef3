// foretop inspect: a stored run on the panels of a live one.
import ArgumentParser
import Curses
import Dashboard
import Foundation
import Run
import RunFile
import TerminalUI

struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Shows a stored run, or a part of it.",
    discussion: """
      Without a part, the run is shown on the same panels as a live run; without a terminal, a picture of these panels is \
      printed, or with --json all events, one a line. With --export, the losses over tokens are written as a file instead. A part is printed as text, or with --json as JSON:

      summary       progress, network, text and losses
      metrics       steps and evaluations: a selection as text, all with --json
      diagnostics   what measure.* measured, with the reliability diagram
      events        all events except steps
      checkpoints   saved checkpoints with their held-out losses
      recipe        every key of the recipe
      """, aliases: ["show"])

  @Argument(help: ArgumentHelp("The run's name; without a name, the run that changed last.", valueName: "name"))
  var name: String?

  @Argument(help: ArgumentHelp("summary, metrics, diagnostics, events, checkpoints or recipe.", valueName: "part"))
  var part: InspectPart?

  @OptionGroup var export: ExportOptions
  @OptionGroup var place: FolderOptions
  @OptionGroup var screen: ScreenOptions

  func run() throws {
    let (given, part) = try asked
    let (name, folder) = place.located(given)
    if export.isAsked {
      let archive = try RunLookup.archive(given, in: place)
      let run = ComparedRun(
        name: name, recipe: archive.recipe, state: archive.state.rawValue, events: try archive.history())
      return try export.write(Comparison.chart(of: run))
    }
    if let part {
      try part.show(RunLookup.archive(given, in: place), glyphs: glyphs, isJSON: screen.json)
      return
    }
    if screen.json {
      for event in try RunLookup.archive(given, in: place).events() { print(event.json) }
      return
    }
    let followed = try RunLookup.toFollow(given, in: place)
    let (archive, events) = (followed.run, followed.events)
    let mode: Dashboard.Mode = archive.state == .training ? .watched : .stored
    let steps = (try? archive.checkpoints().map(\.step)) ?? []
    let layouts = try LayoutFiles(startingWith: screen.layout)
    if !screen.headless {
      let loop = try BrowserLoop(folder, screen.looks, layouts) { glyphs in
        var browser = Browser(layouts: layouts.layouts, problems: layouts.problems)
        var dashboard = dashboard(of: events, layouts, mode, glyphs)
        dashboard.know(checkpoints: steps)
        browser.dashboard = dashboard
        return browser
      }
      if var loop {
        loop.follow(name, from: followed.bookmark)
        throw Ended(status: loop.run())
      }
    }
    print(picture(of: events, layouts, mode))
    let checkpoints = try archive.checkpoints().map { "\($0.step)" }
    print("\(archive.folder)  checkpoints: \(checkpoints.isEmpty ? "none" : checkpoints.joined(separator: ", "))")
  }

  /// The chosen run and part: `inspect events` means a part of the newest run, unless a run is called events.
  private var asked: (name: String, part: InspectPart?) {
    get throws {
      if let name {
        guard part == nil, let only = InspectPart(argument: name), !RunLookup.has(name, in: place) else {
          return (name, part)
        }
        return (try RunLookup.newest(in: place), only)
      }
      return (try RunLookup.newest(in: place), nil)
    }
  }

  /// The characters of pictures on standard output.
  private var glyphs: Glyphs { screen.looks.glyphs.glyphs ?? (Screen.isUTF8Asked ? .braille : .ascii) }

  private func picture(of events: [Event], _ layouts: LayoutFiles, _ mode: Dashboard.Mode) -> String {
    var dashboard = dashboard(of: events, layouts, mode, glyphs)
    dashboard.lacksMachine(because: "only a screen measures the machine")
    return dashboard.draw(size: TextTable.terminalSize ?? (120, 36), now: Date().timeIntervalSince1970).text
  }

  private func dashboard(
    of events: [Event], _ layouts: LayoutFiles, _ mode: Dashboard.Mode, _ glyphs: Glyphs
  ) -> Dashboard {
    var dashboard = Dashboard(mode, layouts, glyphs: glyphs)
    for event in events { dashboard.receive(event) }
    return dashboard
  }
}
