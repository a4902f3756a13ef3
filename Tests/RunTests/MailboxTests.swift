// Where threads meet.
import Dispatch
import Foundation
import Run
import Testing

struct MailboxTests {
  @Test func `messages come out in the order they went in`() {
    let mailbox = Mailbox<Int>()
    for number in 0..<5 { mailbox.send(number) }
    #expect(mailbox.takeAll() == [0, 1, 2, 3, 4])
    #expect(mailbox.takeAll().isEmpty)
  }

  @Test func `a reader that waits without end gets what another thread sends`() {
    let mailbox = Mailbox<Int>()
    Thread.detachNewThread { mailbox.send(7) }
    #expect(mailbox.takeAll(waitingUntil: .distantFuture) == [7])
  }

  @Test func `a deadline in the past only looks`() {
    let mailbox = Mailbox<Int>()
    #expect(mailbox.takeAll(waitingUntil: .now()).isEmpty)
    mailbox.send(1)
    #expect(mailbox.takeAll(waitingUntil: .now()) == [1])
  }

  @Test func `a closed mailbox wakes its reader, gives out what is left, and takes no more`() {
    let mailbox = Mailbox<Int>()
    mailbox.send(1)
    mailbox.close()
    mailbox.send(2)
    #expect(mailbox.takeAll(waitingUntil: .distantFuture) == [1])
    #expect(mailbox.takeAll(waitingUntil: .distantFuture).isEmpty)
  }

  @Test func `many senders lose nothing`() {
    let mailbox = Mailbox<Int>()
    DispatchQueue.concurrentPerform(iterations: 8) { sender in
      for number in 0..<1000 { mailbox.send(sender * 1000 + number) }
    }
    #expect(mailbox.takeAll().sorted() == Array(0..<8000))
  }
}
