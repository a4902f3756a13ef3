// The control socket of a session: every command leaves the same event whoever asks for it, and peers that misbehave cost nothing.
import Dispatch
import Foundation
import Run
import RunFile
import Testing

@testable import Session

extension SessionTests {
  /// Who asks in a test: through the session's queue, as the screen does, or through the socket.
  enum AskingWay: String, CaseIterable {
    case key, typed, tell, socket, attached

    var actor: Occurrence.Actor {
      self == .attached ? .attached(Int(getpid())) : Occurrence.Actor(rawValue: rawValue) ?? .program
    }
  }

  /// An event that a command left, without who asked for it and without what no two runs share.
  private struct CommandTrace: Equatable {
    var kind: Occurrence.Subject
    var step: Int
    var key: String
    var new: Double?
    var text: String

    init(_ occurrence: Occurrence) {
      kind = occurrence.kind
      step = occurrence.step
      key = occurrence.key
      // The size and the time of a checkpoint, and what was measured of the machine.
      let isMeasured = kind == .saved || occurrence.limit != nil
      new = isMeasured ? nil : occurrence.new
      text = isMeasured ? "" : occurrence.text
    }
  }

  private final class Asker {
    private let session: TrainingSession
    private let way: AskingWay
    private var client: ControlClient?
    private var id = 0

    init(_ session: TrainingSession, _ way: AskingWay) {
      self.session = session
      self.way = way
    }

    /// Asks, and waits for the answer.
    /// - Returns: the status of the answer.
    func ask(_ line: String, _ reader: inout Reader) throws -> String {
      id += 1
      if way == .key || way == .typed {
        let request = session.requests.send(try Command(typed: line), by: way.actor)
        let answer = reader.read { $0.answers(request) }
        guard case .occurred(let occurrence)? = answer else { return "" }
        return occurrence.kind == .refused ? "refused" : "done"
      }
      let client = try self.client ?? ControlClient(folder: session.request.folder, name: session.request.name)
      self.client = client
      try client.send(
        .object([
          JSON.Member("id", .integer(id)), JSON.Member("as", .text(way.rawValue)), JSON.Member("command", .text(line)),
          JSON.Member("yes", .flag(true)),
        ]))
      while let message = try client.next() {
        if message["answer"] == .integer(id) { return message["status"]?.string ?? "" }
      }
      return ""
    }
  }

