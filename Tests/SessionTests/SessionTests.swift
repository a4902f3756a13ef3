// A session as its subscribers and its askers see it: one order, bounded queues, answers with names, and an end.
import Dispatch
import Foundation
import Run
import RunFile
import Session
import Synchronization
import Testing

/// What a reader in a thread of its own has heard.
private final class Heard: Sendable {
  let reader = Mutex<Reader?>(nil)
}

/// One after the other: one of them counts the threads of the process.
@Suite(.serialized) struct SessionTests {
  let folder: SessionFolder

  init() throws { folder = try SessionFolder() }

  @Test func `all subscribers hear the order of the run file, and one who does not read holds a bounded number`() throws
  {
    let recipe = folder.recipe(steps: 10_000)
    let session = TrainingSession(folder.request("long", recipe), isAttended: false)
    var reader = Reader(session.hub.subscribe(mostSteps: .max))
    let other = session.hub.subscribe(mostSteps: .max)
    let silent = session.hub.subscribe()
    let heard = Heard()
    try session.start()
    let thread = try WorkerThread("reader") {
      var reader = Reader(other)
      reader.readToEnd()
      heard.reader.withLock { $0 = reader }
    }
    // What is asked on the way makes events of every kind among the steps.
    reader.read { if case .stepped(let report) = $0 { report.step >= 1000 } else { false } }
    let asked: [Command] = [.rate(.times(0.5)), .save, .evaluate, .generate, .pause, .proceed, .rate(.times(1e9))]
    let requests = asked.map { session.requests.send($0, by: .key) }
    reader.readToEnd()
    thread.join()
    session.end()

    #expect(reader.ending?.reason == .finished && reader.steps.map(\.step) == Array(1...10_000))
    #expect(reader.events.map(\.number) == Array(1...reader.events.count))
    #expect(heard.reader.withLock { $0?.events } == reader.events)
    #expect(Set(requests).count == asked.count)
    for (command, request) in zip(asked, requests) {
      let answer = try #require(reader.answer(to: request), "\(command) is not answered")
      #expect((answer.kind == .refused) == (command == .rate(.times(1e9))), "\(answer)")
    }
    let stored = try StoredRun(opening: "\(folder.path)/long").events().compactMap(\.gist)
    let gists = reader.events.compactMap(\.event.gist)
    #expect(stored.count == gists.count)
    if let place = zip(stored, gists).enumerated().first(where: { $0.element.0 != $0.element.1 }) {
      Issue.record("at \(place.offset): the file has “\(place.element.0)”, and “\(place.element.1)” was heard")
    }
    // The tokens of an occurrence are those of its step, whenever it comes, and those of the file are the same.
    let perStep = recipe.tokensPerStep
    let occurrences = reader.events.compactMap {
      if case .occurred(let occurrence) = $0.event { occurrence } else { nil }
    }
    #expect(occurrences.count > asked.count && occurrences.allSatisfy { $0.tokens == $0.step * perStep })
    let kinds = try StoredRun(opening: "\(folder.path)/long").happenings().compactMap { event in
      if case .occurred(let occurrence) = event { occurrence } else { nil }
    }
    #expect(kinds.count >= asked.count && kinds.allSatisfy { $0.tokens == $0.step * perStep })

    // The silent one: its first steps, gaps instead of all others, and the end.
    #expect(silent.count <= Subscription.mostSteps + 2 * Subscription.mostOthers + 3)
    var kept = Reader(silent)
    kept.readToEnd()
    #expect(kept.steps.map(\.step) == Array(1...Subscription.mostSteps))
    #expect(kept.ending == reader.ending && kept.occurrences == reader.occurrences)
    let gaps = kept.events.compactMap { if case .gap(let gap) = $0.event { gap } else { nil } }
    #expect(gaps.map(\.steps).reduce(0, +) == 10_000 - Subscription.mostSteps)
    #expect(gaps.first?.firstStep == Subscription.mostSteps + 1 && gaps.last?.lastStep == 10_000)
    #expect(kept.events.map(\.number) == kept.events.map(\.number).sorted())
  }

  @Test func `other events are bounded too, and one gap tells of all that is left out`() {
    // The recorder is not there: only the queue is looked at.
    let session = TrainingSession(folder.request("queue", folder.recipe(steps: 1)), isAttended: false)
    let silent = session.hub.subscribe(mostSteps: 10)
    for step in 1...3 * Subscription.mostOthers {
      session.report(Occurrence(.notice, step: step, time: 0, text: "\(step)"))
    }
    #expect(silent.count == Subscription.mostOthers + 1)
    let last = silent.take().last
    guard case .event(let event)? = last, case .gap(let gap) = event.event else {
      Issue.record("\(String(describing: last)) is not a gap")
      return
    }
    #expect(gap.others == 2 * Subscription.mostOthers && gap.steps == 0 && gap.firstStep == nil)
    #expect(event.number == 3 * Subscription.mostOthers)
    // Who has read gets everything again.
    session.report(Occurrence(.notice, step: 1, time: 0, text: "heard"))
    #expect(silent.take().count == 1)
  }

