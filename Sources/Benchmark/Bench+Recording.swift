// The cost of recording and saving: how much the recorder's thread, the checkpoints' thread and the disk slow the trainer.
import Foundation
import Run

/// Times of a training that is recorded and saved. All are in seconds.
package struct RecordingTimes: Sendable {
  /// The network's number of parameters.
  package var parameters = 0
  /// The time to record a step, including its share of flushes: means of a thousand steps each.
  package var rows: [Double] = []
  /// The times of whole steps; without the first ones, those of steps without and with a checkpoint being written.
  package var steps: [Double] = []
  package var stepsAlone: [Double] = []
  package var stepsBesideWriting: [Double] = []
  /// From the end of a step to the beginning of the next, with nothing due between them: without and with a checkpoint being
  /// copied or written.
  package var pauses: [Double] = []
  package var pausesBesideWriting: [Double] = []
  /// The same with a checkpoint due: the copy, or its first part, and the wait for its memory.
  package var copies: [Double] = []
  /// Stretches in which the recorder was busy, so that new rows had to wait: without and with a checkpoint being written.
  package var stalls: [Double] = []
  package var stallsBesideWriting: [Double] = []
  /// From the moment that a checkpoint is due until it is on the disk.
  package var writing: [Double] = []

  package init() {}
}

/// The tokens of a step of a network with tables whose checkpoints are measured.
package enum TableSteps: String, CaseIterable, Sendable {
  /// So many that a step picks a large part of the rows: the update goes through whole tables.
  case many
  /// So few that updates are lazy.
  case few

  fileprivate var words: String {
    switch self {
    case .many: "steps of 1 024 tokens, streamed updates"
    case .few: "steps of 128 tokens, lazy updates"
    }
  }
}

extension RecordingTimes {
  /// Rows of a table, for measurements that there are: what was measured, count, median and worst in milliseconds, and the target.
  fileprivate func add(
    to table: inout ReportTable, _ rows: [(what: String, seconds: [Double], most: Double?)],
    after first: [ReportTable.ReportValue] = []
  ) {
    for (what, seconds, most) in rows {
      guard let worst = seconds.max() else { continue }
      var values = first
      values += [.text(what), .number(Double(seconds.count)), .number(Samples(seconds).median * 1000)]
      values.append(.number(worst * 1000))
      if let most { values.append(.number(most)) } else { values.append(ReportTable.ReportValue.none) }
      table.add(values)
    }
  }

  /// The longest that training may wait for a checkpoint's copy: a step, or 50 ms; in milliseconds.
  fileprivate var mostForCopy: Double { max(50, Samples(steps).median * 1000) }
}

extension ReportTable.ReportColumn {
  /// The columns of `RecordingTimes.add`.
  fileprivate static let times: [ReportTable.ReportColumn] = [
    column("what", "what"), column("count", "count"), column("median", "median ms", 3),
    column("worst", "worst ms", 3), column("most", "at most", 1),
  ]
}

extension Bench {
  /// Measures how checkpoints with tables delay training, where updates are streamed and where they are lazy.
  /// - Parameters:
  ///   - folder: a folder on the disk that is written to, for the lines above the table.
  ///   - measure: trains a network with tables of about 100 million numbers, and saves so many checkpoints meanwhile.
  package func tableCheckpoints(
    in folder: String, measure: (_ steps: TableSteps, _ checkpoints: Int) throws -> RecordingTimes
  ) throws -> ReportTable {
    var table = ReportTable(
      name: "table-checkpoints",
      about: [
        "how checkpoints with tables of memory layers delay training, on the disk of \(folder); “at most” is the target"
      ],
      columns: [ReportTable.ReportColumn.column("steps", "steps")] + ReportTable.ReportColumn.times)
    for steps in TableSteps.allCases {
      progress("table-checkpoints: \(steps.words); trains and saves in \(folder)")
      let times = try measure(steps, effort == .quick ? 2 : 6)
      let (millions, writing) = (times.parameters / 1_000_000, Samples(times.writing).median)
      table.about.append(
        "\(steps.words): \(millions) million parameters; a checkpoint was on the disk \(Figure.milliseconds(writing)) after it was due"
      )
      times.add(
        to: &table,
        [
          ("a step, no checkpoint being written", times.stepsAlone, nil),
          ("a step, a checkpoint being written", times.stepsBesideWriting, nil),
          ("training waits for a checkpoint's copy", times.copies, times.mostForCopy),
          ("between later steps, until it is on the disk", times.pausesBesideWriting, times.mostForCopy),
        ], after: [.text(steps.words)])
    }
    return table
  }

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
      columns: ReportTable.ReportColumn.times)
    times.add(
      to: &table,
      [
        ("recording a step, with its share of flushes", times.rows, 0.1),
        ("metrics wait, no checkpoint being written", times.stalls, 5),
        ("metrics wait, a checkpoint being written", times.stallsBesideWriting, 5),
        ("training waits between steps, no checkpoint being written", times.pauses, 5),
        ("training waits between steps, a checkpoint being written", times.pausesBesideWriting, 5),
        ("training waits for a checkpoint's copy", times.copies, times.mostForCopy),
      ])
    return table
  }
}
