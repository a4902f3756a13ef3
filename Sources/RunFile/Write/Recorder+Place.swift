// Handles a run's folder that is moved or removed during the run.
import Foundation
import Run

extension Recorder {
  /// Checks where the folder is.
  /// - Returns: a line, once, when the folder was moved or removed.
  func follow() -> Occurrence? {
    let now = place.path
    let notice: Occurrence
    if now != folder {
      notice = self.notice(
        .warning,
        "the run's folder \(folder) was moved to \(now) during the run: metrics and checkpoints go there")
      folder = now
    } else if place.isRemoved, !isRemoved {
      isRemoved = true
      notice = self.notice(
        .warning,
        "the run's folder \(folder) was removed during the run: its metrics are lost; new checkpoints are saved there")
    } else {
      return nil
    }
    keep(notice)
    return notice
  }

  /// Gives up a run whose folder was removed.
  /// - Returns: an error that says what is lost and what is not.
  func lost() -> UserError {
    HDF5.alone { store.abandon() }
    let last = (try? CheckpointFolder(folder).list())?.last?.step
    let rest =
      last.map { step in
        let name = (folder as NSString).lastPathComponent
        return
          "the checkpoint of step \(step) is there, and “foretop recover \(name) --from-checkpoint” makes a run of it"
      } ?? "nothing of the run is left"
    return UserError(
      .inputOutput, "the run's folder \(folder) was removed during the run: its metrics are lost; \(rest)")
  }
}
