// Sets how long a waiting thread of the team spins before it sleeps. libgomp reads the setting from the environment when it is
// loaded, before any code of this program runs, so that the program starts itself once more with the setting.
import Glibc

/// The spinning of compute threads between two parallel regions.
enum OpenMPSpin {
  /// A few microseconds, enough for the gap between two regions. libgomp's default, a millisecond, is not faster on an idle
  /// machine, and on a busy one a spinning thread keeps the thread that it waits for from running: with 2 threads on 2 cores and
  /// two other programs at work, a step of 4 to 14 ms was measured to take 30 to 1 000 ms.
  private static let spins = "500"

  /// Starts the program again with this setting, unless the user has chosen one. Call this before the first thread.
  static func choose() {
    guard getenv("GOMP_SPINCOUNT") == nil, getenv("OMP_WAIT_POLICY") == nil else { return }
    var path = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
    // By its path: with /proc/self/exe, the process would be listed under that name.
    guard readlink("/proc/self/exe", &path, path.count - 1) > 0 else { return }
    setenv("GOMP_SPINCOUNT", spins, 1)
    execv(path, CommandLine.unsafeArgv)
    // The program cannot be started again; it works with libgomp's default, too.
  }
}
