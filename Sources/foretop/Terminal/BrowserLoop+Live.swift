// A screen that follows and steers a run of another process through its control socket. When that process ends, the screen stays
// as that of a stored run; when another process continues the run, the screen follows that process. A run that goes back to a
// checkpoint goes on as a branch: the screen follows the branch.
import Dashboard
import Dispatch
import Foundation
import Run
import RunFile
import Session

/// The loop's state of such a run.
struct FollowedRun {
  let name: String
  /// Nil while no process trains the run, or the connection is being made.
  var connection: AttachedRun?
  var splice = EventSplice()
  /// The place up to which the files are read; nil for a branch of which nothing is on the screen yet.
  var bookmark: StoredRun.Bookmark?
  /// The name of the branch as which the run said that it goes on.
  private(set) var branch: String?
  /// True while missing events are being read from the files; new events wait in the connection meanwhile.
  var isHealing = false
  /// When events were found to be missing, in seconds, until they are there; and when the files are read for them next.
  var gapSince: Double?
  var nextHealing = 0.0
  /// True while a connection is being made.
  var isConnecting = false
  /// When to look for a process next, in seconds.
  var nextLook = 0.0

  /// Takes the messages of the connection.
  mutating func take() -> [AttachedRun.Message] { connection?.take(&splice) ?? [] }

  /// Remembers the name of the branch on which the run continues.
  mutating func note(_ event: Event) {
    switch event {
    case .began: branch = nil
    case .occurred(let occurrence):
      // The runs of an experiment are named with it.
      if let next = occurrence.nextRun { branch = name.contains("/") ? "\(name.parentFolder)/\(next)" : next }
    default: break
    }
  }
}

extension Occurrence {
  /// The name of the branch as which a run goes on, if this is the line that says so.
  fileprivate var nextRun: String? {
    guard kind == .branch, key == Command.back(.last).word, text.hasSuffix("”") else { return nil }
    return text.dropLast().range(of: "“", options: .backwards).map { String(text.dropLast()[$0.upperBound...]) }
  }
}

extension BrowserLoop {
  /// Seconds between two looks for a process that continues the run.
  private static var pause: Double { 0.5 }
  /// Seconds between two readings of files that do not have all missing events yet, and how long they may take: a run's process stores
  /// its rows within a second or two.
  private static var healingPause: Double { 0.1 }
  private static var longestGap: Double { 10 }

  /// Follows a run that is on the screen.
  /// - Parameters:
  ///   - bookmark: the place up to which its files are read.
  ///   - events: the events that were read.
  mutating func follow(
    _ name: String, from bookmark: StoredRun.Bookmark, _ events: [Event], by connection: AttachedRun
  ) {
    followed = FollowedRun(name: name, connection: connection, bookmark: bookmark)
    for event in events {
      _ = followed!.splice.isNew(event)
      followed!.note(event)
    }
  }

  /// Takes a reading with its connection: of a run that is being opened, or of one that another process has continued.
  mutating func take(_ reading: RunReader.StoredReading, _ connection: Result<AttachedRun, UserError>) {
    guard followed?.name == reading.name, followed!.isConnecting else { return open(reading, connection) }
    followed!.isConnecting = false
    let isBranch = followed!.bookmark == nil
    // A branch whose session is not in its file yet is read again.
    guard !isBranch || begin(reading) else { return }
    followed!.bookmark = reading.bookmark
    if !isBranch { pass(reading.events) }
    view!.content.dashboard?.know(checkpoints: reading.checkpoints)
    // Between two sessions nobody listens for a moment: the next look follows.
    guard case .success(let connection) = connection else {
      // This one may have gone back as well before anybody looked.
      if view!.content.dashboard?.isEnded == true, let branch = followed!.branch { follow(branch) }
      return
    }
    followed!.connection = connection
    let sentence =
      isBranch
      ? "this screen follows “\(reading.name)”, as which the run goes on"
      : "another process goes on with the run: this screen follows it"
    view!.content.dashboard?.become(.attached, saying: sentence.harmlessLine)
  }

  /// Shows a branch in the place of its parent, whose steps stay on the screen.
  /// - Returns: false if it has not begun.
  private mutating func begin(_ reading: RunReader.StoredReading) -> Bool {
    let start = reading.events.lastIndex { event in
      if case .began(let beginning) = event { beginning.step == beginning.parent?.step } else { false }
    }
    guard let start else { return false }
    // What comes before is the parent's.
    for event in reading.events[..<start] { _ = followed!.splice.isNew(event) }
    view!.content.dashboard?.startSession(at: Date().timeIntervalSince1970)
    view!.content.dashboard?.become(.stored, saying: "this is “\(reading.name)”, as which the run went on".harmlessLine)
    pass(reading.events[start...])
    return true
  }

  private mutating func open(_ reading: RunReader.StoredReading, _ connection: Result<AttachedRun, UserError>) {
    guard opening == reading.name else { return }
    opening = nil
    view!.content.sayBelowRuns("")
    bookmarks[reading.name] = reading.bookmark
    switch connection {
    case .success(let connection):
      follow(reading.name, from: reading.bookmark, reading.events, by: connection)
      view!.content.open(Dashboard(.attached, layouts, glyphs: .braille), reading.events)
    case .failure(let error) where reading.state == .training:
      view!.content.open(Dashboard(.watched, layouts, glyphs: .braille), reading.events)
      view!.content.dashboard?.isReadOnly(because: error)
    case .failure: view!.content.open(Dashboard(.stored, layouts, glyphs: .braille), reading.events)
    }
    view!.content.dashboard?.know(checkpoints: reading.checkpoints)
  }

