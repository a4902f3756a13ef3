// The engine's name for what Run knows of the machine.
import Kernels
import Run

extension Machine {
  /// This machine's memory now; nil where /proc does not tell.
  package static var memory: MachineMemory? { .current }
}
