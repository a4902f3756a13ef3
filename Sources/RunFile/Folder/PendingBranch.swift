// A branch in the making: a run of its own that begins as a copy of another one up to a checkpoint. First its folder has its
// name, its lock and the parent's checkpoint; then the rows, and with its run.h5 it is a run.
import Foundation
import Run

/// A branch that is not a run yet. One thread has it at a time. Whatever is left of one that is let go of is removed; of one whose
/// process was killed, the name is free. Nothing of the parent is changed.
package final class PendingBranch: Sendable {
  private let parent: String
  /// `runs/NAME` of the branch.
  package let folder: String
  /// The checkpoint that the branch begins at.
  package let step: Int
  private let place: RunReservation

  /// The parent's name.
  package var parentName: String { (parent as NSString).lastPathComponent }

  /// Takes the branch's name, and links the parent's checkpoint into its folder; copies it where the disk has no links.
  /// - Parameters:
  ///   - parent: `runs/NAME` of a run, live or stored.
  ///   - step: of one of its checkpoints.
  ///   - folder: `runs/NAME`; nothing is there yet.
  /// - Throws: `UserError` when the name cannot be had, there is no such checkpoint, or the disk does not take it.
  package init(of parent: String, at step: Int, in folder: String) throws {
    let checkpoints = CheckpointFolder(parent)
    try checkpoints.requireCheckpoint(of: step)
    self.parent = parent
    self.folder = folder
    self.step = step
    place = try RunReservation(new: folder)
    do {
      // First: what the folder has from now on is nothing of its own.
      _ = try FileDescriptor(opening: RunFolder(folder).branching, O_RDWR | O_CREAT)
      try FileSystem.sync(folder)
      try FileSystem.create(RunFolder(folder).checkpoints)
      try FileSystem.link(checkpoints.path(of: step), to: CheckpointFolder(folder).path(of: step))
      try checkpoints.passKept(step, to: CheckpointFolder(folder))
      try FileSystem.sync(RunFolder(folder).checkpoints)
      // Rows that will not find room are refused while the parent still goes on.
      let size = try FileDescriptor(opening: RunFolder(parent).file, O_RDONLY).size()
      try FileDescriptor.requireRoom(size + 4 << 20, at: RunFolder.unfinished(RunFolder(folder).file))
    } catch {
      place.giveBack()
      throw UserError(error, while: "making the branch “\((folder as NSString).lastPathComponent)”")
    }
  }

  /// Removes what there is of the branch, unless it is becoming a run or has become one.
  package func giveUp() { place.giveBack() }

  /// Makes a run of it: run.h5 has the parent's rows up to the step, and says where they are from. The lock is free then.
  /// - Parameter time: when the branch was made, Unix time in seconds.
  /// - Returns: where the branch comes from, as its file says it.
  /// - Throws: `UserError` when the branch was given up, the parent cannot be read, or the disk does not take the rows; nothing is left
  ///   then.
  @discardableResult package func finish(at time: Double) throws -> ParentRun {
    let path = RunFolder(folder).file
    // Nobody gives the branch up meanwhile.
    return try withExtendedLifetime(try place.takeLock()) {
      do {
        let origin = try HDF5.alone { try copyRows(to: path, at: time) }
        try FileDescriptor(opening: RunFolder.unfinished(path), O_RDWR).sync()
        try FileSystem.rename(RunFolder.unfinished(path), path)
        try FileSystem.remove(RunFolder(folder).branching)
        try FileSystem.sync(folder)
        return origin
      } catch {
        UnstartedRun.clear(folder)
        throw UserError(error, while: "making the branch “\((folder as NSString).lastPathComponent)”")
      }
    }
  }

  /// Fills `run.h5.new`.
  private func copyRows(to path: String, at time: Double) throws -> ParentRun {
    let store = try StoredRun.open(parent)
    let summary = try CheckpointFile.summary(CheckpointFolder(folder).path(of: step))
    let origin = ParentRun(
      name: parentName, step: step, created: try store.created,
      checkpoint: summary.origin.created, branched: time)
    let end = try store.metrics.firstRow(from: Double(step + 1))
    var contents = try MergedRows(store, changingFrom: end)
    contents.keep(upTo: step, before: summary.sequence)
    guard var start = contents.rows[Journal.Number.beginnings]?.first else {
      throw UserError(.data, "\(store.file.path) has no record of how the run began: it cannot have branches")
    }
    var beginning = try SessionStart.beginning(start.payload, source: store.file.path)
    beginning.name = (folder as NSString).lastPathComponent
    beginning.parent = origin
    // Whoever makes the file again from its rows finds there what it says at its root.
    start.payload = try StoredJSON.encoded(SessionStart(beginning))
    contents.rows[Journal.Number.beginnings]?[0] = start
    let copy = try Store.create(path, beginning: beginning, without: store.missing)
    try contents.fill(copy, besideRowsOf: store, at: path)
    return origin
  }
}

extension MergedRows {
  /// Leaves out what came after a checkpoint.
  /// - Parameters:
  ///   - step: of the checkpoint.
  ///   - sequence: the number of the first event that came after it.
  fileprivate mutating func keep(upTo step: Int, before sequence: Int) {
    let last = Double(step)
    // A session that goes on from an older checkpoint records steps before this one with later numbers.
    func isBefore(_ at: Int, _ number: Int) -> Bool { number < sequence || at < step }
    let starts = rows[Journal.Number.beginnings] ?? []
    for number in rows.keys { rows[number] = rows[number]?.filter { $0.values[0] <= last } }
    rows[Journal.Number.beginnings] = starts.enumerated().filter { index, row in
      index == 0 || isBefore(Int(row.values[0]), FileLayout.place(row).sequence)
    }.map(\.element)
    records[Journal.Number.events] = records[Journal.Number.events]?.filter { record in
      let at = record.whole("step")
      let isItsOwn = at == step && record.text("kind") == Occurrence.Subject.saved.rawValue
      return isItsOwn || isBefore(at, record.whole("sequence"))
    }
    let time = rows[Journal.Number.metrics]?.last?.values[2]
    records[Journal.Number.sessions] = records[Journal.Number.sessions]?.enumerated().filter { index, record in
      index == 0 || record.whole("from") < step
    }.map { _, record in
      let isOver = !record.text("how").isEmpty && record.whole("step") <= step && record.whole("sequence") < sequence
      guard !isOver else { return record }
      var record = record
      record["end"] = .number(time ?? record.number("start"))
      record["step"] = .whole(step)
      record["how"] = .text("branched")
      return record
    }
    placeInside()
  }
}
