// Runs long work at low priority during training.
import Foundation
import Run

enum LowPriorityThread {
  /// Runs `body` on a low-priority thread and waits for it; runs it on the calling thread if no thread can be made. No
  /// lock may be held meanwhile or taken in `body`: threads that wait for the lock would be slowed down, too.
  static func run(_ body: () throws -> Void) throws {
    try withoutActuallyEscaping(body) { body in
      let work = Work(body)
      let thread = try? WorkerThread("aside") {
        // On Linux this is of the thread.
        setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 10)
        work.run()
      }
      if let thread { thread.join() } else { work.run() }
      try work.result.get()
    }
  }

  private final class Work: @unchecked Sendable {
    // Unchecked: one thread runs it, and the other waits until it has.
    private var body: (() throws -> Void)?
    private(set) var result: Result<Void, any Error> = .success(())

    init(_ body: @escaping () throws -> Void) { self.body = body }

    func run() {
      result = Result { try body?() }
      // Nothing of it is left when the other one goes on.
      body = nil
    }
  }
}