  @Test func `of how much is done only the newest waits`() {
    let session = TrainingSession(folder.request("progress", folder.recipe(steps: 1)), isAttended: false)
    let silent = session.hub.subscribe()
    session.hub.tell(.preparing("text"))
    for done in 1...2 * Subscription.mostOthers { session.hub.tell(.progress(.tokens, done: done, total: 9999)) }
    for done in 1...7 { session.hub.tell(.evaluating(done: done, total: 7)) }
    for done in 1...5 { session.hub.tell(.progress(.tokens, done: done, total: 5)) }
    let told = silent.take().map { message in
      switch message {
      case .preparing(let text): text
      case .progress(_, let done, let total): "progress \(done)/\(total)"
      case .evaluating(let done, let total): "evaluating \(done)/\(total)"
      default: "\(message)"
      }
    }
    #expect(
      told == ["text", "progress \(2 * Subscription.mostOthers)/9999", "evaluating 7/7", "progress 5/5"])
  }

  @Test func `threads take no signals but those of their faults`() throws {
    let blocked = Mutex<[CInt]>([])
    let thread = try WorkerThread("masked") {
      var mask = sigset_t()
      pthread_sigmask(SIG_BLOCK, nil, &mask)
      blocked.withLock { $0 = (1..<CInt(64)).filter { sigismember(&mask, $0) == 1 } }
    }
    thread.join()
    let taken = blocked.withLock { $0 }
    #expect([SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH, SIGCHLD].allSatisfy(taken.contains))
    #expect(![SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS].contains(where: taken.contains))
  }

  @Test func `a change is answered inside a step of many micro-batches, before the step is told of`() throws {
    let recipe = folder.recipe(steps: 1_000_000, accumulation: 64)
    let session = TrainingSession(folder.request("inside", recipe), isAttended: false)
    var reader = Reader(session.hub.subscribe(mostSteps: .max))
    try session.start()
    // Now and then it is looked at between two steps.
    var isInside = false
    for _ in 0..<1000 where !isInside {
      reader.read { if case .stepped = $0 { true } else { false } }
      let request = session.requests.send(.rate(.times(0.99)), by: .key)
      reader.read { if case .occurred(let occurrence) = $0 { occurrence.request == request } else { false } }
      let place = try #require(reader.events.firstIndex { $0.event.answers(request) })
      let answer = try #require(reader.answer(to: request))
      let before = reader.events[..<place].last { $0.event.step != nil }?.event.step
      isInside = answer.step == before.map { $0 + 1 }
    }
    #expect(isInside)
    session.requests.send(.stop(saving: false), by: .key)
    reader.readToEnd()
    session.end()
  }

  @Test func `all threads end with a session, and another one follows in the same process`() throws {
    let before = Self.threads
    var losses: [[Float]] = []
    for name in ["first", "second"] {
      let session = TrainingSession(folder.request(name, folder.recipe(steps: 50)), isAttended: false)
      var reader = Reader(session.hub.subscribe())
      try session.start()
      let save = session.requests.send(.save, by: .key)
      reader.readToEnd()
      session.end()
      #expect(reader.ending?.reason == .finished)
      #expect(reader.answer(to: save)?.kind == .saved)
      losses.append(reader.steps.map(\.total))
      // The team's threads end by themselves after the trainer's.
      let limit = ContinuousClock.now + .seconds(600)
      while Self.threads != before, .now < limit { usleep(1000) }
      #expect(Self.threads == before)
    }
    #expect(losses[0].count == 50 && losses[0] == losses[1])
  }

  @Test func `a session that cannot begin leaves no thread and no folder`() throws {
    let before = Self.threads
    var recipe = folder.recipe(steps: 5)
    recipe.data.paths = ["\(folder.path)/nothing.txt"]
    let session = TrainingSession(folder.request("none", recipe), isAttended: false)
    let messages = session.hub.subscribe()
    try session.start()
    var error: UserError?
    while error == nil {
      for message in messages.take(waitingUntil: .distantFuture) { if case .failed(let why) = message { error = why } }
    }
    session.end()
    #expect(error?.message.contains("nothing.txt") == true)
    #expect(Self.threads == before)
    #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/none"))
  }

  /// How many threads of a session there are, by their names.
  private static var threads: [String: Int] {
    let names: Set = ["trainer", "recorder", "checkpoints", "journal", "memory"]
    let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")) ?? []
    let found = tasks.compactMap { task in
      (try? String(contentsOfFile: "/proc/self/task/\(task)/comm", encoding: .utf8))?.split(separator: "\n").first
    }
    return Dictionary(found.map { (String($0), 1) }.filter { names.contains($0.0) }, uniquingKeysWith: +)
  }
}

extension Event {
  func answers(_ request: Int) -> Bool {
    if case .occurred(let occurrence) = self { occurrence.request == request } else { false }
  }

  /// The number of the step that it tells of; nil for all else.
  var step: Int? { if case .stepped(let report) = self { report.step } else { nil } }
}
