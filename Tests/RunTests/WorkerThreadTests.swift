// Threads that are seen to begin.
import Dispatch
import Foundation
import Run
import Synchronization
import Testing

struct WorkerThreadTests {
  /// A stack that no machine gives.
  private static let endless = 1 << 60

  @Test func `a thread does its work and can be waited for, twice`() throws {
    let mailbox = Mailbox<Int>()
    let thread = try WorkerThread("adder") { mailbox.send(7) }
    thread.join()
    thread.join()
    #expect(mailbox.takeAll() == [7])
  }

  @Test func `waiting for a thread that goes on ends when the time is over`() throws {
    let mayEnd = DispatchSemaphore(value: 0)
    let thread = try WorkerThread("waiter") { mayEnd.wait() }
    #expect(!thread.join(until: .now()))
    mayEnd.signal()
    thread.join()
  }

  @Test func `a thread that cannot be made is an error with its name and a reason, and does nothing`() throws {
    let mailbox = Mailbox<Int>()
    let error = #expect(throws: UserError.self) {
      try WorkerThread("giant", stackSize: Self.endless) { mailbox.send(1) }
    }
    #expect(error?.status == .unavailable)
    #expect(error?.message.hasPrefix("cannot make the thread “giant”: ") == true)
    #expect(mailbox.takeAll().isEmpty)
  }

  @Test func `threads that cannot be there at once are refused with what needs them`() throws {
    try WorkerThread.require(3, for: "three")
    let error = #expect(throws: UserError.self) {
      try WorkerThread.require(2, stackSize: Self.endless, for: "computing")
    }
    #expect(error?.message.hasPrefix("computing needs 2 more threads, and gets 0: ") == true)
    #expect(error?.message.contains("--threads") == false)
    let one = #expect(throws: UserError.self) {
      try WorkerThread.require(1, stackSize: Self.endless, for: "computing", orElse: "take fewer")
    }
    #expect(one?.message.hasPrefix("computing needs 1 more thread, and gets 0: ") == true)
    #expect(one?.message.hasSuffix(", or take fewer") == true)
  }

  @Test(arguments: [0, 1, 2, 7, 1000])
  func `several threads do each piece once`(count: Int) {
    let done = Mutex([Int](repeating: 0, count: count))
    WorkerThread.each(count, most: 4) { index in done.withLock { $0[index] += 1 } }
    #expect(done.withLock { $0 } == [Int](repeating: 1, count: count))
  }
}
