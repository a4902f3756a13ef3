// Checkpoints that somebody saved by hand: each has a small file beside it, with its names where it has some, a line each, and stays
// until it is removed by hand.
import Foundation
import Run

extension CheckpointFolder {
  /// Bytes of the longest mark that is read.
  private static let most = 4096

  /// Marks a checkpoint as one that stays.
  /// - Parameter given: names for it; a name that an older one has becomes this one's. Names that the checkpoint has already stay.
  func keep(_ step: Int, as given: [String]) throws {
    var names = (keptNames(of: step) ?? []).filter { !given.contains($0) } + given
    while names.reduce(0, { $0 + $1.utf8.count + 1 }) > Self.most { names.removeFirst() }
    let mark = path + "/" + RunFolder.keptMark(of: step)
    let aside = RunFolder.unfinished(mark)
    try FileSystem.remove(aside)
    let file = try FileDescriptor(opening: aside, O_RDWR | O_CREAT | O_EXCL)
    try file.write(Array((names.joined(separator: "\n") + "\n").utf8), at: 0)
    try file.sync()
    try FileSystem.rename(aside, mark)
  }

  /// Gives a checkpoint that a branch has in common with its parent the mark there, too: it stays, and has its names.
  func passKept(_ step: Int, to branch: CheckpointFolder) throws {
    let mark = RunFolder.keptMark(of: step)
    guard FileSystem.exists(path + "/" + mark) else { return }
    try FileSystem.link(path + "/" + mark, to: branch.path + "/" + mark)
  }

  /// The names of a checkpoint that stays until it is removed by hand, as a person reads them; empty for one without a name, nil for
  /// one that may go.
  func keptName(of step: Int) -> String? { keptNames(of: step).map { $0.joined(separator: ", ") } }

  /// The same as a list.
  private func keptNames(of step: Int) -> [String]? {
    let mark = path + "/" + RunFolder.keptMark(of: step)
    guard FileSystem.exists(mark) else { return nil }
    guard let bytes = try? Data(contentsOf: URL(filePath: mark)), bytes.count <= Self.most else { return [] }
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map { String($0).trimmingSpaces }
      .filter { !$0.isEmpty }
  }

  /// The step of the newest checkpoint with a name.
  /// - Throws: `UserError` that names those there are.
  func step(named name: String) throws -> Int {
    var names: [String] = []
    for step in try list().map(\.step).reversed() {
      guard let kept = keptNames(of: step) else { continue }
      if kept.contains(name) { return step }
      names += kept
    }
    let run = (path.parentFolder as NSString).lastPathComponent
    let meant = names.nearest(to: name).map { "; did you mean \($0.quotation)?" }
    let there =
      names.isEmpty ? "no checkpoint has a name" : "there are \(names.map(\.quotation).joined(separator: ", "))"
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

  /// The names of a checkpoint that was saved by hand, empty where it has none; nil for others.
  package func keptName(ofCheckpoint step: Int) -> String? { CheckpointFolder(folder).keptName(of: step) }
}
