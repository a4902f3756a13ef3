// Every state that a process could have left its files in, made from the trace of what it did to them: opened, examined
// against what it had promised by then, recovered, and gone on with.
import Foundation
import Run
import RunFile
import Support

struct CrashStates {
  let trace: Trace
  /// What lay there before the trace began; nil where nothing did.
  let start: String?
  /// A folder for the states, one at a time.
  let scratch: String
  /// The run's name: its folder in the trace.
  let name: String
  private var folder: String { scratch + "/" + name }

  /// A state that SIGKILL leaves: the first changes, and some bytes of the next.
  private struct Point {
    var index: Int
    var bytes: Int?
  }

  /// Goes through the states that SIGKILL leaves: after every change, and at each page boundary inside of one, since the
  /// kernel looks for signals between pages.
  /// - Parameters:
  ///   - count: how many, spread evenly; 0 is all of them.
  ///   - first: the first of them, so that a crash of this process can be passed over.
  func afterKills(count: Int, from first: Int) throws {
    var points: [Point] = []
    for (index, entry) in trace.entries.enumerated() {
      switch entry.change {
      case .say, .sync, .syncFolder: continue
      case .write(_, let offset, let bytes):
        let end = offset + bytes.count
        points += Swift.stride(from: (offset / 4096 + 1) * 4096, to: end, by: 4096).map {
          Point(index: index, bytes: $0 - offset)
        }
      default: break
      }
      points.append(Point(index: index + 1, bytes: nil))
    }
    let chosen = count == 0 || count >= points.count ? points.count : count
    let disk = try Disk(trace, from: start)
    var promise = Promise()
    var done = 0
    for number in 0..<chosen {
      let point = points[number * points.count / chosen]
      while done < point.index {
        disk.apply(trace.entries[done].change)
        if case .say(let lines) = trace.entries[done].change {
          lines.split(separator: "\n").forEach { promise.hear($0) }
        }
        done += 1
      }
      guard number >= first else { continue }
      Torture.say("at \(number)")
      if let bytes = point.bytes {
        try disk.place(tearing: trace.entries[point.index].change, after: bytes, at: scratch)
      } else {
        try disk.place(at: scratch)
      }
      let problems = examine(promise, isGapless: true, shouldContinue: number % 10 == 0)
      for problem in problems.prefix(3) { Torture.say("bad \(number) after change \(point): \(problem)") }
    }
    Torture.say("done \(chosen)")
  }

  /// Goes through disks as power cuts at random moments leave them.
  func afterCuts(count: Int, seed: UInt64, from first: Int) throws {
    var chance = Dice(seed)
    let moments = (0..<count).map { _ in Int.random(in: 0...trace.entries.count, using: &chance) }.sorted()
    let disk = try Disk(trace, from: start)
    var done = 0
    var heard: [(time: Double, promise: Promise)] = []
    for (number, moment) in moments.enumerated() {
      while done < moment {
        disk.apply(trace.entries[done].change)
        if case .say(let lines) = trace.entries[done].change {
          var promise = heard.last?.promise ?? Promise()
          lines.split(separator: "\n").forEach { promise.hear($0) }
          heard.append((trace.entries[done].time, promise))
        }
        done += 1
      }
      var own = Dice(seed &+ UInt64(number) &* 0x9E37_79B9)
      guard number >= first else { continue }
      Torture.say("at \(number)")
      try disk.place(afterCutBy: &own, at: scratch)
      // Commands and checkpoints are on the disk when they are confirmed; rows a second later.
      var promise = heard.last?.promise ?? Promise()
      let time = done == 0 ? 0 : trace.entries[done - 1].time
      promise.stored = heard.last { $0.time <= time - 1 }?.promise.stored ?? 0
      let problems = examine(promise, isGapless: false, shouldContinue: number % 10 == 0)
      for problem in problems.prefix(3) { Torture.say("bad \(number) after change \(moment): \(problem)") }
    }
    Torture.say("done \(count)")
  }

  // MARK: One state

  private func examine(_ promise: Promise, isGapless: Bool, shouldContinue: Bool) -> [String] {
    let found = Examination(of: folder, promised: promise, isGapless: isGapless)
    guard found.problems.isEmpty, found.isRun else { return found.problems }
    do {
      if shouldContinue { return try goOn(found.steps, isGapless: isGapless) }
      try Recorder.recover(folder)
      let again = Examination(of: folder, promised: promise, isGapless: isGapless)
      if again.steps != found.steps { return ["\(found.steps) rows became \(again.steps) when it was recovered"] }
      let verification = try Verification(of: folder)
      return (again.problems + verification.checks.flatMap(\.problems)).map { "recovered: " + $0 }
    } catch {
      return ["recovered: \(error)"]
    }
  }

  /// Resumes the run for a few steps, and closes it.
  private func goOn(_ steps: Int, isGapless: Bool) throws -> [String] {
    var promise = Promise()
    try Torture.write(folder, steps: steps + 25, pause: 0, flushing: 7) { promise.hear($0) }
    return Examination(of: folder, promised: promise, isGapless: isGapless).problems.map { "resumed: " + $0 }
  }
}
