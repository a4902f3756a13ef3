// Generated texts on standard output as they come: the first unfinished one token by token, those after it when it is over.
import Foundation
import Run
import Training

struct TextPage {
  enum Form {
    /// One text, after its prompt.
    case plain
    /// Each text below a line with its number.
    case numbered
    /// An object a text, when all are complete.
    case json
  }

  private struct OneText {
    var watcher: StopWatcher
    /// What can be shown, and how much of it was.
    var bytes: [UInt8] = []
    var shown = 0
    var tokens = 0
    var isOver = false
  }

  private let prompt: [UInt8]
  private let form: Form
  private var texts: [OneText]
  /// The one that is printed now.
  private var current = 0
  private var stream = HarmlessStream()

  private static let isTerminal = isatty(STDOUT_FILENO) == 1

  init(prompt: [UInt8], texts: Int, stops: [[UInt8]], form: Form) {
    self.prompt = prompt
    self.form = form
    self.texts = Array(repeating: OneText(watcher: StopWatcher(stops)), count: texts)
  }

  /// Tokens of all texts so far.
  var tokens: Int { texts.reduce(0) { $0 + $1.tokens } }

  func hasStopped(_ text: Int) -> Bool { texts[text].watcher.hasStopped }

  /// Prints the first prompt.
  mutating func begin() throws { try beginText() }

  /// Takes the bytes of a text's next token.
  mutating func put(_ bytes: [UInt8], of text: Int) throws {
    texts[text].tokens += 1
    texts[text].bytes += texts[text].watcher.take(bytes)
    if texts[text].watcher.hasStopped { texts[text].isOver = true }
    try show()
  }

  /// Prints what is left of all texts.
  mutating func end(isInterrupted: Bool) throws {
    for text in texts.indices {
      if !texts[text].isOver { texts[text].bytes += texts[text].watcher.finish() }
      texts[text].isOver = true
    }
    if form == .json {
      for (number, text) in texts.enumerated() {
        let end = text.watcher.hasStopped ? "stop" : isInterrupted ? "interrupted" : "tokens"
        let object = JSON.object([
          JSON.Member("number", .integer(number + 1)), JSON.Member("prompt", .text(Self.text(prompt))),
          JSON.Member("text", .text(Self.text(text.bytes))), JSON.Member("tokens", .integer(text.tokens)),
          JSON.Member("end", .text(end)),
        ])
        try Output.put(Array((object.line + "\n").utf8))
      }
      return
    }
    try show()
  }

  private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

  private mutating func beginText() throws {
    guard form != .json else { return }
    if form == .numbered {
      try Output.put(Array("\(current == 0 ? "" : "\n")[\(current + 1) of \(texts.count)]\n".utf8))
    }
    try print(prompt)
  }

  /// What can be shown and was not, text by text.
  private mutating func show() throws {
    guard form != .json else { return }
    while current < texts.count {
      let new = texts[current].bytes[texts[current].shown...]
      if !new.isEmpty { try print(Array(new)) }
      texts[current].shown = texts[current].bytes.count
      guard texts[current].isOver else { return }
      try Output.put(Array((stream.finish() + "\n").utf8))
      current += 1
      if current < texts.count { try beginText() }
    }
  }

  /// Bytes as they are for a pipe or a file. A terminal gets characters, when all bytes of one have come, and none that it
  /// would obey.
  private mutating func print(_ bytes: [UInt8]) throws {
    try Output.put(Self.isTerminal ? Array(stream.take(bytes).utf8) : bytes)
  }
}
