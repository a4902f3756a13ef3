// The folder of a run's checkpoints: names, retention, and leftovers of a crash.
import Foundation
import Run

/// A checkpoint as listed from its file's name, size and time; the file was not read.
package struct CheckpointSummary: Codable, Sendable, Equatable {
  package var step: Int
  package var bytes: Int
  /// The time of writing, Unix time in seconds.
  package var time: Double

  /// The path of the file within the run's folder.
  package var file: String { RunFolder.checkpointPath(of: step) }
}

/// What the checkpoints of a run say that it is: when it began. The one that a branch has from its parent says when that began.
package struct RunIdentity: Sendable {
  /// Nil where the run's file does not say so.
  var created: Double?
  var parent: ParentRun?

  /// Whether a checkpoint of a step can be of this run.
  /// - Parameter origin: when the run began that the checkpoint names; nil where it names none.
  func accepts(_ origin: Double?, step: Int) -> Bool {
    guard let origin, let created, origin != created else { return true }
    return parent.map { $0.step == step && $0.checkpoint == origin } ?? false
  }
}

struct CheckpointFolder {
  /// `runs/NAME/checkpoints`.
  let path: String

  init(_ run: String) { path = RunFolder(run).checkpoints }

  func path(of step: Int) -> String { path + "/" + RunFolder.checkpoint(of: step) }

  /// Finished checkpoints, oldest first.
  func list() throws -> [CheckpointSummary] {
    try FileSystem.names(in: path).compactMap { name in
      var status = stat()
      guard let step = RunFolder.step(ofCheckpoint: name), lstat(path + "/" + name, &status) == 0,
        status.st_mode & S_IFMT == S_IFREG
      else { return nil }
      return CheckpointSummary(
        step: step, bytes: Int(status.st_size),
        time: Double(status.st_mtim.tv_sec) + Double(status.st_mtim.tv_nsec) / 1e9)
    }.sorted { $0.step < $1.step }
  }

  /// Reads a finished checkpoint.
  /// - Parameter identity: of the run; nil if unknown.
  /// - Throws: `UserError` when the file is damaged, or is of another step or run.
  func read(_ step: Int, of identity: RunIdentity?) throws -> Checkpoint {
    let (checkpoint, its) = try CheckpointFile.readNamed(path(of: step))
    guard checkpoint.state.step == step else {
      throw UserError(
        .data, "\(path(of: step)) holds step \(checkpoint.state.step), but its name says \(step)")
    }
    guard identity?.accepts(its, step: step) ?? true else {
      throw UserError(.data, "\(path(of: step)) is a checkpoint of another run")
    }
    return checkpoint
  }

  /// Writes a checkpoint under a temporary name, verifies, syncs and renames it.
  /// - Returns: the file's size in bytes.
  func write(_ checkpoint: Checkpoint, isBest: Bool, sequence: Int, of origin: CheckpointFile.Origin) throws -> Int {
    if !FileSystem.exists(path) {
      try FileSystem.createAll(path.parentFolder)
      try FileSystem.create(path)
    }
    let final = self.path(of: checkpoint.state.step)
    let aside = path + "/" + RunFolder.unfinishedCheckpoint(of: checkpoint.state.step)
    try FileSystem.remove(aside)
    do {
      let bytes = try CheckpointFile.write(checkpoint, isBest: isBest, sequence: sequence, of: origin, to: aside)
      try FileSystem.rename(aside, final)
      try FileSystem.sync(path)
      return bytes
    } catch {
      FileSystem.discard(aside)
      throw error
    }
  }

