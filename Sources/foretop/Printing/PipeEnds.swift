// A pipe within the process; neither end blocks.
import Glibc

/// Both ends of a new pipe. Reading and writing never wait; child processes do not inherit the ends.
struct PipeEnds {
  let reading: CInt
  let writing: CInt

  /// Nil if no descriptors are available.
  init?() {
    var ends: [CInt] = [-1, -1]
    guard pipe(&ends) == 0 else { return nil }
    for end in ends {
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
    }
    reading = ends[0]
    writing = ends[1]
  }
}
