// What the screen costs and how soon it answers, measured on this program with a pseudo-terminal: for “foretop bench”.
import Benchmark
import Foundation
import Glibc
import Run
import RunFile

/// Trains with and without a screen, and presses keys.
struct ScreenTrial {
  /// Where the runs are; they go when the trial ends.
  private let folder: String
  private let threads: Int
  private let isThorough: Bool

  /// Measures in a folder of its own within `runs`.
  static func measure(in runs: String, threads: Int, isThorough: Bool) throws -> ScreenFigures {
    try BenchFolder.with(".bench-screen", in: runs) { folder in
      let trial = ScreenTrial(folder: folder, threads: threads, isThorough: isThorough)
      try BenchFolder.writeText(words: 60_000, modulus: 997, to: trial.text)
      var figures = ScreenFigures()
      try trial.measureAnswers(&figures)
      try trial.measureFirstFrames(&figures)
      try trial.measureCost(&figures)
      figures.memory = ScreenMemory.measure(steps: isThorough ? 10_000_000 : 1_000_000)
      return figures
    }
  }

  private var text: String { "\(folder)/text.txt" }

  private static let program = BundledFiles.program ?? "/proc/self/exe"

  /// The command that trains a network whose step takes some tens of milliseconds on all threads.
  private func training(_ name: String, steps: Int) -> [String] {
    let settings = [
      "model.width=256", "model.blocks=4", "model.heads=4", "model.keyValueHeads=4", "model.inner=512",
      "model.context=128", "objective.top=1", "evaluate.every=0", "save.every=0", "sample.every=50",
    ]
    return [
      Self.program, "train", "tiny", "--name", name, "--runs", folder, "--data", text, "--steps", "\(steps)",
      "--threads",
      "\(threads)",
    ] + settings.flatMap { ["--set", $0] }
  }

  private func terminal(_ arguments: [String]) throws -> PseudoTerminal {
    try PseudoTerminal(
      arguments, columns: 80, rows: 24,
      environment: ["TERM": "xterm-256color", "LANG": "C.UTF-8", "XDG_CONFIG_HOME": "\(folder)/config"],
      without: ["LC_ALL", "LC_CTYPE", "NO_COLOR", "COLORTERM"])
  }

  // MARK: Keys

  /// Letters that no text of the screen has: whatever shows one is the answer to it.
  private static let letters = (0x0430...0x044F).compactMap { Unicode.Scalar($0).map(String.init) }

  private func measureAnswers(_ figures: inout ScreenFigures) throws {
    let terminal = try terminal(training("keys", steps: 1_000_000))
    try terminal.wait(for: "losses")
    try terminal.read(throughout: 4)
    let before = (bytes: terminal.bytes, time: Clock.now, use: Self.processorTime(of: terminal.trainer))
    try terminal.read(throughout: isThorough ? 30 : 10)
    let time = Clock.now - before.time
    figures.bytesPerSecond = Double(terminal.bytes - before.bytes) / time
    figures.screenShare = (Self.processorTime(of: terminal.trainer) - before.use) / time
    figures.keysTraining = try pressLetters(on: terminal)
    figures.answersTraining = try writeNotes(on: terminal)
    terminal.send(" ")
    try terminal.read(throughout: 1)
    figures.keysPaused = try pressLetters(on: terminal)
    figures.answersPaused = try writeNotes(on: terminal)
    terminal.end(by: SIGTERM)
    figures.step = try speed(of: "keys").step
  }

  /// From a key to its letter on the screen, in the command line.
  private func pressLetters(on terminal: PseudoTerminal) throws -> [Double] {
    var times: [Double] = []
    terminal.send(":")
    for index in 0..<(isThorough ? 500 : 120) {
      // Not in step with the frames: pauses spread evenly from 30 to 150 ms.
      try terminal.read(throughout: 0.03 + 0.12 * (Double(index) * 0.618_034).truncatingRemainder(dividingBy: 1))
      if index % 16 == 0 {
        // An empty line again.
        terminal.send("\u{15}")
        try terminal.read(throughout: 0.1)
      }
      let letter = Self.letters[index % Self.letters.count]
      terminal.send(letter)
      times.append(try terminal.wait(for: letter))
    }
    terminal.send("\u{1B}")
    try terminal.read(throughout: 0.3)
    return times
  }

  /// From enter to the answer of the trainer in the events: notes, which change nothing.
  private func writeNotes(on terminal: PseudoTerminal) throws -> [Double] {
    var times: [Double] = []
    for index in 0..<(isThorough ? 60 : 15) {
      let letter = Self.letters[index % Self.letters.count]
      terminal.send(":note \(letter)")
      try terminal.wait(for: letter)
      try terminal.read(throughout: 0.2)
      terminal.send("\r")
      times.append(try terminal.wait(for: letter))
    }
    return times
  }

  /// Seconds of CPU of the threads that show the screen: the main thread, and the one that writes to the terminal.
  /// - Parameter isWhole: counts all threads.
  private static func processorTime(of process: pid_t, isWhole: Bool = false) -> Double {
    let folder = "/proc/\(process)/task"
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return names.reduce(0) { sum, thread in
      let isScreen = thread == "\(process)" || SystemFile.text("\(folder)/\(thread)/comm") == "terminal\n"
      guard isScreen || isWhole,
        let spent = SystemFile.text("\(folder)/\(thread)/schedstat")?.split(separator: " ").first,
        let nanoseconds = Double(spent)
      else { return sum }
      return sum + nanoseconds / 1e9
    }
  }

