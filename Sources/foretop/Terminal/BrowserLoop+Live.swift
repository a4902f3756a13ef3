// A screen that follows and steers a run of another process through its control socket. When that process ends, the screen stays
// as that of a stored run; when another process continues the run, the screen follows that process.
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
  /// The place up to which the files are read.
  var bookmark: StoredRun.Bookmark
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
    for event in events { _ = followed!.splice.isNew(event) }
  }

  /// Takes a reading with its connection: of a run that is being opened, or of one that another process has continued.
  mutating func take(_ reading: RunReader.StoredReading, _ connection: Result<AttachedRun, UserError>) {
    guard followed?.name == reading.name, followed!.isConnecting else { return open(reading, connection) }
    followed!.isConnecting = false
    followed!.bookmark = reading.bookmark
    view!.content.dashboard?.know(checkpoints: reading.checkpoints)
    pass(reading.events)
    // Between two sessions nobody listens for a moment: the next look follows.
    guard case .success(let connection) = connection else { return }
    followed!.connection = connection
    view!.content.dashboard?.become(.attached, saying: "another process goes on with the run: this screen follows it")
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
      case .event(let event): view!.content.dashboard?.receive(event)
      case .refused(let id, let sentence): view!.content.dashboard?.refuse(id, sentence.harmlessLine)
      case .gap: heal()
      case .lost(let error): lose(error)
      }
    }
  }

  /// Has the files read for the events that the connection left out.
  private mutating func heal() {
    let now = Clock.now
    let since = followed!.gapSince ?? now
    followed!.gapSince = since
    guard now - since < Self.longestGap else { return followed!.connection!.acceptGap() }
    followed!.isHealing = true
    followed!.nextHealing = now + Self.healingPause
    reader.send(.news(followed!.name, followed!.bookmark))
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
    return true
  }

  private mutating func pass(_ events: [Event]) {
    for event in events where followed!.splice.isNew(event) { view!.content.dashboard?.receive(event) }
  }

  /// The connection is lost, or the process has ended.
  private mutating func lose(_ error: UserError?) {
    guard followed?.connection != nil else { return }
    followed!.connection = nil
    followed!.isHealing = false
    let why =
      error?.message
      ?? (view!.content.dashboard?.isEnded == true
        ? "the session has ended" : "the process that trained this run has ended without a word")
    view!.content.dashboard?.become(
      .stored,
      saying: "\(why): this is the stored run; q leaves, and the screen follows the next process that resumes the run"
        .harmlessLine)
  }

  private mutating func lookForProcess() {
    let now = Clock.now
    guard !followed!.isConnecting, now >= followed!.nextLook else { return }
    followed!.nextLook = now + Self.pause
    guard access(RunFolder("\(folder.runs)/\(followed!.name)").socket, F_OK) == 0 else { return }
    // A socket that a killed process left exists, too; connecting to it fails.
    followed!.isConnecting = true
    reader.send(
      .attach(followed!.name, followed!.bookmark, after: view!.content.dashboard?.lastNumber ?? 0))
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