  /// Sends a command to the run's process.
  mutating func ask(_ command: Command) {
    guard followed?.connection != nil else { return }
    do {
      let isSure = view!.content.dashboard?.askedIsSure ?? false
      let id = try followed!.connection!.ask(command, isSure: isSure)
      view!.content.dashboard?.wasSent(as: id)
    } catch {
      // The process may have said why it left.
      takeLive()
      lose(UserError(error, while: "asking the run"))
    }
  }

  /// Shows the messages of the connection; without a connection, looks for a new process.
  mutating func takeLive() {
    guard followed != nil, view!.content.dashboard != nil else { return }
    guard followed!.connection != nil else { return lookForProcess() }
    guard !followed!.isHealing, Clock.now >= followed!.nextHealing else { return }
    let messages = followed!.take()
    if let message = messages.last, case .gap = message {} else { followed!.gapSince = nil }
    for message in messages {
      switch message {
      case .event(let event):
        view!.content.dashboard?.receive(event)
        heed(event.event)
      case .evaluating(let done, let total):
        view!.content.dashboard?.evaluate(done: done, total: total, at: Date().timeIntervalSince1970)
      case .refused(let id, let sentence): view!.content.dashboard?.refuse(id, sentence.harmlessLine)
      case .gap:
        view!.content.dashboard?.expectLostAnswers()
        heal()
      case .lost(let error): lose(error)
      }
    }
  }

  /// Acts on an event that is on the screen.
  private mutating func heed(_ event: Event) {
    followed!.note(event)
    guard case .occurred(let occurrence) = event, occurrence.kind == .saved else { return }
    // Others may have been removed for it.
    let steps = try? StoredRun.checkpointSteps(in: "\(folder.runs)/\(followed!.name)")
    if let steps { view!.content.dashboard?.know(checkpoints: steps) }
  }

  /// Has the files read for the events that the connection left out.
  private mutating func heal() {
    let now = Clock.now
    let since = followed!.gapSince ?? now
    followed!.gapSince = since
    guard now - since < Self.longestGap, let bookmark = followed!.bookmark else {
      return followed!.connection!.acceptGap()
    }
    followed!.isHealing = true
    followed!.nextHealing = now + Self.healingPause
    reader.send(.news(followed!.name, bookmark))
  }

  /// Shows the events that the connection left out.
  /// - Returns: true if they were read for that.
  mutating func heal(with reading: RunReader.StoredReading) -> Bool {
    guard followed?.name == reading.name, followed!.isHealing else { return false }
    followed!.isHealing = false
    followed!.bookmark = reading.bookmark
    // On a busy machine a reading may take longer than a gap may last: what counts is the time without news.
    if !reading.events.isEmpty { followed!.gapSince = nil }
    pass(reading.events)
    view!.content.dashboard?.know(checkpoints: reading.checkpoints)
    return true
  }

  private mutating func pass(_ events: some Sequence<Event>) {
    for event in events where followed!.splice.isNew(event) {
      view!.content.dashboard?.receive(event)
      followed!.note(event)
    }
  }

  /// The connection is lost, or the process has ended.
  private mutating func lose(_ error: UserError?) {
    guard followed?.connection != nil else { return }
    followed!.connection = nil
    followed!.isHealing = false
    let isEnded = view!.content.dashboard?.isEnded == true
    if isEnded, let branch = followed!.branch { return follow(branch) }
    let why = error?.message ?? (isEnded ? "the session has ended" : "its process ended without a word")
    view!.content.dashboard?.become(
      .stored, saying: "\(why): this is the stored run; who resumes it is followed".harmlessLine)
  }

  /// Goes over to the branch as which the run goes on: the process that trained the run begins it now.
  private mutating func follow(_ branch: String) {
    followed = FollowedRun(name: branch)
    let command = RunAddress(name: branch, runs: folder.runs).command("attach")
    view!.content.dashboard?.become(
      .stored, saying: "the run goes on as “\(branch)”, which is awaited; “\(command)” shows it".harmlessLine)
  }

  private mutating func lookForProcess() {
    let now = Clock.now
    guard !followed!.isConnecting, now >= followed!.nextLook else { return }
    followed!.nextLook = now + Self.pause
    let files = RunFolder("\(folder.runs)/\(followed!.name)")
    // A branch may be over before it is looked at.
    let isNew = followed!.bookmark == nil
    guard access(files.socket, F_OK) == 0 || isNew && access(files.file, F_OK) == 0 else { return }
    // A socket that a killed process left exists, too; connecting to it fails.
    followed!.isConnecting = true
    reader.send(
      .attach(followed!.name, followed!.bookmark, after: isNew ? 0 : view!.content.dashboard?.lastNumber ?? 0))
  }
}

// MARK: The machine

extension BrowserLoop {
  /// Has the machine measured once a second while the screen shows it.
  mutating func readMachine() {
    let now = Clock.now
    guard !machineLook.isAwaited, now - machineLook.time >= 1, view!.content.showsMachine else { return }
    guard let name = followed?.name ?? view!.content.shownRun else { return }
    machineLook = (now, true)
    reader.send(.machine(name))
  }

  mutating func take(_ answer: Result<MachineUse?, UserError>, ofMachineOf name: String) {
    machineLook.isAwaited = false
    let shown = followed?.name ?? view!.content.shownRun
    guard shown == name, view!.content.showsMachine else { return }
    switch answer {
    case .success(let use): if let use { view!.content.dashboard?.receive(use) }
    case .failure(let error): view!.content.dashboard?.lacksMachine(because: error.message.harmlessLine)
    }
  }
}

extension Dashboard {
  /// Logs why keys change nothing in a run that another process trains.
  mutating func isReadOnly(because error: any Error) {
    receive(
      .occurred(
        Occurrence(
          .warning, step: 0, time: Date().timeIntervalSince1970, text: "this screen is read only: \(error)".harmlessLine
        )))
  }
}