  // MARK: First frames

  /// Each screen, with words that it shows only with what it has read.
  private func measureFirstFrames(_ figures: inout ScreenFigures) throws {
    let place = ["--runs", folder]
    try trainWithoutScreen("other", steps: 60)
    try Data(
      "recipe: tiny\nset: {steps: 1000000, save.every: 0, evaluate.every: 0}\nsettings: {plain: {}}\nseeds: 2\n".utf8
    ).write(to: URL(filePath: "\(folder)/trial.yaml"))
    let many = try manyRuns()
    for (what, arguments, words, goal) in [
      ("runs", ["browse"] + place, "keys", 100.0),
      ("runs, 10 000 of them", ["browse", "--runs", many], "run-1000", 300),
      ("inspect", ["inspect", "keys"] + place, "stopped", 100),
      ("compare", ["compare", "keys", "other"] + place, "difference", 100),
      ("tensors", ["tensors", "keys"] + place, "q_proj", 100),
      ("data", ["data", "tiny", "--data", text] + place, "targets of", 100),
      ("experiment", ["experiment", "run", "\(folder)/trial.yaml", "--data", text] + place, "cells", 100),
    ] {
      let frames = try (0..<5).map { _ in try firstFrame([Self.program] + arguments, words) }
      figures.firstFrames.append((what, frames.map(\.time), goal))
      figures.firstFrameUse.append((what, frames.map(\.use)))
    }
    let frames = try (0..<5).map { try firstFrame(training("first-\($0)", steps: 1_000_000), "losses") }
    figures.firstFrames.append(("train", frames.map(\.time), 100))
    // Its training goes on beside it, on all cores.
    let live = try terminal(training("live", steps: 1_000_000))
    try live.wait(for: "losses")
    try live.read(throughout: 1)
    let attached = try (0..<5).map { _ in try firstFrame([Self.program, "attach", "live"] + place, "losses") }
    figures.firstFrames.append(("attach, beside the training", attached.map(\.time), 100))
    live.end(by: SIGTERM)
  }

  /// A folder with 10 000 runs, all with the metrics of one.
  private func manyRuns() throws -> String {
    let many = "\(folder)/many"
    for number in 0..<10_000 {
      let run = "\(many)/run-\(number)"
      try FileManager.default.createDirectory(atPath: run, withIntermediateDirectories: true)
      try FileManager.default.linkItem(atPath: RunFolder("\(folder)/other").file, toPath: RunFolder(run).file)
    }
    return many
  }

  /// Seconds until some words are shown, and of the processor until then.
  private func firstFrame(_ arguments: [String], _ words: String) throws -> (time: Double, use: Double) {
    let start = Clock.now
    let terminal = try terminal(arguments)
    try terminal.wait(for: words)
    defer { terminal.end(by: SIGTERM) }
    return (Clock.now - start, Self.processorTime(of: terminal.process, isWhole: true))
  }

  // MARK: Cost

  /// Trains the same steps with and without a screen, in turns; which comes first changes from pair to pair.
  private func measureCost(_ figures: inout ScreenFigures) throws {
    let steps = max(Int((isThorough ? 10 : 4) / max(figures.step, 1e-4)), 20)
    for pair in 0..<(isThorough ? 20 : 6) {
      var speeds = [Bool: Double]()
      for hasScreen in pair % 2 == 0 ? [true, false] : [false, true] {
        let name = "cost-\(pair)-\(hasScreen)"
        // A screen stays when the run has finished: it is ended when the last step is stored.
        if hasScreen {
          let terminal = try terminal(training(name, steps: steps))
          try terminal.wait(for: "finished")
          terminal.end(by: SIGTERM)
        } else {
          try trainWithoutScreen(name, steps: steps)
        }
        speeds[hasScreen] = try speed(of: name).tokensPerSecond
        try? FileManager.default.removeItem(atPath: "\(folder)/\(name)")
      }
      figures.costs.append(1 - speeds[true]! / speeds[false]!)
    }
  }

  private func trainWithoutScreen(_ name: String, steps: Int) throws {
    let process = Process()
    let arguments = training(name, steps: steps)
    process.executableURL = URL(filePath: arguments[0])
    process.arguments = Array(arguments.dropFirst()) + ["--headless"]
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw UserError(.unavailable, "the training of \(name) ended with status \(process.terminationStatus)")
    }
  }

  /// The speed of a stored run without its first fifth, by the clock.
  private func speed(of name: String) throws -> (tokensPerSecond: Double, step: Double) {
    let reports = try StoredRun(opening: "\(folder)/\(name)").events().compactMap { event -> StepReport? in
      if case .stepped(let report) = event { report } else { nil }
    }
    guard let last = reports.last, reports.count >= 10 else {
      throw UserError(.unavailable, "the run \(name) has \(reports.count) steps, too few to measure")
    }
    let first = reports[reports.count / 5]
    let seconds = last.time - first.time
    guard seconds > 0 else { throw UserError(.unavailable, "the clock stood still while \(name) was measured") }
    return (Double(last.tokens - first.tokens) / seconds, seconds / Double(last.step - first.step))
  }
}
