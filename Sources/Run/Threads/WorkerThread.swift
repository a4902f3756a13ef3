// Threads that are seen to begin: each is made by a call whose failure is thrown, with the limit that caused it, and has an
// owner who can wait for its end. Nobody waits for a thread that does not exist.
import Dispatch
import Foundation
import Synchronization

/// A thread with a name, a stack and an end. It takes no signals but those of its own faults.
package final class WorkerThread: Sendable {
  private let handle = Mutex<pthread_t?>(nil)
  private let isOver = DispatchSemaphore(value: 0)

  /// What a thread begins with.
  private final class StartBox: Sendable {
    let name: String
    let body: @Sendable () -> Void
    let isOver: DispatchSemaphore

    init(_ name: String, _ body: @escaping @Sendable () -> Void, _ isOver: DispatchSemaphore) {
      self.name = name
      self.body = body
      self.isOver = isOver
    }

    func run() {
      blockSignals()
      setName()
      let stack = SignalStack()
      body()
      stack.remove()
    }

    /// Handlers run on the main thread alone: oneDNN's products for AVX2 point the stack register at a buffer of the heap, and a
    /// handler on that stack would write over what lies before the buffer. Threads that this one makes, such as libgomp's, inherit the
    /// mask.
    private func blockSignals() {
      var set = sigset_t()
      sigfillset(&set)
      // What a thread does to itself stays: a fault must end the process with its own signal.
      for fault in [SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS] { sigdelset(&set, fault) }
      pthread_sigmask(SIG_SETMASK, &set, nil)
    }

    private func setName() {
      let file = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
      guard file >= 0 else { return }
      _ = write(file, name, name.utf8.count)
      close(file)
    }
  }

  /// Makes a thread, which begins at once.
  /// - Parameters:
  ///   - name: up to 15 bytes, for tools that list threads.
  ///   - stackSize: bytes; nil takes as many as the shell's limit says, which is what libgomp's threads have.
  /// - Throws: `UserError` that names the limit which allows no thread more; `body` is not called then.
  package init(_ name: String, stackSize: Int? = 8 << 20, _ body: @escaping @Sendable () -> Void) throws(UserError) {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    if let stackSize { pthread_attr_setstacksize(&attributes, stackSize) }
    var needed = 0
    pthread_attr_getstacksize(&attributes, &needed)
    let start = Unmanaged.passRetained(StartBox(name, body, isOver))
    var made = pthread_t()
    let failure = pthread_create(
      &made, &attributes,
      { argument in
        let start = Unmanaged<StartBox>.fromOpaque(argument!).takeRetainedValue()
        start.run()
        start.isOver.signal()
        return nil
      }, start.toOpaque())
    guard failure == 0 else {
      start.release()
      throw UserError(
        .unavailable, "cannot make the thread “\(name)”: " + ProcessLimit.words(for: failure, stackSize: needed))
    }
    handle.withLock { $0 = made }
  }

  deinit { handle.withLock { thread in if let thread { pthread_detach(thread) } } }

  /// Waits until it has ended.
  package func join() { _ = join(until: .distantFuture) }

  /// Waits until it has ended, or the time is over.
  /// - Returns: whether it has ended.
  @discardableResult package func join(until deadline: DispatchTime) -> Bool {
    guard isOver.wait(timeout: deadline) == .success else { return false }
    // Whoever else waits may go on too.
    isOver.signal()
    let thread = handle.withLock { thread in
      defer { thread = nil }
      return thread
    }
    if let thread { pthread_join(thread, nil) }
    return true
  }

  // MARK: Several

  /// Makes sure that so many threads can be there at once beside those that are, by making them; they are gone afterwards.
  /// - Parameters:
  ///   - stackSize: as for one.
  ///   - advice: what else to do where there are fewer, such as `take fewer with --threads`.
  /// - Throws: `UserError` as `init`, with `purpose` and what to do.
  package static func require(
    _ count: Int, stackSize: Int? = nil, for purpose: String, orElse advice: String? = nil
  ) throws(UserError) {
    let mayEnd = DispatchSemaphore(value: 0)
    var threads: [WorkerThread] = []
    defer {
      for _ in threads { mayEnd.signal() }
      for thread in threads { thread.join() }
    }
    for _ in 0..<max(0, count) {
      do {
        threads.append(try WorkerThread("trial", stackSize: stackSize) { mayEnd.wait() })
      } catch {
        let limit = error.message.split(separator: ": ", maxSplits: 1).last ?? ""
        throw UserError(
          .unavailable,
          "\(purpose) needs \(count) more \(count == 1 ? "thread" : "threads"), and gets \(threads.count): \(limit)"
            + (advice.map { ", or \($0)" } ?? ""))
      }
    }
  }

  /// Calls `body` with 0 ..< count, on several threads at once and on this one, and returns when all is done. Where threads
  /// cannot be made, fewer do it: this one alone at worst.
  /// - Parameter most: threads at once.
  package static func each(
    _ count: Int, most: Int = Processors.helpers, _ body: (_ index: Int) -> Void
  ) {
    withoutActuallyEscaping(body) { body in
      let work = SharedWork(count, body)
      var helpers: [WorkerThread] = []
      while helpers.count < min(count, most) - 1,
        let helper = try? WorkerThread("helper", { work.run() })
      {
        helpers.append(helper)
      }
      work.run()
      for helper in helpers { helper.join() }
      work.forget()
    }
  }

  /// As `each`, and collects what `body` makes.
  /// - Returns: the values of `body` for 0 ..< count, in this order.
  package static func map<Value: Sendable>(
    _ count: Int, most: Int = Processors.helpers, _ body: (_ index: Int) -> Value
  ) -> [Value] {
    guard count > 0 else { return [] }
    return Array(unsafeUninitializedCapacity: count) { values, filled in
      // Each call writes its own element, and all are done when `each` returns.
      let first = values.baseAddress!
      each(count, most: most) { (first + $0).initialize(to: body($0)) }
      filled = count
    }
  }

  /// What `each` shares out.
  private final class SharedWork: @unchecked Sendable {
    // Unchecked: `body` is set before there are threads, and forgotten when they have ended.
    private var body: ((Int) -> Void)?
    private let count: Int
    private let next = Atomic(0)

    init(_ count: Int, _ body: @escaping (Int) -> Void) {
      self.count = count
      self.body = body
    }

    func run() {
      while true {
        let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
        guard index < count else { return }
        body?(index)
      }
    }

    func forget() { body = nil }
  }
}

/// A stack for signal handlers of the thread that makes it: they find room even where the thread's own stack is used up.
package struct SignalStack: @unchecked Sendable {
  // Unchecked: it stays with its thread.
  private let memory: UnsafeMutableRawPointer?
  private static let size = 64 << 10

  package init() {
    memory = malloc(Self.size)
    guard let memory else { return }
    var stack = stack_t(ss_sp: memory, ss_flags: 0, ss_size: Self.size)
    sigaltstack(&stack, nil)
  }

  /// Takes it away, on the same thread.
  package func remove() {
    guard let memory else { return }
    var none = stack_t(ss_sp: nil, ss_flags: Int32(SS_DISABLE), ss_size: 0)
    sigaltstack(&none, nil)
    free(memory)
  }
}
