// What recording and saving take away from training: the recorder's and the checkpoints' threads beside the trainer, with the
// disk that they write to.
import Foundation

/// What a training came to that was recorded and saved while it was measured. Seconds.
package struct RecordingTimes: Sendable {
  /// Of the network.
  package var parameters = 0
  /// What recording a step costs, its share of the flushes included: means of a thousand steps each.
  package var rows: [Double] = []
  /// Whole steps.
  package var steps: [Double] = []
  /// From a step's end to the next one's beginning, where nothing was due between them: while no checkpoint was being
  /// written, and beside one.
  package var pauses: [Double] = []
  package var pausesBesideWriting: [Double] = []
  /// The same where a checkpoint was due: the copy, and waiting for its memory.
  package var copies: [Double] = []
  /// How long the recorder was busy at a time: rows that come meanwhile wait.
  package var stalls: [Double] = []
  package var stallsBesideWriting: [Double] = []
  /// From when a checkpoint is due until it is on the disk.
  package var writing: [Double] = []

  package init() {}
}

extension Bench {
  /// What recording takes away from training.
  /// - Parameters:
  ///   - folder: on the disk that is written to, for the lines above the table.
  ///   - measure: trains a network of about 100 million parameters, with so many checkpoints on the way.
  package func recording(in folder: String, measure: (_ checkpoints: Int) throws -> RecordingTimes) throws
    -> ReportTable
  {
    progress("recording: a network of 100 million parameters is trained and saved in \(folder)")
    let times = try measure(effort == .quick ? 4 : 12)
    func milliseconds(_ seconds: Double) -> String { String(format: "%.0f", seconds * 1000) }
    let step = Samples(times.steps).median
    var table = ReportTable(
      name: "recording",
      about: [
        "how long recording and saving delay training: \(times.parameters / 1_000_000) million parameters, on the disk of \(folder)",
        "a step took \(milliseconds(step)) ms, a checkpoint was on the disk \(milliseconds(Samples(times.writing).median)) ms after it was due; “at most” is the target",
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
