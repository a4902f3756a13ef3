// Processes that mpirun (or srun) starts: the first goes on as a process alone would, the others follow it.
import Glibc
import Run
import Session
import Training

#if FORETOP_MPI
  import Cluster
#endif

enum RankStart {
  /// A number that the launcher gives its processes; nil where there is no launcher.
  private static func number(_ names: [String]) -> Int? {
    for name in names { if let text = getenv(name) { return Int(String(cString: text)) } }
    return nil
  }

  /// How many processes were started together, and which this is. An Open MPI launcher says it, or Slurm's.
  private static var count: Int { number(["OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS"]) ?? 1 }
  private static var rank: Int { number(["OMPI_COMM_WORLD_RANK", "SLURM_PROCID"]) ?? 0 }

  /// Among how many processes the cores that this one may use are divided: 1 where the launcher has divided them.
  static var sharers: Int {
    guard count > 1 else { return 1 }
    let here = number(["OMPI_COMM_WORLD_LOCAL_SIZE", "SLURM_NTASKS_PER_NODE"]) ?? 1
    return Processors.current.allowed * here > max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) ? max(1, here) : 1
  }

  /// Makes the process ready to compute, connects the processes that were started together, and leaves them when `body` has ended. Only
  /// the first process comes to `body`; the others follow it to the end of its sessions and then end. Call this before the first
  /// thread.
  /// - Parameter body: receives nil where this process is alone.
  /// - Throws: `UserError` when the CPU cannot run the program, it was built without MPI, or MPI does not begin.
  static func computing(_ body: (Ranks?) throws -> Void) throws {
    try Computation.prepare()
    let ranks = try begin()
    defer { ranks?.leave() }
    try body(ranks)
  }

  private static func begin() throws -> Ranks? {
    guard count > 1 else { return nil }
    #if FORETOP_MPI
      let ranks = try Ranks { () throws(UserError) in try MPILink() }
      guard ranks.count > 1 else { return nil }
      if ranks.isLeader { return ranks }
      follow(ranks)
    #else
      // One of them says it.
      guard rank == 0 else { throw Ended(status: UserError.Status.unavailable.rawValue) }
      throw UserError(
        .unavailable,
        "\(count) processes were started together, but this foretop was built without MPI, so that each would train the run by "
          + "itself: build it with “FORETOP_MPI=1 make build” (Debian: apt-get install libopenmpi-dev), or start one process"
      )
    #endif
  }

  #if FORETOP_MPI
    private static func follow(_ ranks: Ranks) -> Never {
      // Rank 0 obeys signals for all, so that they take effect at the same step; a launcher that ends must not leave this one.
      for signal in [SIGINT, SIGTERM, SIGHUP, SIGUSR1] + EndingSignal.requests { Glibc.signal(signal, SIG_IGN) }
      FrontProcess.dieWithParent(of: SIGKILL)
      do {
        try ranks.follow()
      } catch {
        Output.warn(
          "rank \(ranks.rank) of \(ranks.count) ends: \(UserError(error, while: "training").message)".harmlessLine)
        ranks.close()
        fflush(nil)
        _exit(UserError.Status.unavailable.rawValue)
      }
      ranks.leave()
      LibraryExit.leave(0)
    }
  #endif
}
