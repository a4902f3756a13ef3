// foretop inspect: a stored run on the panels of a live one.
import ArgumentParser
import Dashboard
import Foundation
import Run
import RunFile
import TerminalUI

struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Shows a stored run.",
    discussion: "On a terminal with the same panels and keys as a live run; elsewhere as a picture in text.")

  @Argument(help: ArgumentHelp("The run's name.", valueName: "name"))
  var name: String

  @OptionGroup var place: PlaceOptions
  @OptionGroup var screen: ScreenOptions

  func run() throws {
    let archive = try StoredRun.archive(name, in: place.folder)
    if screen.json {
      for event in try archive.events() { print(event.json) }
      return
    }
    let events = try archive.history()
    let layouts = try LayoutFiles(startingWith: screen.layout)
    if !screen.headless, try show(events, layouts) { return }
    print(picture(of: events, layouts))
    let checkpoints = try archive.checkpoints().map { "\($0.step)" }
    print("\(archive.folder)  checkpoints: \(checkpoints.isEmpty ? "none" : checkpoints.joined(separator: ", "))")
  }

  /// Shows the run until the user leaves.
  /// - Returns: false where there is no screen to be had.
  private func show(_ events: [Event], _ layouts: LayoutFiles) throws -> Bool {
    let signals = Signals(withScreen: true)
    guard var view = ScreenView.open(options: screen, layouts: layouts, mode: .stored) else { return false }
    for event in events { view.dashboard.receive(event) }
    var status: Int32?
    while status == nil, !view.isGone {
      for signal in signals.taken() {
        switch signal {
        case SIGTSTP: view.pauseForShell()
        case SIGINT, SIGTERM, SIGHUP: status = 128 + signal
        default: break
        }
      }
      if status == nil, view.turn(wake: signals.descriptor) == .detach { status = 0 }
      _ = view.overheardLines()
    }
    view.restore()
    // Ctrl-C is one of the ways to leave.
    throw Ended(status: status == 128 + SIGINT ? 0 : status ?? 0)
  }

  private func picture(of events: [Event], _ layouts: LayoutFiles) -> String {
    let isUTF8 =
      ["LC_ALL", "LC_CTYPE", "LANG"].compactMap { ProcessInfo.processInfo.environment[$0] }
      .first { !$0.isEmpty }.map { $0.uppercased().replacing("-", with: "").hasSuffix("UTF8") } ?? true
    var dashboard = Dashboard(
      .stored, layouts: layouts.layouts, startingWith: layouts.first, problems: layouts.problems,
      time: Date().timeIntervalSince1970, glyphs: screen.glyphs.glyphs ?? (isUTF8 ? .braille : .ascii),
      secondsFromGMT: Clock.secondsFromGMT)
    for event in events { dashboard.receive(event) }
    return dashboard.draw(size: (120, 36), now: Date().timeIntervalSince1970).text
  }
}
