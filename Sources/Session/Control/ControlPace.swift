// How much of the machine the control socket's thread may take from the training, whatever peers do.
import Glibc

/// The thread's own budget: a burst, and a small share of a CPU after that. A thread beyond it serves its peers 50 times a second.
struct ControlPace {
  /// Seconds of the CPU that may be used at once.
  private static let burst = 0.03
  /// The share of a CPU that may be used for long.
  private static let share = 0.005
  /// Microseconds between two rounds of a thread that has used up its budget.
  private static let pause: UInt32 = 20_000

  /// Seconds of the CPU that are left.
  private var credit = Self.burst
  private var last = (wall: Self.seconds(CLOCK_MONOTONIC), cpu: Self.seconds(CLOCK_THREAD_CPUTIME_ID))

  /// Called by the thread after every round: sleeps where it has done much.
  mutating func rest() {
    let now = (wall: Self.seconds(CLOCK_MONOTONIC), cpu: Self.seconds(CLOCK_THREAD_CPUTIME_ID))
    credit += (now.wall - last.wall) * Self.share - (now.cpu - last.cpu)
    credit = min(max(credit, -Self.burst), Self.burst)
    last = now
    if credit < 0 { usleep(Self.pause) }
  }

  private static func seconds(_ clock: clockid_t) -> Double {
    var time = timespec()
    clock_gettime(clock, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}
