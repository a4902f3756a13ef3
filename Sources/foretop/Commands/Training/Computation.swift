// What every command that computes begins with.
import Kernels
import Run

enum Computation {
  /// Makes sure that this CPU can compute, and chooses how threads wait: the program may start once more here.
  /// - Throws: `UserError` when the CPU lacks instructions that the kernels are made of.
  static func prepare() throws {
    if let missing = Machine.missing { throw UserError(.unavailable, missing) }
    OpenMPSpin.choose()
    LibraryExit.watch()
  }
}
