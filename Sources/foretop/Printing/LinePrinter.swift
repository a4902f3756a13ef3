// A run as lines: for logs, pipes and terminals that cannot show a screen.
import Dashboard
import Foundation
import Run
import Session

/// Prints messages on standard output: steps at most once a second, all else at once; or every event as JSON. It never waits
/// for the reader: what is not taken stays with the session's hub, which leaves steps out and says so in a gap.
struct LinePrinter {
  private let isJSON: Bool
  private var lines = Lines(secondsFromGMT: Clock.secondsFromGMT)
  /// What is not printed yet.
  private var output: [UInt8] = []
  /// Whether the reader is gone: then nothing is printed any more, and the run goes on.
  private var isDeaf = false
  /// Lines that wait until they are on the disk, by the number of their event. JSON says so instead.
  private var unconfirmed: [Int: Event] = [:]
  /// When a reader that takes nothing is given up, after the end of the run: after so long without taking any, and after so
  /// long in all.
  private var quietEnd: ContinuousClock.Instant?
  private var lastEnd: ContinuousClock.Instant?

  private static let quiet = Duration.seconds(5)
  private static let most = Duration.seconds(60)
  /// Bytes that wait at most before no more messages are taken in.
  private static let room = 1 << 16

  /// How the setting-up gets on.
  private var setup = WorkProgress(of: .bytes)
  private var evaluation = WorkProgress(of: .windows)

  init(isJSON: Bool) { self.isJSON = isJSON }

  mutating func take(_ message: SessionMessage) {
    guard !isDeaf else { return }
    switch message {
    case .event(let event) where isJSON: output += (event.json + "\n").utf8
    case .event(let event):
      switch event.event {
      case .occurred(let occurrence) where occurrence.needsConfirmation: unconfirmed[event.number] = event.event
      case .confirmed(let number): if let event = unconfirmed.removeValue(forKey: number) { put(event) }
      default: put(event.event)
      }
    case .preparing(let text): if !isJSON { output += "\(text) …\n".harmless.utf8 }
    case .progress(let done, let total):
      let line = setup.line(done: done, total: total, now: Date().timeIntervalSince1970)
      if !isJSON, let line { output += (line + "\n").utf8 }
    case .evaluating(let done, let total):
      let line = evaluation.line(done: done, total: total, now: Date().timeIntervalSince1970)
      if !isJSON, let line { output += (line + "\n").utf8 }
    case .failed, .stopped, .closed: break
    }
  }

  private mutating func put(_ event: Event) {
    guard let line = lines.line(for: event, now: Date().timeIntervalSince1970) else { return }
    // A network may write anything; a terminal must not obey it.
    output += (line.harmless + "\n").utf8
  }

  /// Prints what has come, as far as it is taken without waiting. Call it a few times a second.
  mutating func flush() {
    var sent = 0
    while sent < output.count, !isDeaf, Output.isTaken(by: STDOUT_FILENO, within: 0) {
      let portion = output[sent...].prefix(Output.portion)
      let count = portion.withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
      // Somebody may have made the descriptor one that does not wait.
      if count < 0 && (errno == EINTR || errno == EAGAIN) { continue }
      if count <= 0 { isDeaf = true } else { sent += count }
    }
    output.removeFirst(sent)
    if isDeaf { output = [] }
    if sent > 0, quietEnd != nil { quietEnd = ContinuousClock.now + Self.quiet }
  }

  /// Whether something is printed that nobody has taken yet.
  var isBehind: Bool { !output.isEmpty }

  /// Whether no more should come until the reader has taken some.
  var isFull: Bool { output.count >= Self.room }

  /// The run is over: from now on the reader has a minute, and may not take nothing for five seconds.
  mutating func startGivingUp() {
    guard lastEnd == nil else { return }
    quietEnd = ContinuousClock.now + Self.quiet
    lastEnd = ContinuousClock.now + Self.most
  }

  /// Whether the reader's time is over.
  var isGivenUp: Bool {
    guard let quietEnd, let lastEnd else { return false }
    return ContinuousClock.now >= min(quietEnd, lastEnd)
  }

  /// Prints the little that is left where the run was told to end, to the end of its last line, for a reader who keeps taking
  /// some within a second; five seconds at most.
  mutating func finish() {
    let end = ContinuousClock.now + Self.quiet
    while isBehind, !isGivenUp, ContinuousClock.now < end, Output.isTaken(by: STDOUT_FILENO, within: 1000) { flush() }
  }
}

/// The time of day where the user is.
enum Clock {
  static var secondsFromGMT: Int {
    var now = time(nil)
    var parts = tm()
    return localtime_r(&now, &parts) == nil ? 0 : parts.tm_gmtoff
  }

  /// `2026-11-21 13:05`, where the user is.
  static func date(_ time: Double) -> String {
    var seconds = time_t(time)
    var parts = tm()
    guard localtime_r(&seconds, &parts) != nil else { return "" }
    var text = [CChar](repeating: 0, count: 32)
    let count = strftime(&text, text.count, "%Y-%m-%d %H:%M", &parts)
    return String(decoding: text.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
