// A screen on another process's run misses nothing that the connection leaves out: it waits until the files have it.
import Dispatch
import Foundation
import Run
import Testing

@testable import Session

@Suite struct AttachedRunTests {
  private let folder = FileManager.default.temporaryDirectory
    .appendingPathComponent("foretop-attached-\(UUID().uuidString)").path

  /// What a run's process sends: a greeting, then these lines, then the end of the connection.
  private func connection(sending lines: [String]) throws -> AttachedRun {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let listener = try ControlListener(folder: folder)
    let bytes = Array(([#"{"protocol":1,"number":0}"#] + lines).map { $0 + "\n" }.joined().utf8)
    DispatchQueue.global().async {
      var waiting = pollfd(fd: listener.descriptor, events: Int16(POLLIN), revents: 0)
      _ = poll(&waiting, 1, -1)
      let peer = accept(listener.descriptor, nil, nil)
      // The request to subscribe: so that closing does not throw away what was sent.
      var request = [UInt8](repeating: 0, count: 256)
      _ = bytes.withUnsafeBytes { write(peer, $0.baseAddress, $0.count) }
      _ = read(peer, &request, request.count)
      close(peer)
      listener.close()
    }
    return try AttachedRun(ControlClient(folder: folder, name: "attached"))
  }

  private func line(step: Int, number: Int) -> String {
    let report = StepReport(
      step: step, tokens: 8 * step, time: 1, active: 1, total: 2, losses: [HeadLoss(head: .ntp, loss: 2, positions: 8)],
      rate: 1e-3,
      gradientNorm: 1, tokensPerSecond: 100, phases: Phases())
    return NumberedEvent(number, .stepped(report)).json
  }

  /// What messages say, in short.
  private func words(_ messages: [AttachedRun.Message]) -> [String] {
    messages.map {
      switch $0 {
      case .event(let event): if case .stepped(let report) = event.event { "step \(report.step)" } else { "event" }
      case .evaluating(let done, let total): "evaluating \(done)/\(total)"
      case .refused: "refused"
      case .gap: "gap"
      case .lost(let error): error.map { "lost: \($0)" } ?? "over"
      }
    }
  }

  /// Takes until something has come.
  private func next(_ run: inout AttachedRun, _ splice: inout EventSplice) -> [String] {
    while true {
      let messages = run.take(&splice)
      if !messages.isEmpty { return words(messages) }
      sched_yield()
    }
  }

  /// A splice to which the steps up to one were told.
  private func told(upTo step: Int, _ splice: inout EventSplice) {
    var report = StepReport.empty
    for number in splice.lastStep + 1...step {
      report.step = number
      let isNew = splice.isNew(.stepped(report))
      #expect(isNew)
    }
  }

  @Test func `steps behind a gap wait until the files have told those of the gap`() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    var run = try connection(sending: [
      line(step: 1, number: 1), #"{"event":"gap","first":2,"last":8}"#, line(step: 9, number: 9),
      line(step: 10, number: 10),
    ])
    var splice = EventSplice()
    var heard: [String] = []
    while heard.count < 2 { heard += next(&run, &splice) }
    #expect(heard == ["step 1", "gap"])
    // The files have not got everything yet: nothing gets ahead of it, however often that is tried.
    told(upTo: 6, &splice)
    for _ in 0..<2 {
      let heard = next(&run, &splice)
      #expect(heard == ["gap"])
    }
    told(upTo: 8, &splice)
    heard = []
    while heard.count < 3 { heard += next(&run, &splice) }
    #expect(heard == ["step 9", "step 10", "over"])
  }

  @Test func `how an evaluation gets on is no event`() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    var run = try connection(sending: [
      line(step: 1, number: 1), #"{"event":"evaluating","done":3,"total":8}"#, line(step: 2, number: 2),
    ])
    var splice = EventSplice()
    var heard: [String] = []
    while heard.count < 4 { heard += next(&run, &splice) }
    #expect(heard == ["step 1", "evaluating 3/8", "step 2", "over"])
  }

  @Test func `a gap that the files never fill can be accepted`() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    // The process holds none of the first steps any more: the files that were read have one of them.
    var run = try connection(sending: [#"{"event":"gap","first":1,"last":4}"#, line(step: 5, number: 5)])
    var splice = EventSplice()
    told(upTo: 1, &splice)
    let first = next(&run, &splice)
    #expect(first == ["gap"])
    run.acceptGap()
    var heard: [String] = []
    while heard.count < 2 { heard += next(&run, &splice) }
    #expect(heard == ["step 5", "over"])
  }
}
