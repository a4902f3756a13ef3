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
  private let network: TrialNetwork

  /// A network of about 100 million parameters over bytes, whose steps are short, so that there are many.
  private struct TrialNetwork {
    /// The name of its run.
    var name: String
    /// `model` and `batch` of its recipe.
    var shape: String
    /// Steps between two checkpoints: enough that each is written before the next is due.
    var saveEvery: Int

    static let dense = TrialNetwork(
      name: "trial",
      shape: """
        model: {blocks: 14, width: 768, heads: 12, keyValueHeads: 12, context: 64}
        batch: {rows: 2}
        """, saveEvery: 40)

    /// Four tables of 25 million numbers each, of which steps of few tokens pick less than a hundredth of the rows.
    static func tables(_ steps: TableSteps) -> TrialNetwork {
      let (context, rows, memory, saveEvery) =
        switch steps {
        case .many: (256, 4, "keys: 128, valueWidth: 1152, preWidth: 384", 30)
        case .few: (64, 2, "keys: 512, valueWidth: 64, preWidth: 32", 400)
        }
      return TrialNetwork(
        name: "tables-\(steps.rawValue)",
        shape: """
          model: {blocks: 4, width: 256, heads: 4, keyValueHeads: 4, inner: 512, context: \(context), memory: {\(memory), keyWidth: 64, top: 16}}
          batch: {rows: \(rows)}
          """, saveEvery: saveEvery)
    }
  }

  /// Measures in a folder of its own within `runs`.
  static func table(_ bench: Bench, in runs: String, threads: Int) throws -> ReportTable {
    try BenchFolder.with(".bench", in: runs) { folder in
      let trial = RecordingTrial(folder: folder, threads: threads, network: .dense)
      return try bench.recording(in: runs) { checkpoints in
        var times = try trial.train(checkpoints: checkpoints)
        times.rows = try trial.record()
        return times
      }
    }
  }

  /// Measures checkpoints with tables in a folder of its own within `runs`.
  static func tables(_ bench: Bench, in runs: String, threads: Int) throws -> ReportTable {
    try BenchFolder.with(".bench", in: runs) { folder in
      try bench.tableCheckpoints(in: runs) { steps, checkpoints in
        let trial = RecordingTrial(folder: folder, threads: threads, network: .tables(steps))
        defer { try? FileManager.default.removeItem(atPath: "\(folder)/\(trial.network.name)") }
        return try trial.train(checkpoints: checkpoints)
      }
    }
  }

  private func recipe(steps: Int) throws -> Recipe {
    let text = "\(folder)/text.txt"
    try BenchFolder.writeText(words: 20_000, modulus: 9973, to: text)
    return try Recipe(
      yaml: """
        data: {paths: [\(JSON.text(text).line)], heldOut: 0}
        tokenizer: {kind: bytes}
        \(network.shape)
        objective: {top: 0}
        steps: \(steps)
        evaluate: {every: 0}
        sample: {every: 0}
        save: {every: \(network.saveEvery), keep: 1}
        """, source: "the bench's recipe")
  }

  /// Steps at the beginning that are left out of the times of steps: memory is touched for the first time in them.
  private static let warmUp = 20

  /// Trains, and classifies the times of steps, and between them, by what the other threads did meanwhile.
  private func train(checkpoints: Int) throws -> RecordingTimes {
    let saveEvery = network.saveEvery
    let recipe = try recipe(steps: saveEvery * checkpoints + saveEvery / 2)
    let request = RunRequest(
      recipe: recipe, address: RunAddress(name: network.name, runs: folder),
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
          if report.step > Self.warmUp {
            if handedOver == nil {
              times.stepsAlone.append(report.phases.total)
            } else {
              times.stepsBesideWriting.append(report.phases.total)
            }
          }
          let pause = report.time - last.time - report.phases.total
          if last.step % saveEvery == 0 {
            times.copies.append(pause)
          } else if handedOver == nil {
            times.pauses.append(pause)
          } else {
            times.pausesBesideWriting.append(pause)
          }
        }
        last = report
        if report.step % saveEvery == 0 { handedOver = report.time }
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
