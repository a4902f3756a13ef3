// The first steps of every command that computes.
import Kernels
import Run

enum Computation {
  /// Checks this CPU, and chooses how threads wait, for which the program may start itself once more.
  /// - Throws: `UserError` when the CPU lacks instructions that the kernels use.
  static func prepare() throws {
    if let missing = Machine.missing { throw UserError(.unavailable, missing) }
    OpenMPSpin.choose()
    LibraryExit.watch()
  }
}
