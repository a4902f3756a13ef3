// One connection to the control socket: incomplete input lines, unanswered requests and unsent output. All three are
// bounded.
import Glibc
import Run

struct ControlPeer {
  let descriptor: CInt
  /// The peer's process, as the kernel says.
  let process: Int
  private var input = LineBuffer()
  private var output: [UInt8] = []
  /// The next event's place in the ring, and its number; nil without a subscription.
  private var next: (place: Int, number: Int)?
  /// True if the peer asked for the progress of evaluations.
  private var hasProgress = false
  /// The number of requests without an answer.
  var pending = 0
  /// True if the connection is to be closed once its output is sent.
  var isEnding = false
  /// True if the peer has closed its sending side; the peer may still read.
  private var isHalfClosed = false
  /// True if the connection is over.
  private(set) var isOver = false

  /// Lines so far that were no requests.
  private var faults = 0
  /// Wrong lines after which the connection ends: a person mistypes less often.
  private static let mostFaults = 64

  /// The most requests that may wait for an answer; further lines are read when there are fewer.
  private static let mostPending = 16
  /// Bytes of output beyond which nothing more is read from the peer.
  private static let mostOutput = 64 << 10
  /// Bytes per call of read.
  private static let portion = 16 << 10

  init(_ descriptor: CInt, process: Int) {
    self.descriptor = descriptor
    self.process = process
  }

  var isSubscribed: Bool { next != nil }
  /// True if the peer gets the progress of evaluations: it has read everything so far, so that nothing piles up.
  var takesProgress: Bool { isSubscribed && hasProgress && output.isEmpty }
  private var takesLines: Bool { !isEnding && pending < Self.mostPending && output.count < Self.mostOutput }
  private var isReading: Bool { takesLines && !isHalfClosed }
  var hasOutput: Bool { !output.isEmpty }

  /// The events that poll(2) waits for.
  var interests: Int16 { (isReading ? Int16(POLLIN) : 0) | (hasOutput ? Int16(POLLOUT) : 0) }

  /// Reads what the peer sent.
  mutating func read() {
    do {
      guard let bytes = try ControlSocket.receive(from: descriptor, most: Self.portion) else { return }
      if bytes.isEmpty { isHalfClosed = true } else { input.append(bytes) }
    } catch {
      isOver = true
    }
  }

  /// Reads the rest of the input of a peer that has gone, up to the length of a line.
  mutating func hangUp() {
    for _ in 0..<4 where !isHalfClosed && !isOver { read() }
    isOver = true
  }

  /// The next whole line, while more requests may wait. A line that is too long ends the connection.
  mutating func line() -> [UInt8]? {
    guard takesLines else { return nil }
    let line = input.next()
    guard (line ?? input.bytes).count > ControlSocket.mostBytes else { return line }
    refuse("a line has at most \(ControlSocket.mostBytes) bytes")
    return nil
  }

  mutating func say(_ message: JSON) { output += (message.line + "\n").utf8 }

  /// Counts a wrong line, and ends the connection of a peer that sends nothing else.
  mutating func countFault() {
    faults += 1
    if faults >= Self.mostFaults { refuse("\(faults) lines were not requests: the connection ends") }
  }

  /// Sends an error, and reads nothing more.
  mutating func refuse(_ text: String) {
    say(ControlAnswer.error(text))
    isEnding = true
  }

  /// Subscribes the peer to events from a number on; nil means from now on.
  /// - Parameter hasProgress: true if the peer asks for the progress of evaluations, too.
  mutating func subscribe(from number: Int?, hasProgress: Bool, _ ring: EventRing, newest: Int) {
    self.hasProgress = hasProgress
    next = number.map { (ring.place(ofNumber: $0), $0) } ?? (ring.end, newest + 1)
  }

  /// Sends as much output as the peer takes now.
  mutating func write(_ ring: inout EventRing) {
    while !isOver {
      fill(&ring)
      guard !output.isEmpty else {
        if isEnding || (isHalfClosed && pending == 0 && next == nil) { isOver = true }
        return
      }
      guard let count = ControlSocket.send(output[...], to: descriptor) else {
        isOver = true
        return
      }
      guard count > 0 else { return }
      output.removeFirst(count)
    }
  }

  private mutating func fill(_ ring: inout EventRing) {
    guard var (place, number) = next else { return }
    while output.count < Self.mostOutput / 2, let line = ring.take(at: &place, expecting: &number) { output += line }
    next = (place, number)
  }

  /// True if all events so far were handed to the kernel.
  func hasAll(_ ring: EventRing) -> Bool { output.isEmpty && (next.map { $0.place >= ring.end } ?? true) }
}
