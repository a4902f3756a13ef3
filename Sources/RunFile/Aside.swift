// Long work beside the training, for as long as that takes.
import Foundation

enum Aside {
  /// Does something on a thread that the others come before, and waits for it. No lock may be held meanwhile or taken in it:
  /// whoever waits for one would come after the others too.
  static func run(_ body: () throws -> Void) throws {
    try withoutActuallyEscaping(body) { body in
      let work = Work(body)
      let thread = Thread { work.run() }
      thread.name = "aside"
      thread.stackSize = 1 << 23
      thread.start()
      try work.wait()
    }
  }

  private final class Work: @unchecked Sendable {
    // Unchecked: one thread runs it, and the other waits until it has.
    private var body: (() throws -> Void)?
    private var result: Result<Void, any Error> = .success(())
    private let isDone = DispatchSemaphore(value: 0)

    init(_ body: @escaping () throws -> Void) { self.body = body }

    func run() {
      // On Linux this is of the thread.
      setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 10)
      result = Result { try body?() }
      // Nothing of it is left when the other one goes on.
      body = nil
      isDone.signal()
    }

    func wait() throws {
      isDone.wait()
      try result.get()
    }
  }
}
