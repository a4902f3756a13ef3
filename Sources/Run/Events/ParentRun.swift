// Where a branch comes from.

/// The run that a branch went away from.
package struct ParentRun: Codable, Sendable, Equatable {
  /// Its name when the branch was made.
  package var name: String
  /// Steps of the parent that the branch has: both are one run up to there.
  package var step: Int
  /// When the parent began, Unix time in seconds, which tells runs of one name apart; nil where its file does not say so.
  package var created: Double?
  /// When the run began that the branch's first checkpoint names; a branch of a branch may have its grandparent's.
  package var checkpoint: Double?
  /// When the branch was made, Unix time in seconds: what its own files name it by.
  package var branched: Double

  package init(name: String, step: Int, created: Double?, checkpoint: Double?, branched: Double) {
    self.name = name
    self.step = step
    self.created = created
    self.checkpoint = checkpoint
    self.branched = branched
  }
}
