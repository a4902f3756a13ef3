// Checkpoints that somebody saved by hand: each has a small file beside it, with its name where it has one, and stays until it is
// removed by hand.
import Foundation
import Run

extension CheckpointFolder {
  /// Bytes of the longest mark that is read.
  private static let most = 1024

  /// Marks a checkpoint as one that stays.
  /// - Parameter name: empty for one without a name; a name that an older one has becomes this one's.
  func keep(_ step: Int, as name: String) throws {
    let mark = path + "/" + RunFolder.keptMark(of: step)
    let aside = RunFolder.unfinished(mark)
    try FileSystem.remove(aside)
    let file = try FileDescriptor(opening: aside, O_RDWR | O_CREAT | O_EXCL)
    try file.write(Array((name + "\n").utf8), at: 0)
    try file.sync()
    try FileSystem.rename(aside, mark)
  }

  /// The name of a checkpoint that stays until it is removed by hand; empty for one without a name, nil for one that may go.
  func keptName(of step: Int) -> String? {
    let mark = path + "/" + RunFolder.keptMark(of: step)
    guard FileSystem.exists(mark) else { return nil }
    guard let bytes = try? Data(contentsOf: URL(filePath: mark)), bytes.count <= Self.most else { return "" }
    return String(decoding: bytes, as: UTF8.self).trimmingSpaces
  }

  /// The step of the newest checkpoint with a name.
  /// - Throws: `UserError` that names those there are.
  func step(named name: String) throws -> Int {
    var names: [String] = []
    for step in try list().map(\.step).reversed() {
      guard let kept = keptName(of: step), !kept.isEmpty else { continue }
      if kept == name { return step }
      names.append(kept)
    }
    let run = (path.parentFolder as NSString).lastPathComponent
    let meant = names.nearest(to: name).map { "; did you mean \($0.quotation)?" }
    let there = names.isEmpty ? "none has a name" : "there are \(names.map(\.quotation).joined(separator: ", "))"
    throw UserError(.noInput, "run “\(run)” has no checkpoint \(name.quotation)\(meant ?? ": \(there)")")
  }
}

extension StoredRun {
  /// The step of a run's checkpoint with a name, be its run.h5 readable or not.
  /// - Parameter folder: `runs/NAME`.
  /// - Throws: `UserError` where it has none of this name.
  package static func step(ofCheckpoint name: String, in folder: String) throws -> Int {
    try CheckpointFolder(folder).step(named: name)
  }

  /// The name of a checkpoint that was saved by hand, empty where it has none; nil for others.
  package func keptName(ofCheckpoint step: Int) -> String? { CheckpointFolder(folder).keptName(of: step) }
}