  /// Removes old checkpoints except the newest, the best, and those at multiples of `every`. The checkpoint just
  /// written was verified, so that at least one good checkpoint is kept.
  /// - Parameters:
  ///   - newest: the number of newest checkpoints to keep besides the others; 0 keeps all.
  ///   - every: checkpoints at multiples of this many steps are always kept; 0: none.
  ///   - step: the checkpoint just written, which is kept even if newer ones of a replaced history exist.
  func retain(newest: Int, every: Int, after step: Int) throws {
    for name in try FileSystem.names(in: path) where RunFolder.isReplaced(name) {
      try FileSystem.remove(path + "/" + name)
    }
    guard newest > 0 else { return }
    let steps = try list().map(\.step)
    let older = steps.filter { $0 <= step }
    // Spoilt ones take the place of no sound one, and stay as long as sound ones would.
    let kept = newestSound(newest, of: older).union(older.suffix(newest))
    let others = older.filter { !kept.contains($0) && (every == 0 || $0 % every != 0) }
    guard !others.isEmpty else { return }
    let best = older.last { isBest($0) == true }
    // One that cannot be read now may be the best.
    for old in others where old != best && isBest(old) != nil && keptName(of: old) == nil {
      try FileSystem.remove(path(of: old))
    }
  }

  /// Whether the held-out loss of a checkpoint was the lowest so far and its weights are sound, and whether its weights came to harm;
  /// nil if the file cannot be read now.
  func verdict(on step: Int) -> (isBest: Bool, isSpoilt: Bool)? {
    (try? CheckpointFile.summary(path(of: step))).map { ($0.isBest && !$0.isSpoilt, $0.isSpoilt) }
  }

  func isBest(_ step: Int) -> Bool? { verdict(on: step)?.isBest }

  func isSpoilt(_ step: Int) -> Bool? { verdict(on: step)?.isSpoilt }

  /// The step of the checkpoint with sound weights whose held-out loss is the lowest.
  /// - Throws: `UserError` when no checkpoint is known to be the best.
  func bestStep() throws -> Int {
    let steps = try list().map(\.step)
    if let best = steps.last(where: { isBest($0) == true }) { return best }
    let name = (path.parentFolder as NSString).lastPathComponent
    let there = steps.map(String.init).joined(separator: ", ")
    throw UserError(
      .noInput,
      "run “\(name)” has no best checkpoint: none with sound weights was saved at a step whose held-out loss was the lowest so far; "
        + (there.isEmpty ? "there is no checkpoint" : "there are those of \(there)"))
  }

  /// The newest of some checkpoints, but none with spoilt weights before a sound one: so many as asked for, or all there are.
  /// - Parameter steps: rising.
  func newestSound(_ count: Int, of steps: [Int]) -> Set<Int> {
    // A recipe that keeps very many keeps the sound ones among them.
    guard count <= 32 else { return Set(steps.suffix(count)) }
    var sound: Set<Int> = []
    for step in steps.reversed() where sound.count < count {
      // One that cannot be read now may be sound.
      if isSpoilt(step) != true { sound.insert(step) }
    }
    return sound
  }

  /// Renames checkpoints of a replaced history, so that they are not found. The next complete checkpoint removes them.
  func setAside(from step: Int) throws {
    for old in try list().map(\.step) where old >= step {
      try FileSystem.rename(path(of: old), RunFolder.replaced(path(of: old)))
    }
  }

  /// Removes unfinished files of a killed writer.
  func removeTemporaryFiles() throws {
    for name in try FileSystem.names(in: path) where RunFolder.isUnfinishedCheckpoint(name) {
      try FileSystem.remove(path + "/" + name)
    }
    for unfinished in RunFolder(path.parentFolder).unfinished { try FileSystem.remove(unfinished) }
  }

  /// - Throws: `UserError` that names those there are, where there is none of this step.
  func requireCheckpoint(of step: Int) throws {
    let steps = try list().map(\.step)
    guard !steps.contains(step) else { return }
    let name = (path.parentFolder as NSString).lastPathComponent
    let there = steps.map(String.init).joined(separator: ", ")
    throw UserError(
      .noInput,
      "run “\(name)” has no checkpoint of step \(step), \(there.isEmpty ? "nor of any other" : "only of \(there)")")
  }

  /// The number of the first event that came after a checkpoint.
  func sequence(of step: Int) throws -> Int {
    guard FileSystem.exists(path(of: step)) else {
      throw UserError(.noInput, "there is no checkpoint of step \(step): \(path(of: step)) is missing")
    }
    return try CheckpointFile.summary(path(of: step)).sequence
  }
}
