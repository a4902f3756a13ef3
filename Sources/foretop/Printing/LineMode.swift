// A run as lines: for logs, pipes and terminals that cannot show a screen.
import Dashboard
import Foundation
import Run

/// Prints news on standard output: steps at most once a second, all else at once; or every event as JSON.
struct LineMode {
  private let isJSON: Bool
  private var lines = Lines(secondsFromGMT: Clock.secondsFromGMT)
  /// What is not printed yet.
  private var output: [UInt8] = []
  /// Whether the reader is gone: then nothing is printed any more, and the run goes on.
  private var isDeaf = false

  init(isJSON: Bool) { self.isJSON = isJSON }

  mutating func take(_ news: News) {
    guard !isDeaf else { return }
    switch news {
    case .event(let event):
      if isJSON {
        output += (event.json + "\n").utf8
      } else if let line = lines.line(for: event, now: Date().timeIntervalSince1970) {
        // A network may write anything; a terminal must not obey it.
        output += (line.harmless + "\n").utf8
      }
    case .preparing(let text):
      if !isJSON { output += "\(text) …\n".harmless.utf8 }
    case .failed, .stopped, .closed: break
    }
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
  }

  /// Whether something is printed that nobody has taken yet.
  var isBehind: Bool { !output.isEmpty && !isDeaf }

  /// Prints all that is left, to a reader who takes some of it every second.
  mutating func finish() {
    while isBehind, Output.isTaken(by: STDOUT_FILENO, within: 1000) { flush() }
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
