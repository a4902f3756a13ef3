// A run that goes on, read on by a screen, and what lies in the folder of all runs.
import Foundation
import Run
import RunFileTorture
import Testing

@testable import RunFile

extension RunFileTests {
  @Suite struct NewsTests {
    let scratch = ScratchFolder()

    @Test func `what was read comes once, and what follows is news`() throws {
      let recorder = try Recorder(creating: scratch("a"), beginning: Sample.beginning("a"))
      func record(_ steps: ClosedRange<Int>) throws {
        for step in steps { for event in Sample.events(at: step) { _ = try recorder.record(event) } }
        recorder.flush()
      }
      try record(1...30)
      let first = try StoredRun.toFollow(scratch("a"))
      var (events, bookmark) = (first.events, first.bookmark)
      func news() throws -> [Event] {
        let reading = try StoredRun.news(scratch("a"), since: bookmark)
        bookmark = reading.bookmark
        return reading.events
      }
      #expect(try news().isEmpty)
      try record(31...60)
      let more = try news()
      let steps = more.compactMap { if case .stepped(let report) = $0 { report.step } else { nil } }
      #expect(steps == Array(31...60))
      events += more
      #expect(try news().isEmpty)
      try recorder.close(.stopped)
      // The same in all as whoever reads it at once gets.
      let last = try news()
      #expect(last.contains { if case .ended = $0 { true } else { false } })
      let evaluations = { (events: [Event]) in events.count { if case .evaluated = $0 { true } else { false } } }
      #expect(evaluations(events + last) == evaluations(try StoredRun(opening: scratch("a")).history()))
    }

    @Test func `folders are listed without being read, and differ when the run does`() throws {
      let recorder = try Recorder(creating: scratch("a"), beginning: Sample.beginning("a"))
      try FileManager.default.createDirectory(atPath: scratch("no run"), withIntermediateDirectories: true)
      for event in Sample.events(at: 1) { _ = try recorder.record(event) }
      recorder.flush()
      let live = try #require(StoredRun.folders(in: scratch.path).first)
      #expect(live.name == "a" && live.version.isLive && live.changed != nil)
      try recorder.close(.stopped)
      let entries = try StoredRun.folders(in: scratch.path)
      #expect(entries.map(\.name) == ["a"])
      #expect(entries[0] != live && !entries[0].version.isLive)
      #expect(try StoredRun.folders(in: scratch("none")).isEmpty)
      #expect(StoredRun.summaries(of: ["a", "none"], in: scratch.path).map { $0.error == nil } == [true, false])
    }

    @Test func `a run that is being started is listed as that, without an error`() throws {
      let reservation = try RunReservation(new: scratch("a"))
      let starting = try #require(StoredRun.summaries(of: ["a"], in: scratch.path).first)
      #expect(starting.state == .starting && starting.error == nil && starting.warning == nil)
      reservation.giveBack()
      let gone = try #require(StoredRun.summaries(of: ["a"], in: scratch.path).first)
      #expect(gone.state == nil && gone.error != nil)
    }
  }
}
