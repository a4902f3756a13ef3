// A session for “foretop bench”: trained, recorded and saved like any other, in a folder that is removed afterwards.
import Benchmark
import Corpus
import Foundation
import Run
import RunFile
import Session
import TerminalUI

/// Measures how long a session's other threads delay its steps.
struct RecordingTrial {
  /// The folder of the trial's runs, which is removed at the end.
  private let folder: String
  private let threads: Int

  /// Measures in a folder of its own within `runs`.
  static func table(_ bench: Bench, in runs: String, threads: Int) throws -> ReportTable {
    try BenchFolder.with(".bench", in: runs) { folder in
      let trial = RecordingTrial(folder: folder, threads: threads)
      return try bench.recording(in: runs) { checkpoints in
        var times = try trial.train(checkpoints: checkpoints)
        times.rows = try trial.record()
        return times
      }
    }
  }

  /// Steps between two checkpoints: enough that each is written before the next is due.
  private static let saveEvery = 40

  /// 14 blocks of width 768 over bytes: 99 million parameters. Its steps are short, so that there are many.
  private func recipe(steps: Int) throws -> Recipe {
    let text = "\(folder)/text.txt"
    try BenchFolder.writeText(words: 20_000, modulus: 9973, to: text)
    return try Recipe(
      yaml: """
        data: {paths: [\(JSON.text(text).line)], heldOut: 0}
        tokenizer: {kind: bytes}
        model: {blocks: 14, width: 768, heads: 12, keyValueHeads: 12, context: 64}
        objective: {top: 0}
        batch: {rows: 2}
        steps: \(steps)
        evaluate: {every: 0}
        sample: {every: 0}
        save: {every: \(Self.saveEvery), keep: 1}
        """, source: "the bench's recipe")
  }

  /// Trains, and classifies the times between steps by what the other threads did meanwhile.
  private func train(checkpoints: Int) throws -> RecordingTimes {
    let steps = Self.saveEvery * checkpoints + Self.saveEvery / 2
    let recipe = try recipe(steps: steps)
    let request = RunRequest(
      recipe: recipe, address: RunAddress(name: "trial", runs: folder),
      source: try Corpus.Source(recipe, runs: folder), threads: threads)
    let stalls = Mailbox<Double>()
    let session = TrainingSession(request, isAttended: false, stalls: stalls)
    let messages = session.hub.subscribe()
    try session.start()
    defer { session.end() }
    var times = RecordingTimes()
    var last: StepReport?
    /// The time when the checkpoint was due that is being written.
    var handedOver: Double?
    func take(_ event: Event) throws {
      switch event {
      case .began(let beginning): times.parameters = beginning.parameters
      case .stepped(let report):
        if let last {
          times.steps.append(report.phases.total)
          let pause = report.time - last.time - report.phases.total
          if last.step % Self.saveEvery == 0 {
            times.copies.append(pause)
          } else if handedOver == nil {
            times.pauses.append(pause)
          } else {
            times.pausesBesideWriting.append(pause)
          }
        }
        last = report
        if report.step % Self.saveEvery == 0 { handedOver = report.time }
      case .occurred(let occurrence) where occurrence.kind == .saved:
        if let start = handedOver { times.writing.append(occurrence.time - start) }
        handedOver = nil
      case .occurred(let occurrence) where occurrence.kind == .failure || occurrence.kind == .warning:
        throw UserError(.inputOutput, "the trial in \(folder) failed: \(occurrence.text)")
      default: break
      }
    }
    var isOver = false
    while !isOver {
      for message in messages.take(waitingUntil: .distantFuture) {
        // The recorder's work since the last message belongs to the state at that time.
        if handedOver == nil { times.stalls += stalls.takeAll() } else { times.stallsBesideWriting += stalls.takeAll() }
        switch message {
        case .event(let event): try take(event.event)
        case .failed(let error), .stopped(let error): throw error
        case .closed(let error):
          if let error { throw error }
          isOver = true
        case .preparing, .progress, .evaluating, .cancelled: break
        }
      }
    }
    return times
  }

  /// Records made-up steps as fast as possible.
  /// - Returns: seconds per step, for every thousand steps.
  private func record() throws -> [Double] {
    let beginning = Beginning(
      name: "rows", recipe: try recipe(steps: 100_000), step: 0, tokens: 0, time: Date().timeIntervalSince1970,
      parameters: 0, threads: threads, precision: "fp32", corpus: "none", vocabulary: 256, trainingTokens: 1,
      heldOutTokens: 0, unigramEntropy: 1)
    let recorder = try Recorder(creating: "\(folder)/rows", beginning: beginning)
    var report = StepReport.empty
    report.losses = [HeadLoss(head: .ntp, loss: 1, positions: 1)]
    var times: [Double] = []
    for _ in 0..<50 {
      let start = DispatchTime.now()
      // A thousand steps of a run have at least one flush.
      for _ in 0..<1000 {
        report.step += 1
        report.tokens += 128
        report.time = Date().timeIntervalSince1970
        _ = try recorder.record(.stepped(report))
      }
      recorder.flush()
      times.append(Double(DispatchTime.now().uptimeNanoseconds - start.uptimeNanoseconds) / 1e9 / 1000)
    }
    try recorder.close(.stopped)
    return times
  }
}
