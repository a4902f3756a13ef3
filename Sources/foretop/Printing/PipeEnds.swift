// A pipe inside the process that nobody waits on.
import Glibc

/// Both ends of a new pipe; reading and writing never wait, and programs that are started do not get them.
struct PipeEnds {
  let reading: CInt
  let writing: CInt

  /// Nil when there are no descriptors left.
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
