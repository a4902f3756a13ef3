// A run as lines: for logs, pipes and terminals that cannot show a screen.
import Dashboard
import Foundation
import Run
import Session

/// Prints messages on standard output: steps at most once a second and all others at once, or every event as JSON. The printer
/// never waits for its reader: messages that the reader does not take stay with the session's hub, which leaves steps out and
/// reports them as a gap.
struct LinePrinter {
  private let isJSON: Bool
  private var lines = Lines(secondsFromGMT: Clock.secondsFromGMT)
  /// Output that is not written yet.
  private var output: [UInt8] = []
  /// True if the reader has gone: nothing is printed any more, and the run goes on.
  private var isDeaf = false
  /// Changes that are printed when they are confirmed, by the number of their event. JSON prints them at once, as unconfirmed.
  private var unconfirmed: [Int: Event] = [:]
  /// When the printer gives up a slow reader after the end of the run: `quietEnd` unless the reader takes something, `lastEnd`
  /// in any case.
  private var quietEnd: ContinuousClock.Instant?
  private var lastEnd: ContinuousClock.Instant?

  private static let quiet = Duration.seconds(5)
  private static let most = Duration.seconds(60)
  /// Bytes of unwritten output at which no more messages are taken.
  private static let room = 1 << 16

  /// The progress while the run is being set up.
  private var setup = WorkProgress(of: .setup(.tokens))
  private var evaluation = WorkProgress(of: .windows)
  private var silence: Silence?

  init(isJSON: Bool) { self.isJSON = isJSON }

  mutating func take(_ message: SessionMessage) {
    guard !isDeaf else { return }
    switch message {
    case .event where silence != nil:
      silence = nil
      take(message)
    case .event(let event) where isJSON: output += (event.json + "\n").utf8
    case .event(let event):
      switch event.event {
      case .occurred(let occurrence) where occurrence.needsConfirmation: unconfirmed[event.number] = event.event
      case .confirmed(let number): if let event = unconfirmed.removeValue(forKey: number) { put(event) }
      default: put(event.event)
      }
    case .preparing(let text):
      if !isJSON { output += "\(text) …\n".harmless.utf8 }
      silence = Silence(since: Clock.now)
    case .progress(let work, let done, let total):
      silence = nil
      let line = setup.line(work, done: done, total: total, now: Date().timeIntervalSince1970)
      if !isJSON, let line { output += (line + "\n").utf8 }
    case .evaluating(let done, let total):
      let line = evaluation.line(done: done, total: total, now: Date().timeIntervalSince1970)
      if !isJSON, let line { output += (line + "\n").utf8 }
    case .failed, .stopped, .closed, .cancelled: break
    }
  }

  /// Says now and then how long a part of setting up takes that does not say how far it is.
  mutating func passTime() {
    guard !isJSON, !isDeaf, silence?.isDue(at: Clock.now) == true else { return }
    output += "          \(Figure.duration(silence!.seconds)) so far; how far this is cannot be told yet\n".utf8
  }

  /// A part of setting up that has not said yet how far it is.
  private struct Silence {
    let since: Double
    private(set) var seconds = 0.0

    init(since: Double) { self.since = since }

    /// True every five seconds.
    mutating func isDue(at now: Double) -> Bool {
      guard now - since >= seconds + 5 else { return false }
      seconds = now - since
      return true
    }
  }

  private mutating func put(_ event: Event) {
    guard let line = lines.line(for: event, now: Date().timeIntervalSince1970) else { return }
    // A network may write anything; a terminal must not obey it.
    output += (line.harmless + "\n").utf8
  }

  /// Writes as much output as the reader takes without a wait. Call this a few times a second.
  mutating func flush() {
    var sent = 0
    while sent < output.count, !isDeaf, Output.isTaken(by: STDOUT_FILENO, within: 0) {
      let portion = output[sent...].prefix(Output.portion)
      let count = portion.withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
      // Another process may have made the descriptor non-blocking.
      if count < 0 && (errno == EINTR || errno == EAGAIN) { continue }
      if count <= 0 { isDeaf = true } else { sent += count }
    }
    output.removeFirst(sent)
    if isDeaf { output = [] }
    if sent > 0, quietEnd != nil { quietEnd = ContinuousClock.now + Self.quiet }
  }

  /// True if the reader has not taken all output.
  var isBehind: Bool { !output.isEmpty }

  /// True if no more messages should be taken until the reader has taken some output.
  var isFull: Bool { output.count >= Self.room }

  /// The run is over: the reader has a minute for the rest, and must take something every five seconds.
  mutating func startGivingUp() {
    guard lastEnd == nil else { return }
    quietEnd = ContinuousClock.now + Self.quiet
    lastEnd = ContinuousClock.now + Self.most
  }

  /// True if the reader's time is over.
  var isGivenUp: Bool {
    guard let quietEnd, let lastEnd else { return false }
    return ContinuousClock.now >= min(quietEnd, lastEnd)
  }

  /// Writes the rest up to the end of its last line when the run was told to end: for at most five seconds, and as long as the
  /// reader takes something every second.
  mutating func finish() {
    let end = ContinuousClock.now + Self.quiet
    while isBehind, !isGivenUp, ContinuousClock.now < end, Output.isTaken(by: STDOUT_FILENO, within: 1000) { flush() }
  }
}

/// The time of day in the user's time zone.
enum Clock {
  /// Seconds of a clock that never jumps.
  static var now: Double { Double(DispatchTime.now().uptimeNanoseconds) / 1e9 }

  static var secondsFromGMT: Int {
    var now = time(nil)
    var parts = tm()
    return localtime_r(&now, &parts) == nil ? 0 : parts.tm_gmtoff
  }

  /// `2026-11-21 13:05`, in the user's time zone.
  static func date(_ time: Double) -> String {
    var seconds = time_t(time)
    var parts = tm()
    guard localtime_r(&seconds, &parts) != nil else { return "" }
    var text = [CChar](repeating: 0, count: 32)
    let count = strftime(&text, text.count, "%Y-%m-%d %H:%M", &parts)
    return String(decoding: text.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
