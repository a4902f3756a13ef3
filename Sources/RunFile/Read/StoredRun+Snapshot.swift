// A plain copy of run.h5, for tools that cannot open files which are being written.
import Foundation
import Run

extension StoredRun {
  /// Copies everything that the run has now into a file that HDF5 1.8 and later can open. The run continues meanwhile.
  /// - Parameters:
  ///   - path: the path of the copy, which appears when it is complete.
  ///   - isReplacing: whether an existing file may be replaced.
  /// - Returns: the number of steps in the copy.
  /// - Throws: `UserError` when the copy cannot be written, or would be in the folder of a run.
  package func snapshot(to path: String, isReplacing: Bool) throws -> Int {
    let store = try open()
    var contents = try MergedRows(store, changingFrom: store.metrics.count)
    let first = try Recovery.nextSequence(of: store)
    contents.records[Journal.Number.events, default: []] += try waitingNotes(store).enumerated().map { index, note in
      FileLayout.record(note.occurrence, at: FileLayout.Position(sequence: first + index, row: note.place.row))
    }
    guard let start = contents.rows[Journal.Number.beginnings]?.first else {
      throw UserError(.data, "\(RunFolder(folder).file) has no record of how the run began: it cannot be copied")
    }
    let beginning = try SessionStart.beginning(start.payload, source: store.file.path)
    try AtomicFile.write(path, isReplacing: isReplacing) { aside in
      let copy = try Store.createPlain(aside, beginning: beginning, like: store)
      try contents.fill(copy, besideRowsOf: store, at: path)
      chmod(aside, 0o644)
    }
    return contents.kept + (contents.rows[Journal.Number.metrics]?.count ?? 0)
  }
}
