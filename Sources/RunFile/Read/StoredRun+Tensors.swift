// Weights of stored checkpoints, for looking at them: without the moments, and only those tensors that are asked for.
import Foundation
import Run

/// Weights of a checkpoint, or some of them.
package struct StoredWeights: Sendable {
  /// The step of the checkpoint.
  package let step: Int
  package let tensors: [Checkpoint.Tensor]
  /// All of their numbers, fp32; a tensor's begin at its offset.
  package let numbers: [Float]
}

/// A checkpoint whose numbers cannot be read.
package struct DamagedCheckpoint: Error {
  package let step: Int
  package let error: any Error
}

/// Reads tensors of a run's checkpoints again and again: for each file, its tensors are found once, and its checksum is computed
/// once, before the first of its numbers is read.
package struct StoredTensors {
  /// A file as it was read.
  private struct ReadFile {
    var version: FileVersion
    var places: [CheckpointFile.Place]
    var isVerified = false
    /// Why its numbers cannot be read.
    var damage: (any Error)?
  }

  /// `runs/NAME`.
  package let folder: String
  private var files: [Int: ReadFile] = [:]

  package init(of folder: String) { self.folder = folder }

  /// The steps of finished checkpoints, in order.
  /// - Throws: `UserError` where there is none.
  package func steps() throws -> [Int] {
    let steps = try StoredRun.checkpointSteps(in: folder)
    guard !steps.isEmpty else {
      throw UserError(.noInput, "run “\(name)” has no checkpoint yet: there are no tensors to show")
    }
    return steps
  }

  private var name: String { (folder as NSString).lastPathComponent }

  /// The tensors of a checkpoint, without their numbers: of a large file, only its beginning is read.
  /// - Throws: `UserError` where there is no such checkpoint, or it is not as foretop writes it, or is known to be damaged.
  package mutating func tensors(ofStep step: Int) throws -> [Checkpoint.Tensor] {
    let file = try file(ofStep: step)
    if let damage = file.damage { throw damage }
    return file.places.map(\.tensor)
  }

  /// The numbers of some tensors of a checkpoint.
  /// - Throws: `DamagedCheckpoint`.
  package mutating func weights(ofStep step: Int, of paths: Set<String>) throws(DamagedCheckpoint) -> StoredWeights {
    do {
      return try numbers(ofStep: step, paths)
    } catch {
      files[step]?.damage = error
      throw DamagedCheckpoint(step: step, error: error)
    }
  }

  private mutating func numbers(ofStep step: Int, _ paths: Set<String>) throws -> StoredWeights {
    let file = try file(ofStep: step)
    if let damage = file.damage { throw damage }
    let path = CheckpointFolder(folder).path(of: step)
    if !file.isVerified {
      _ = try CheckpointFile.Trailer(verifying: path)
      files[step]?.isVerified = true
    }
    let descriptor = try FileDescriptor(opening: path, O_RDONLY)
    guard FileVersion(try descriptor.status()) == file.version else {
      throw UserError(.unavailable, "\(path) changed while it was read: try again")
    }
    return try CheckpointFile.weights(file.places.filter { paths.contains($0.tensor.path) }, in: descriptor, step: step)
  }

  /// Finds the tensors of a file, unless it is known and has not changed.
  private mutating func file(ofStep step: Int) throws -> ReadFile {
    let path = CheckpointFolder(folder).path(of: step)
    guard FileSystem.exists(path) else {
      files[step] = nil
      throw UserError(.noInput, "run “\(name)” has no checkpoint of step \(step) any more")
    }
    let version = FileVersion(try FileDescriptor(opening: path, O_RDONLY).status())
    if let known = files[step], known.version == version { return known }
    let contents = try CheckpointFile.CheckpointContents(of: File(opening: path, .still))
    guard contents.state.step == step else {
      throw UserError(.data, "\(path) holds step \(contents.state.step), but its name says \(step)")
    }
    let file = ReadFile(version: version, places: contents.places[0])
    files[step] = file
    return file
  }
}
