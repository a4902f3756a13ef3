// A run that another process trains, as a screen follows it: its events, joined with what was read of its files, and commands that
// are asked of it. Nothing here waits.
import Run

/// One connection of a screen to a live run.
package struct AttachedRun: Sendable {
  /// What has come.
  package enum Message: Sendable {
    case event(NumberedEvent)
    /// An evaluation has measured so many of so many windows.
    case evaluating(done: Int, total: Int)
    /// A command was refused before it got to the run: its id, and why.
    case refused(id: Int, String)
    /// Events are missing here: the files have them, or will have them in a moment. What comes after them waits until the splice
    /// knows them, or until `acceptGap`.
    case gap
    /// The process has closed the connection, or is not understood.
    case lost(UserError?)
  }

  private let client: ControlClient
  private var reader = EventReader()
  /// The number of the newest event when the connection was made.
  private let numberAtStart: Int
  /// Added to the numbers of events: those of a later session go on from those of the one before.
  private let base: Int
  /// Which command of this screen an event answers, by the event's number.
  private var answers: [Int: Int] = [:]
  private var lastID = 0
  /// Whether no event has come yet: the files have what a process does not hold any more.
  private var isFirst = true
  /// Whether steps may be missing before the next one that comes.
  private var mayMissSteps = true
  /// Lines that have come, and are not passed on yet.
  private var waiting: [JSON] = []
  private var isOver = false

  /// Follows a live run from its first event on that its process still holds.
  /// - Parameter base: the largest number of an event that the screen was given so far.
  /// - Throws: `UserError` when the process does not take the request.
  package init(_ client: ControlClient, after base: Int = 0) throws {
    self.client = client
    self.base = base
    numberAtStart = client.hello["number"]?.whole ?? 0
    try client.send(ControlClient.subscription(id: 0, from: 1, hasProgress: client.sendsProgress))
  }

  /// Asks for a command.
  /// - Parameter isSure: see `Request`.
  /// - Returns: its id, which the event that answers it carries as its request.
  /// - Throws: `UserError` when the connection is lost.
  package mutating func ask(_ command: Command, isSure: Bool = false) throws -> Int {
    lastID += 1
    try client.send(
      .object(
        [
          JSON.Member("id", .integer(lastID)), JSON.Member("as", .text("attached")),
          JSON.Member("command", .text(command.line)),
        ] + (isSure ? [JSON.Member("yes", .flag(true))] : [])))
    return lastID
  }

  /// Takes what has come.
  /// - Parameter splice: knows what the screen has.
  package mutating func take(_ splice: inout EventSplice) -> [Message] {
    var messages: [Message] = []
    do {
      // What waits is bounded: nothing more is taken meanwhile.
      if waiting.isEmpty, !isOver { (waiting, isOver) = try client.take() }
      var taken = 0
      defer { waiting.removeFirst(taken) }
      for line in waiting {
        let kind = line["answer"] == nil ? line["event"]?.string : nil
        let event = kind == nil || kind == "gap" ? nil : try reader.read(line)
        if let event, lacksSteps(before: event.event, splice) {
          messages.append(.gap)
          return messages
        }
        taken += 1
        if let id = line["answer"]?.whole {
          if let message = answer(id, line) { messages.append(message) }
        } else if kind == "gap" {
          mayMissSteps = true
          defer { isFirst = false }
          guard isFirst else {
            messages.append(.gap)
            return messages
          }
        } else if kind == "evaluating", let done = line["done"]?.whole, let total = line["total"]?.whole {
          messages.append(.evaluating(done: done, total: total))
        } else if var event {
          isFirst = false
          if splice.isNew(event.event, isFresh: event.number > numberAtStart) {
            renumber(&event)
            messages.append(.event(event))
          }
        } else if let error = line["error"]?.string {
          messages.append(.lost(UserError(.unavailable, "the run's process ended the connection: \(error)")))
        }
      }
      if isOver { messages.append(.lost(nil)) }
    } catch {
      messages.append(.lost(UserError(error, while: "following the run")))
    }
    return messages
  }

  /// Goes on although the files do not have what is missing.
  package mutating func acceptGap() { mayMissSteps = false }

  private mutating func lacksSteps(before event: Event, _ splice: EventSplice) -> Bool {
    guard mayMissSteps, case .stepped(let report) = event else { return false }
    mayMissSteps = report.step > splice.lastStep + 1
    return mayMissSteps
  }

  private mutating func answer(_ id: Int, _ line: JSON) -> Message? {
    // The subscription's own.
    guard id > 0 else { return nil }
    if let number = line["number"]?.whole {
      answers[number] = id
      return nil
    }
    return .refused(id: id, line["text"]?.string ?? "refused")
  }

  /// Numbers go on from session to session, and a request is named by the number that this screen gave it.
  private mutating func renumber(_ event: inout NumberedEvent) {
    switch event.event {
    case .occurred(var occurrence):
      occurrence.request = answers.removeValue(forKey: event.number)
      event.event = .occurred(occurrence)
    case .confirmed(let number): event.event = .confirmed(number: number + base)
    default: break
    }
    event.number += base
  }
}
