// A process that writes a run, to be killed: it says on a pipe how far it is, and ends at a point of its progress, never after
// a time.
import Foundation
import RunFileTorture
import Testing

final class Writer {
  private let process = Process()
  private let output = Pipe()
  private let errors = Pipe()
  private var unfinished: [UInt8] = []
  private var isUnheard = false
  /// How many lines it has said: the first as soon as it runs, the second when it has the run open, then one or two a step.
  private(set) var lines = 0
  /// What those lines promise.
  private(set) var promise = Promise()

  /// Begins a run in a folder or goes on with it, for very many steps.
  /// - Parameter pause: microseconds between two steps.
  init(_ folder: String, pause: Int = 0) throws {
    process.executableURL = URL(fileURLWithPath: try Program.torture())
    process.arguments = ["write", folder, "100000000", "\(pause)"]
    process.standardOutput = output
    process.standardError = errors
    // So that it gets no more than some hundred lines ahead of who hears them.
    _ = fcntl(output.fileHandleForReading.fileDescriptor, setPipeSize, 4096)
    try process.run()
  }

  deinit { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }

  /// Hears what it says until that is enough.
  func hear(until isEnough: (Writer) -> Bool) throws {
    while !isEnough(self) {
      try #require(try hearMore(), "the writer ended after \(lines) lines: \(complaint)")
    }
  }

  /// Lets it write from now on without being heard.
  func goOnUnheard() {
    isUnheard = true
    let output = output
    Thread.detachNewThread { while !output.fileHandleForReading.availableData.isEmpty {} }
  }

  /// Kills it, and returns all that it had promised by then, had it been heard.
  @discardableResult func end() throws -> Promise {
    kill(process.processIdentifier, SIGKILL)
    while try !isUnheard && hearMore() {}
    process.waitUntilExit()
    try #require(process.terminationReason == .uncaughtSignal, "the writer ended by itself: \(complaint)")
    return promise
  }

  /// Waits for some lines; false when there are no more.
  private func hearMore() throws -> Bool {
    var question = pollfd(fd: output.fileHandleForReading.fileDescriptor, events: Int16(POLLIN), revents: 0)
    var answers: Int32
    repeat { answers = poll(&question, 1, Int32(Limit.seconds) * 1000) } while answers < 0 && errno == EINTR
    try #require(answers == 1, "the writer says nothing after \(lines) lines")
    let data = output.fileHandleForReading.availableData
    unfinished += data
    while let end = unfinished.firstIndex(of: UInt8(ascii: "\n")) {
      promise.hear(String(decoding: unfinished[..<end], as: UTF8.self))
      unfinished.removeFirst(end + 1)
      lines += 1
    }
    return !data.isEmpty
  }

  private var complaint: String {
    String(decoding: errors.fileHandleForReading.availableData, as: UTF8.self)
  }
}

/// Linux's F_SETPIPE_SZ.
private let setPipeSize: Int32 = 1031

/// How long a test waits for something to become true: so long that only what hangs comes to the end of it.
struct Limit {
  static let seconds = 600
  private let end = ContinuousClock.now + .seconds(seconds)

  /// - Throws: when the time is over.
  func check(_ what: String) throws { try #require(ContinuousClock.now < end, "waited in vain until \(what)") }
}
