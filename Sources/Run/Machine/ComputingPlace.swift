// What the bits of a run's losses depend on beside its recipe.

/// What computed a session: equal ones compute equal losses, to the bit, from the same recipe, threads and commands.
package struct ComputingPlace: Codable, Sendable, Equatable {
  /// The kind of CPU, and the instructions that kernels and oneDNN use there.
  package var machine: String
  /// The program's version.
  package var program: String
  /// A checksum of the tokens of the training part and the held-out part, hexadecimal.
  package var tokens: String

  /// This program, on this machine.
  package init(machine: String, tokens: String) {
    self.machine = machine
    self.tokens = tokens
    program = ProgramVersion.text
  }
}
