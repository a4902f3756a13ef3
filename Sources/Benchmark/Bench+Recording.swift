// The cost of recording and saving: how much the recorder's thread, the checkpoints' thread and the disk slow the trainer.
import Foundation
import Run

/// Times of a training that is recorded and saved. All are in seconds.
package struct RecordingTimes: Sendable {
  /// The network's number of parameters.
  package var parameters = 0
  /// The time to record a step, including its share of flushes: means of a thousand steps each.
  package var rows: [Double] = []
  /// The times of whole steps.
  package var steps: [Double] = []
  /// From the end of a step to the beginning of the next, with nothing due between them: without and with a checkpoint being
  /// written.
  package var pauses: [Double] = []
  package var pausesBesideWriting: [Double] = []
  /// The same with a checkpoint due: the copy, and the wait for its memory.
  package var copies: [Double] = []
  /// Stretches in which the recorder was busy, so that new rows had to wait: without and with a checkpoint being written.
  package var stalls: [Double] = []
  package var stallsBesideWriting: [Double] = []
  /// From the moment that a checkpoint is due until it is on the disk.
  package var writing: [Double] = []

  package init() {}
}

extension Bench {
  /// Measures the cost of recording.
  /// - Parameters:
  ///   - folder: a folder on the disk that is written to, for the lines above the table.
  ///   - measure: trains a network of about 100 million parameters, and saves so many checkpoints meanwhile.
  package func recording(in folder: String, measure: (_ checkpoints: Int) throws -> RecordingTimes) throws
    -> ReportTable
  {
    progress("recording: a network of 100 million parameters is trained and saved in \(folder)")
    let times = try measure(effort == .quick ? 4 : 12)
    let step = Samples(times.steps).median
    var table = ReportTable(
      name: "recording",
      about: [
        "how long recording and saving delay training: \(times.parameters / 1_000_000) million parameters, on the disk of \(folder)",
        "a step took \(Figure.milliseconds(step)), a checkpoint was on the disk \(Figure.milliseconds(Samples(times.writing).median)) after it was due; “at most” is the target",
      ],
      columns: [
        .column("what", "what"), .column("count", "count"), .column("median", "median ms", 3),
        .column("worst", "worst ms", 3), .column("most", "at most", 1),
      ])
    func add(_ what: String, _ seconds: [Double], most: Double) {
      guard let worst = seconds.max() else { return }
      table.add(
        .text(what), .number(Double(seconds.count)), .number(Samples(seconds).median * 1000), .number(worst * 1000),
        .number(most))
    }
    add("recording a step, with its share of flushes", times.rows, most: 0.1)
    add("metrics wait, no checkpoint being written", times.stalls, most: 5)
    add("metrics wait, a checkpoint being written", times.stallsBesideWriting, most: 5)
    add("training waits between steps, no checkpoint being written", times.pauses, most: 5)
    add("training waits between steps, a checkpoint being written", times.pausesBesideWriting, most: 5)
    add("training waits for a checkpoint's copy", times.copies, most: max(50, step * 1000))
    return table
  }
}
