// foretop watch: the events of a run that another process trains, as they come.
import ArgumentParser
import Dashboard
import Foundation
import Run
import Session
import TerminalUI

struct Watch: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Prints the events of a run that another process trains, until it ends.",
    discussion: """
      First come the events since the session began, as far as the process still holds them (the newest 8192; a line \
      names the missing ones), then each new event as it happens. Without --json, steps are printed at most once a \
      second.

      Exit statuses: 0 the run ended, 66 no such run, 69 no process trains the run, 74 the run's process was killed.
      """)

  @OptionGroup var which: RunArgument

  @Flag(help: "Prints every event as a JSON object, as “foretop train --json” does.")
  var json = false

  @Flag(help: "Prints only new events.")
  var fromNow = false

  @OptionGroup var place: FolderOptions

  func run() throws { try Self.follow(which.name, in: place, isJSON: json, fromNow: fromNow) }

  /// Prints the events of a live run until it ends.
  static func follow(_ name: String, in place: FolderOptions, isJSON: Bool, fromNow: Bool = false) throws {
    let client = try ControlClient(folder: RunLookup.folder(name, in: place), name: name)
    try client.send(ControlClient.subscription(id: 1, from: fromNow ? nil : 1))
    var lines = WatchedLines()
    while let message = try client.next() {
      if let error = message["error"]?.string { throw UserError(.unavailable, error) }
      guard let event = message["event"]?.string else { continue }
      if isJSON {
        print(message.line)
      } else if let line = lines.line(for: message, event) {
        print(line)
      }
      fflush(nil)
      if event == "end" { return }
    }
    throw UserError(
      .inputOutput,
      "the process that trained run “\(name)” was killed: “\(RunAddress(name: name, runs: place.runs).command("resume"))” continues the run"
    )
  }
}

/// Makes lines of events in JSON.
struct WatchedLines {
  private var lastStep = -Double.infinity
  private var pace = Pace()
  private var last: (active: Double, tokens: Double)?

  /// The line of an event; nil if the event is not printed.
  mutating func line(for event: JSON, _ kind: String) -> String? {
    let step = "step \(Figure.grouped(event["step"]?.whole ?? 0))"
    switch kind {
    case "preparing": return "\(event["text"]?.string ?? "") …"
    case "begin": return "\(event["name"]?.string ?? "") trains from \(step)"
    case "step":
      takeSpeed(of: event)
      let now = ProcessInfo.processInfo.systemUptime
      guard now - lastStep >= 1 else { return nil }
      lastStep = now
      let rate = event["rate"]?.number.map { "  rate \(Figure.rate($0))" } ?? ""
      let speed = pace.tokensPerSecond.map { "  \(Figure.short($0)) tok/s" } ?? ""
      return "\(step)\(losses(event))\(rate)\(speed)"
    case "heldout": return "\(step)  held-out\(losses(event))\(event["isBest"]?.isTrue == true ? "  best" : "")"
    case "text": return "\(step)  text  \((event["prompt"]?.string ?? "") + (event["text"]?.string ?? ""))"
    case "occurrence":
      guard event["kind"]?.string != "done", let text = event["text"]?.string else { return nil }
      let actor = event["actor"]?.string ?? "program"
      return "\(step)  \(text)" + (actor == "program" ? "" : "  (\(actor))")
    case "gap":
      let last = event["number"]?.whole ?? 0
      let first = event["first"]?.whole.map { "events \($0) to \(last)" } ?? "events up to number \(last)"
      return "\(first) are left out here; run.h5 has them"
    case "end": return "\(step)  \(event["reason"]?.string ?? "ended")"
    default: return nil
    }
  }

  /// Takes a step in, for the mean speed. A step after a gap has the time of all steps since the last one, and their tokens.
  private mutating func takeSpeed(of event: JSON) {
    guard let active = event["active"]?.number, let tokens = event["tokens"]?.number else { return }
    defer { last = (active, tokens) }
    if let last {
      pace.add(active - last.active, tokens: tokens - last.tokens)
    } else if let speed = event["tokensPerSecond"]?.number, speed > 0 {
      pace.add(1, tokens: speed)
    }
  }

  private func losses(_ event: JSON) -> String {
    (event["loss"]?.members ?? []).compactMap { loss in
      loss.value.number.map { "  \(loss.key) \(Figure.loss($0))" }
    }.joined()
  }
}