  @Test func `every command leaves the same event by key, by line, by tell, by socket and by an attached screen`()
    throws
  {
    // What the table has, in an order in which every step is known; then what runs on by itself. Going back ends a session:
    // it has tests of its own.
    let lines = CommandForm.all.flatMap(\.examples).filter {
      !["go", "stop", "abandon"].contains($0) && !$0.hasPrefix("until") && !$0.hasPrefix("back")
    }
    var traces: [AskingWay: [CommandTrace]] = [:]
    var statuses: [AskingWay: [String]] = [:]
    for way in AskingWay.allCases {
      let session = TrainingSession(folder.request("way-\(way)", folder.recipe(steps: 5000)), isAttended: true)
      var reader = Reader(session.hub.subscribe(mostSteps: .max))
      session.requests.send(.pause, by: way.actor)
      try session.start()
      reader.read { if case .occurred(let occurrence) = $0 { occurrence.kind == .pause } else { false } }
      let asker = Asker(session, way)
      for line in lines + ["undo", "undo", "rate 2e-4", "undo", "weight mtp-2 1", "until 1"] {
        statuses[way, default: []].append("\(line): \(try asker.ask(line, &reader))")
      }
      statuses[way]?.append(try asker.ask("until 20", &reader))
      reader.read {
        if case .occurred(let occurrence) = $0 { occurrence.kind == .pause && occurrence.step == 20 } else { false }
      }
      #expect(try asker.ask("go", &reader) == "done")
      #expect(try asker.ask("stop", &reader) == "done")
      reader.readToEnd()
      session.end()
      #expect(reader.ending?.reason == .stopped)
      let asked = reader.occurrences.filter { $0.actor != .program }
      #expect(asked.allSatisfy { $0.actor == way.actor })
      // After “go”, the step at which the stop comes is not known.
      traces[way] = asked.filter { $0.step <= 20 && $0.key != "stop" && $0.key != "step" }.map(CommandTrace.init)
      let stored = try StoredRun(opening: "\(folder.path)/way-\(way)").happenings().compactMap { event -> Occurrence? in
        if case .occurred(let occurrence) = event, occurrence.actor != .program { occurrence } else { nil }
      }
      #expect(stored.count >= lines.count - 3 && stored.allSatisfy { $0.actor == way.actor })
      #expect(stored.contains { $0.kind == .done && $0.key == "stop" } && stored.contains { $0.limit != nil })
    }
    for way in AskingWay.allCases {
      #expect(statuses[way] == statuses[.key])
      #expect(traces[way] == traces[.key], "\(way)")
    }
    // The run has plain cross-entropy, no teacher, no second head, no JTP and no third probe.
    let shapes = [
      "further 0.5", "prefix 0.1", "beta 0.5", "head 0.1", "tail -0.1", "likeliest 8", "teacher 0.2",
      "teacher steps 2000",
    ]
    #expect(
      statuses[.key]?.filter { $0.hasSuffix("refused") } == ["weight jtp 0.2: refused"]
        + shapes.map { "ntp \($0): refused" } + [
          "mtp alone 500: refused", "probe 3: refused", "detach: refused", "weight mtp-2 1: refused",
          "until 1: refused",
        ])
  }

  @Test func `of several saves of one step each is answered with its own name and actor`() throws {
    let session = TrainingSession(folder.request("saved", folder.recipe(steps: 5000)), isAttended: true)
    var reader = Reader(session.hub.subscribe(mostSteps: .max))
    session.requests.send(.pause, by: .key)
    try session.start()
    reader.read { if case .occurred(let occurrence) = $0 { occurrence.kind == .pause } else { false } }
    let asked: [(Command, Occurrence.Actor)] = [
      (.save, .key), (.saveAs("q"), .tell), (.save, .socket), (.saveAs("r"), .attached(4711)), (.save, .key),
    ]
    let requests = asked.map { session.requests.send($0, by: $1) }
    while requests.contains(where: { reader.answer(to: $0) == nil }), !reader.isOver { reader.read { _ in true } }
    let answers = requests.compactMap { reader.answer(to: $0) }
    session.requests.send(.stop(saving: false), by: .key)
    reader.readToEnd()
    session.end()
    try #require(answers.count == asked.count)
    #expect(answers.map(\.kind) == [.saved, .saved, .done, .saved, .done])
    #expect(answers.map(\.actor) == asked.map(\.1))
    let step = answers[0].step
    #expect(
      !answers[0].text.contains(" as ") && answers[1].text.hasSuffix(" as q") && answers[3].text.hasSuffix(" as r"))
    for answer in [answers[2], answers[4]] { #expect(answer.text == "save: done: already saved at step \(step)") }
    for name in ["q", "r"] { #expect(try StoredRun.step(ofCheckpoint: name, in: "\(folder.path)/saved") == step) }
  }

  @Test func `a peer gets events from a number on, and the end`() throws {
    let session = TrainingSession(folder.request("followed", folder.recipe(steps: 400)), isAttended: true)
    var reader = Reader(session.hub.subscribe(mostSteps: .max))
    session.requests.send(.pause, by: .key)
    try session.start()
    reader.read { if case .occurred(let occurrence) = $0 { occurrence.kind == .pause } else { false } }
    let client = try ControlClient(folder: session.request.folder, name: "followed")
    #expect(client.hello["name"]?.string == "followed" && client.hello["protocol"]?.whole == 1)
    try client.send(.object([JSON.Member("subscribe", .flag(true)), JSON.Member("from", .integer(2))]))
    session.requests.send(.proceed, by: .key)
    var numbers: [Int] = []
    var events: [String] = []
    while let message = try client.next() {
      guard let event = message["event"]?.string else { continue }
      events.append(event)
      numbers.append(message["number"]?.whole ?? 0)
    }
    reader.readToEnd()
    session.end()
    #expect(numbers == Array(2...reader.events.count) && events.last == "end" && events.count { $0 == "step" } == 400)
    #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/followed/control.sock"))
    #expect(throws: UserError.self) { try ControlClient(folder: session.request.folder, name: "followed") }
  }

  @Test func `a socket that a killed process left is replaced, and a file of somebody else stays`() throws {
    let place = "\(folder.path)/place"
    try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
    let killed = try ControlListener(folder: place)
    // As if killed: the file stays, and nobody listens.
    close(killed.descriptor)
    #expect(throws: UserError.self) { try ControlClient(folder: place, name: "place") }
    let first = try ControlListener(folder: place)
    let second = try ControlListener(folder: place)
    var status = stat()
    #expect(stat("\(place)/\(ControlSocket.name)", &status) == 0 && status.st_mode & 0o777 == 0o600)
    // The first must not take away what is not its own.
    first.close()
    #expect(stat("\(place)/\(ControlSocket.name)", &status) == 0)
    second.close()
    #expect(stat("\(place)/\(ControlSocket.name)", &status) != 0)
    try "mine".write(toFile: "\(place)/\(ControlSocket.name)", atomically: false, encoding: .utf8)
    #expect(throws: UserError.self) { try ControlListener(folder: place) }
    #expect(stat("\(place)/\(ControlSocket.name)", &status) == 0)
  }

  @Test func `the newest events are kept, and a gap names the others`() {
    var ring = EventRing()
    let count = 2 * EventRing.most
    for number in 1...count {
      ring.append(NumberedEvent(number, .occurred(Occurrence(.notice, step: number, time: 0, text: "\(number)"))))
    }
    var (place, number) = (ring.place(ofNumber: 1), 1)
    var lines: [JSON] = []
    while let line = ring.take(at: &place, expecting: &number) {
      guard let object = try? JSON.read(line) else { continue }
      lines.append(object)
    }
    #expect(lines[0]["event"]?.string == "gap" && lines[0]["first"]?.whole == 1)
    let missing = lines[0]["last"]?.whole ?? 0
    #expect(lines.dropFirst().map { $0["number"]?.whole } == (missing + 1...count).map { $0 })
    #expect(lines.count > EventRing.most / 2 && number == count + 1)
    // From a number that has not come yet.
    (place, number) = (ring.place(ofNumber: count + 3), count + 3)
    for next in count + 1...count + 4 { ring.append(NumberedEvent(next, .confirmed(number: 1))) }
    let line = ring.take(at: &place, expecting: &number).flatMap { try? JSON.read($0) }
    #expect(line?["number"]?.whole == count + 3)
  }

  static let wrongLines: [(String, Bool)] = [
    ("", true), ("{", true), ("[]", true), ("\u{1}", true), ("{}", false), (#"{"id":1.5,"command":"pause"}"#, false),
    (#"{"command":["pause"]}"#, false), (#"{"command":"pause","command":"go"}"#, false),
    (#"{"command":"explode"}"#, false),
    (#"{"command":"pause","as":"signal"}"#, false), (#"{"subscribe":false}"#, false),
    (#"{"subscribe":true,"from":0}"#, false),
    (#"{"id":"\#(String(repeating: "x", count: 200))","command":"pause"}"#, false),
    (#"{"command":"pause","more":1}"#, false), (#"{"command":"rate x20","yes":1}"#, false),
  ]

  @Test(arguments: wrongLines) func `a wrong line is no request`(line: String, isFatal: Bool) {
    do {
      let message = try ControlMessage(Array(line.utf8), from: 4711)
      Issue.record("\(line) is \(message)")
    } catch {
      #expect(error.isFatal == isFatal && !error.text.isEmpty, "\(line): \(error)")
    }
  }

  @Test func `a right line is its request`() throws {
    #expect(
      try ControlMessage(Array(#"{"id":"a","command":"rate x0.5","as":"tell"}"#.utf8), from: 4711)
        == .command(.text("a"), .rate(.times(0.5)), .tell, isSure: false))
    #expect(
      try ControlMessage(Array(#"{"command":"pause"}"#.utf8), from: 4711)
        == .command(nil, .pause, .socket, isSure: false))
    #expect(
      try ControlMessage(Array(#"{"command":"pause","as":"attached"}"#.utf8), from: 4711)
        == .command(nil, .pause, .attached(4711), isSure: false))
    #expect(
      try ControlMessage(Array(#"{"subscribe":true,"from":7}"#.utf8), from: 4711)
        == .subscribe(nil, from: 7, hasProgress: false))
    #expect(
      try ControlMessage(Array(#"{"subscribe":true,"progress":true}"#.utf8), from: 4711)
        == .subscribe(nil, from: nil, hasProgress: true))
  }
}
