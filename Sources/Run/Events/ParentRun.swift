// Where a branch comes from, and what the bits of a run's losses depend on beside its recipe.

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

/// What computed a session: equal ones compute equal losses, to the bit, from the same recipe, threads and commands.
package struct ComputingPlace: Codable, Sendable, Equatable {
  /// The kind of CPU, and the instructions that kernels and oneDNN use there.
  package var machine: String
  /// The program's version.
  package var program: String
  /// A checksum of the tokens of the training part and the held-out part, hexadecimal.
  package var tokens: String

  package init(machine: String, program: String, tokens: String) {
    self.machine = machine
    self.program = program
    self.tokens = tokens
  }
}
