// One connection to the control socket: its half lines, what it waits for, and what it has not taken yet. All of that is bounded.
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
  /// Requests that have no answer yet.
  var pending = 0
  /// Whether the connection ends when its output is taken.
  var isEnding = false
  /// Whether the peer sends nothing more; it may still read.
  private var isHalfClosed = false
  /// Whether the connection is over.
  private(set) var isOver = false

  /// Lines so far that were no requests.
  private var faults = 0
  /// Wrong lines after which the connection ends: a person mistypes less often.
  private static let mostFaults = 64

  /// Requests that may wait for an answer; further lines are read when there are fewer.
  private static let mostPending = 16
  /// Bytes of output beyond which nothing more is read from the peer.
  private static let mostOutput = 64 << 10
  /// Bytes that are read at once.
  private static let portion = 16 << 10

  init(_ descriptor: CInt, process: Int) {
    self.descriptor = descriptor
    self.process = process
  }

  var isSubscribed: Bool { next != nil }
  private var takesLines: Bool { !isEnding && pending < Self.mostPending && output.count < Self.mostOutput }
  private var isReading: Bool { takesLines && !isHalfClosed }
  var hasOutput: Bool { !output.isEmpty }

  /// What to wait for.
  var interests: Int16 { (isReading ? Int16(POLLIN) : 0) | (hasOutput ? Int16(POLLOUT) : 0) }

  /// Takes in what the peer sent.
  mutating func read() {
    do {
      guard let bytes = try ControlSocket.receive(from: descriptor, most: Self.portion) else { return }
      if bytes.isEmpty { isHalfClosed = true } else { input.append(bytes) }
    } catch {
      isOver = true
    }
  }

  /// Takes in the rest of what a peer sent that has gone, up to a line's length.
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
    if faults >= Self.mostFaults { refuse("\(faults) lines were no requests: the connection ends") }
  }

  /// Says what is wrong, and hears nothing more.
  mutating func refuse(_ text: String) {
    say(ControlAnswer.error(text))
    isEnding = true
  }

  /// Sends events from a number on; nil is from now on.
  mutating func subscribe(from number: Int?, _ ring: EventRing, newest: Int) {
    next = number.map { (ring.place(ofNumber: $0), $0) } ?? (ring.end, newest + 1)
  }

  /// Sends what the peer takes now.
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

  /// Whether all events that there are were handed to the kernel.
  func hasAll(_ ring: EventRing) -> Bool { output.isEmpty && (next.map { $0.place >= ring.end } ?? true) }
}
