// foretop attach: the screen of a run that another process trains.
import ArgumentParser
import Dashboard
import Foundation
import Run
import RunFile
import Session

struct Attach: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Shows the screen of a run that another process trains, and steers the run.",
    discussion: """
      The screen has the run's whole history, and follows it live. Keys and : send commands to the process that trains \
      the run; run.h5 records them with the sender “attached PID”. Several screens may be attached at once. q and ctrl-C \
      leave the screen, and the run goes on. When the process that trains ends, the screen becomes that of a stored run; \
      when another process resumes the run, the screen follows the new process; when the run goes back to a checkpoint, the \
      screen follows its branch. Without a terminal, the run's events are \
      printed as by “foretop watch”.

      Exit statuses: 0 the screen was left, 66 no such run, 69 no process trains the run.
      """)

  @OptionGroup var which: RunArgument

  @OptionGroup var place: FolderOptions
  @OptionGroup var screen: ScreenOptions

  func run() throws {
    let path = try RunLookup.folder(which.name, in: place)
    let layouts = try LayoutFiles(startingWith: screen.layout)
    if screen.headless || screen.json || isatty(STDIN_FILENO) != 1 || isatty(STDOUT_FILENO) != 1 {
      return try Watch.follow(which.name, in: place, isJSON: screen.json)
    }
    var client = Result { try ControlClient(folder: path, name: which.name) }
    if case .success(let early) = client, early.preparing != nil {
      Output.warn("run “\(which.name)” is being set up: its screen comes when the run has begun".harmlessLine)
      try early.waitForBeginning { Output.warn("\($0) …".harmlessLine) }
      client = Result { try ControlClient(folder: path, name: which.name) }
    }
    let connection = Result { try AttachedRun(client.get()) }
    let followed = try RunLookup.toFollow(which.name, in: place)
    if case .failure(let error) = connection, followed.run.state != .training { throw error }
    let (events, bookmark) = (followed.events, followed.bookmark)
    let steps = (try? followed.run.checkpoints().map(\.step)) ?? []
    let (name, folder) = place.located(which.name)
    let loop = try BrowserLoop(folder, screen.looks, layouts) { glyphs in
      var browser = Browser(layouts: layouts.layouts, problems: layouts.problems)
      let mode: Dashboard.Mode = if case .success = connection { .attached } else { .watched }
      var dashboard = Dashboard(mode, layouts, glyphs: glyphs)
      for event in events { dashboard.receive(event) }
      dashboard.know(checkpoints: steps)
      if case .failure(let error) = connection { dashboard.isReadOnly(because: error) }
      browser.dashboard = dashboard
      return browser
    }
    guard var loop else { return try Watch.follow(which.name, in: place, isJSON: false) }
    switch connection {
    case .success(let connection): loop.follow(name, from: bookmark, events, by: connection)
    case .failure: loop.follow(name, from: bookmark)
    }
    throw Ended(status: loop.run())
  }
}
