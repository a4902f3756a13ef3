// A run that `write` wrote, examined: everything that was promised is there, and everything that is there is right.
import Foundation
import Run
import RunFile

/// What a writer said before it ended.
package struct Promise: Equatable {
  /// All that happened up to this step was handed to the kernel.
  package var stored = 0
  /// The newest step whose checkpoint was announced.
  package var saved = 0
  /// The last step whose occurrence was confirmed, which is on the disk.
  package var noted = 0
  package var isClosed = false

  package init(stored: Int = 0, saved: Int = 0, noted: Int = 0) {
    self.stored = stored
    self.saved = saved
    self.noted = noted
  }

  /// Takes in what a later session promised.
  package mutating func take(in later: Promise) {
    stored = max(stored, later.stored)
    saved = max(saved, later.saved)
    noted = max(noted, later.noted)
    isClosed = later.isClosed
  }

  /// Takes a line of the writer's output in.
  package mutating func hear(_ line: some StringProtocol) {
    let words = line.split(separator: " ")
    guard words.count == 2, let number = Int(words[1]) else { return }
    switch words[0] {
    case "stored": stored = max(stored, number)
    case "saved": saved = max(saved, number)
    case "noted": noted = max(noted, number)
    case "closed": isClosed = true
    default: break
    }
  }
}

package struct Examination {
  /// A sentence for each thing that must not be.
  package private(set) var problems: [String] = []
  /// Rows of /metrics.
  package private(set) var steps = 0
  /// Whether there is a run, which may have no rows yet.
  package private(set) var isRun = false

  /// - Parameter isGapless: whether nothing may be missing before something that is there: so after a kill, and not after
  ///   the power went.
  package init(of folder: String, promised promise: Promise, isGapless: Bool = true) {
    do {
      try examine(folder, promise, isGapless)
    } catch {
      // Killed before it had a file, it had promised nothing.
      let isMissing = (error as? UserError)?.status == .noInput
      if promise != Promise() || !isMissing { problems.append("\(error)") }
    }
  }

  private mutating func examine(_ folder: String, _ promise: Promise, _ isGapless: Bool) throws {
    let archive = try StoredRun(opening: folder)
    isRun = true
    var found: [String: [Int]] = [:]
    func take(_ kind: String, _ step: Int, isRight: Bool, _ problems: inout [String]) {
      found[kind, default: []].append(step)
      if !isRight { problems.append("\(kind): step \(step) is wrong") }
    }
    for event in try archive.events() {
      switch event {
      case .stepped(let report):
        take("rows", report.step, isRight: report == Sample.report(report.step), &problems)
      case .evaluated(let evaluation):
        let wanted = Sample.evaluation(evaluation.step)
        take(
          "evaluations", evaluation.step, isRight: evaluation.losses == wanted.losses && evaluation.time == wanted.time,
          &problems)
      case .wrote(let sample): take("texts", sample.step, isRight: sample == Sample.text(sample.step), &problems)
      case .ordered(let sample): take("orders", sample.step, isRight: sample == Sample.order(sample.step), &problems)
      case .occurred(let occurrence) where occurrence.kind == .rate:
        take("rates", occurrence.step, isRight: occurrence == Sample.occurrence(occurrence.step), &problems)
      case .occurred, .summedUp, .mapped, .began, .confirmed, .gap, .ended: break
      }
    }
    steps = found["rows"]?.count ?? 0
    for (kind, every) in [("rows", 1), ("evaluations", 20), ("texts", 10), ("orders", 10), ("rates", 15)] {
      let there = found[kind] ?? []
      if !zip(there, there.dropFirst()).allSatisfy({ $0 < $1 }) { problems.append("\(kind) do not rise: \(there)") }
      let end = kind == "rates" ? max(promise.stored, promise.noted) : promise.stored
      let missing = Set(stride(from: every, through: end, by: every)).subtracting(there)
      if !missing.isEmpty {
        problems.append("\(kind) promised up to \(end) are missing: \(missing.sorted().prefix(5))")
      }
      if isGapless, there != Array(stride(from: every, through: there.last ?? 0, by: every)) {
        problems.append("\(kind) have gaps: \(there.suffix(10))")
      }
    }
    if promise.isClosed && archive.state != .finished { problems.append("it was closed, and is \(archive.state)") }
    try examineCheckpoints(archive, promise)
  }

  private mutating func examineCheckpoints(_ archive: StoredRun, _ promise: Promise) throws {
    let steps = try archive.checkpoints().map(\.step)
    var newest = 0
    for step in steps {
      let checkpoint = try archive.checkpoint(step: step).checkpoint
      newest = max(newest, step)
      if checkpoint.weights != Sample.checkpoint(step).weights || checkpoint.state.step != step {
        problems.append("the checkpoint of step \(step) is wrong")
      }
    }
    if newest < promise.saved { problems.append("\(promise.saved) was saved, and there is \(steps)") }
  }
}
