// Commands in every phase of a session: each is carried out, or refused with a sentence.
import Dispatch
import Foundation
import Run
import RunFile
import Synchronization
import Testing

@testable import Session

extension SessionTests {
  /// What a session is doing while it is asked.
  enum Phase: String, CaseIterable {
    case settingUp, training, evaluating, generating, paused, diverged, ending

    /// What is asked right before, so that the session does that when it comes to the commands.
    var asked: [String] {
      switch self {
      case .evaluating: ["evaluate"]
      case .generating: ["generate"]
      case .paused: ["pause"]
      case .ending: ["stop"]
      case .settingUp, .training, .diverged: []
      }
    }
  }

  /// A session that stands still before its text is opened until it is let go.
  final class HeldSession {
    let session: TrainingSession
    private let gate = DispatchSemaphore(value: 0)

    init(_ request: RunRequest, isHeld: Bool = true) throws {
      session = TrainingSession(request, isAttended: true) { [gate] in gate.wait() }
      if !isHeld { gate.signal() }
    }

    func letGo() { gate.signal() }

    /// A connection to the session, as soon as it has a socket.
    func connect() throws -> ControlClient {
      let limit = ContinuousClock.now + .seconds(60)
      while true {
        do {
          return try ControlClient(folder: session.request.folder, name: session.request.name)
        } catch {
          guard .now < limit else { throw error }
          usleep(1000)
        }
      }
    }
  }

  private func send(_ lines: [String], to client: ControlClient, from first: Int = 1) throws {
    for (index, line) in lines.enumerated() {
      try client.send(
        .object([JSON.Member("id", .integer(first + index)), JSON.Member("command", .text(line))]))
    }
  }

  /// The answers to so many requests, by their ids.
  private func answers(_ count: Int, from client: ControlClient) throws -> [Int: (status: String, text: String)] {
    var answers: [Int: (status: String, text: String)] = [:]
    while answers.count < count, let message = try client.next() {
      guard let id = message["answer"]?.whole else { continue }
      #expect(answers[id] == nil, "\(id) is answered twice")
      answers[id] = (message["status"]?.string ?? "", message["text"]?.string ?? "")
    }
    return answers
  }

  @Test(arguments: Phase.allCases)
  func `in every phase every command is carried out or refused with a sentence`(phase: Phase) throws {
    // Going back and leaving end the session: the last of them is asked for by itself.
    let commands = CommandForm.all.flatMap(\.examples).filter {
      !["stop", "abandon"].contains($0) && !$0.hasPrefix("back")
    }
    let recipe = folder.recipe(steps: 100_000)
    let held = try HeldSession(folder.request("phase-\(phase)", recipe), isHeld: phase == .settingUp)
    var reader = Reader(held.session.hub.subscribe(mostSteps: .max))
    try held.session.start()
    let client = try held.connect()
    switch phase {
    case .settingUp: #expect(client.preparing != nil)
    case .diverged:
      // No weights survive such a rate; by then the guard knows which losses are usual.
      held.session.requests.send(.until(.step(200)), by: .key)
      reader.read { if case .occurred(let line) = $0 { line.kind == .pause } else { false } }
      for command in [Command.rate(.to(1)), .proceed] { held.session.requests.send(command, by: .key) }
      reader.read { if case .occurred(let line) = $0 { line.kind == .diverged } else { false } }
    default: reader.read { if case .stepped = $0 { true } else { false } }
    }
    let lines = phase.asked + commands
    try send(lines, to: client)
    if phase == .settingUp { held.letGo() }
    let given = try answers(lines.count, from: client)
    for (index, line) in lines.enumerated() {
      let answer = given[index + 1]
      #expect(
        answer.map { ["done", "refused"].contains($0.status) && !$0.text.isEmpty } ?? false, "\(line) in \(phase)")
      if phase == .ending, index > 0 { #expect(answer?.status == "refused", "\(line): \(answer?.text ?? "")") }
    }
    if phase != .ending {
      let settings = commands.firstIndex(of: "clip 0.5").map { $0 + phase.asked.count + 1 } ?? 0
      #expect(given[settings]?.status == "done", "\(given[settings]?.text ?? "")")
      try send(["stop"], to: client, from: 1000)
      #expect(try answers(1, from: client)[1000]?.status == "done")
    }
    reader.readToEnd()
    held.session.end()
    #expect(reader.ending != nil)
  }

  @Test func `a run that is stopped while it is being set up leaves nothing`() throws {
    let held = try HeldSession(folder.request("early", folder.recipe(steps: 10)))
    var reader = Reader(held.session.hub.subscribe())
    try held.session.start()
    let client = try held.connect()
    try send(["pause", "stop"], to: client)
    // The one that waits is refused when nothing comes of the run.
    let first = try answers(1, from: client)
    #expect(first[2]?.status == "done", "\(first)")
    #expect(throws: UserError.self) { try RunReservation(new: held.session.request.folder) }
    #expect(held.session.cancelSetup())
    let second = try answers(1, from: client)
    #expect(second[1]?.status == "refused", "\(second)")
    #expect(!FileManager.default.fileExists(atPath: held.session.request.folder))
    held.letGo()
    reader.readToEnd()
    held.session.end()
    #expect(reader.events.isEmpty && !FileManager.default.fileExists(atPath: held.session.request.folder))
  }

  @Test func `what waits for a run that cannot begin is refused with the reason`() throws {
    var recipe = folder.recipe(steps: 10)
    recipe.data.paths = ["\(folder.path)/no-such-text"]
    let held = try HeldSession(folder.request("never", recipe))
    var reader = Reader(held.session.hub.subscribe())
    try held.session.start()
    let client = try held.connect()
    try send(["rate x2", "save"], to: client)
    try client.send(ControlClient.subscription(id: 0, from: 1))
    var texts: [Int: String] = [:]
    var isLetGo = false
    while let message = try client.next() {
      // Both are there by then: lines are taken in their order.
      if message["event"]?.string == "preparing", !isLetGo {
        isLetGo = true
        held.letGo()
      }
      if let id = message["answer"]?.whole, message["status"]?.string == "refused" {
        texts[id] = message["text"]?.string
      }
    }
    #expect(texts.count == 2 && texts.values.allSatisfy { $0.contains("no-such-text") }, "\(texts)")
    reader.readToEnd()
    held.session.end()
    #expect(!FileManager.default.fileExists(atPath: held.session.request.folder))
  }
}
