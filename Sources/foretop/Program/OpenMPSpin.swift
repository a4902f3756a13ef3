// How long a thread of the team waits awake before it sleeps. libgomp reads that from the environment when it is loaded,
// before anything of ours runs, so that the program starts itself once more with it.
import Glibc

/// The wait of computing threads between two parallel regions.
enum OpenMPSpin {
  /// Some microseconds: enough for the gap between two regions. libgomp's own choice, a millisecond, is faster by nothing on
  /// an idle machine, and on a busy one a thread that waits awake keeps the one it waits for from running: measured
  /// with 2 threads on 2 cores with two other programs at work, a step of 4 to 14 ms takes 30 to 1 000.
  private static let spins = "500"

  /// Starts the program again with the wait set, unless the user chose one. Called before there is any thread.
  static func choose() {
    guard getenv("GOMP_SPINCOUNT") == nil, getenv("OMP_WAIT_POLICY") == nil else { return }
    var path = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
    // By its path and not as /proc/self/exe: that is what the process would be called.
    guard readlink("/proc/self/exe", &path, path.count - 1) > 0 else { return }
    setenv("GOMP_SPINCOUNT", spins, 1)
    execv(path, CommandLine.unsafeArgv)
    // Not started again: it works all the same, with libgomp's own wait.
  }
}
