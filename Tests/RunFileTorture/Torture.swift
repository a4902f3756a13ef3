// A process to be killed: it writes a run as fast as it can, or goes on with one, and says on standard output what it was
// told is stored. It is started by the tests, and by `make torture`.
import Foundation
import Run
import RunFile

@main
enum Torture {
  static func main() {
    let arguments = Array(CommandLine.arguments.dropFirst())
    do {
      switch (arguments.first, arguments.count) {
      case ("write", 4...7):
        func number(_ place: Int, or usual: Int) -> Int {
          arguments.count > place ? Int(arguments[place]) ?? usual : usual
        }
        try write(
          arguments[1], steps: number(2, or: 0), pause: UInt32(number(3, or: 0)), flushing: number(4, or: 7),
          saving: number(5, or: 50), rotating: number(6, or: 64 << 20))
      case ("examine", 5):
        let promise = Promise(
          stored: Int(arguments[2]) ?? 0, saved: Int(arguments[3]) ?? 0, noted: Int(arguments[4]) ?? 0)
        let found = Examination(of: arguments[1], promised: promise)
        for problem in found.problems { say(problem) }
      case ("recover", 2): try Recorder.recover(arguments[1])
      case ("kills", 7), ("cuts", 7):
        let states = CrashStates(
          trace: try Trace(arguments[1]), start: arguments[2] == "-" ? nil : arguments[2], scratch: arguments[3],
          name: arguments[4])
        let (count, first) = (Int(arguments[5]) ?? 0, Int(arguments[6]) ?? 0)
        if arguments[0] == "kills" {
          try states.afterKills(count: count, from: first)
        } else {
          try states.afterCuts(count: count, seed: 1, from: first)
        }
      case ("fill", 3): try fill(arguments[1], room: Int(arguments[2]) ?? 0)
      case ("time", 3): try time(arguments[1], steps: Int(arguments[2]) ?? 0)
      case ("long", 3): try long(arguments[1], steps: Int(arguments[2]) ?? 0)
      case ("hold", 2): try hold(arguments[1])
      case ("examine", 1): RunFile.SandboxAnswer.serve { _ in }
      default:
        throw UserError(
          .usage,
          "RunFileTorture write FOLDER STEPS PAUSE | fill FOLDER ROOM | time FOLDER STEPS | long FOLDER STEPS | hold FOLDER | examine"
        )
      }
    } catch let error as UserError {
      FileHandle.standardError.write(Data("\(error.message)\n".utf8))
      exit(error.status.rawValue)
    } catch {
      FileHandle.standardError.write(Data("\(error)\n".utf8))
      exit(1)
    }
  }

  /// One line, handed to the kernel before the call returns.
  static func say(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }

  /// Writes a run, or goes on with it from its newest checkpoint.
  /// - Parameters:
  ///   - pause: microseconds between two steps.
  ///   - every: steps between two flushes; 0 leaves them to the recorder.
  ///   - savedEvery: steps between two checkpoints.
  ///   - least: bytes from which on the journal may begin anew.
  ///   - say: hears what is promised.
  static func write(
    _ folder: String, steps: Int, pause: UInt32, flushing every: Int, saving savedEvery: Int = 50,
    rotating least: Int = 64 << 20, say: (String) -> Void = Torture.say
  ) throws {
    say("begun 0")
    let name = (folder as NSString).lastPathComponent
    let recorder: Recorder
    var step = 0
    if StoredRun.isThere(folder) {
      let archive = try StoredRun(opening: folder)
      step = try archive.checkpoints().isEmpty ? 0 : archive.checkpoint().checkpoint.state.step
      recorder = try Recorder(resuming: folder, from: step, beginning: Sample.beginning(name, step: step))
    } else {
      recorder = try Recorder(creating: folder, beginning: Sample.beginning(name))
    }
    recorder.leastRotation = least
    /// The disk may refuse, and take what it refused later; nothing else may be said.
    func hear(_ notice: Occurrence) throws {
      switch notice.kind {
      case .warning where notice.text.contains("kept in memory"): say("refused \(step)")
      case .notice where notice.text.contains("the disk can be written again"): say("taken \(step)")
      default: throw UserError(.data, "unexpected: \(notice.text)")
      }
    }
    say("open \(step)")
    while step < steps {
      step += 1
      for event in Sample.events(at: step) {
        let notices = try recorder.record(event)
        for notice in notices { try hear(notice) }
        if case .occurred = event, notices.isEmpty { say("noted \(step)") }
      }
      if step % savedEvery == 0 {
        do {
          _ = try recorder.save(Sample.checkpoint(step), isBest: Sample.evaluation(step).isBest)
          say("saved \(step)")
        } catch { say("unsaved \(step)") }
      }
      for notice in every > 0 && step % every == 0 ? recorder.flush() : recorder.flushIfDue() { try hear(notice) }
      // What was recorded is in the journal, and no signal takes it from there.
      say("stored \(step)")
      if pause > 0 { usleep(pause) }
    }
    _ = try recorder.record(.ended(Ending(.finished, step: step, time: 1_700_000_000)))
    try recorder.close()
    say("closed \(step)")
  }

  /// Writes a run whose files may not grow past `room` bytes until the run is half done, and then may. With a `room` of 0
  /// the disk itself is filled meanwhile: for a small one.
  static func fill(_ folder: String, room: Int) throws {
    signal(SIGXFSZ, SIG_IGN)
    let recorder = try Recorder(
      creating: folder, beginning: Sample.beginning((folder as NSString).lastPathComponent))
    let steps = room == 0 ? 120_000 : 6000
    let ballast = folder + ".ballast"
    var limit = rlimit(rlim_cur: rlim_t(room), rlim_max: rlim_t.max)
    if room == 0 {
      let file = open(ballast, O_WRONLY | O_CREAT, 0o600)
      let piece = [UInt8](repeating: 1, count: 4096)
      while Foundation.write(file, piece, piece.count) == piece.count {}
      Foundation.close(file)
    } else {
      setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
    }
    for step in 1...steps {
      if step == steps / 4 || step == steps * 3 / 4 {
        do {
          _ = try recorder.save(Sample.checkpoint(step), isBest: false)
          say("saved \(step)")
        } catch { say("not saved \(step): \(error)") }
      }
      if step == steps / 2 {
        limit.rlim_cur = rlim_t.max
        setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
        unlink(ballast)
        // The disk is tried again once a second.
        var notices: [Occurrence] = []
        while recorder.isStalled && notices.isEmpty {
          usleep(10_000)
          notices = recorder.flush()
        }
        for notice in notices { say("\(notice.kind.rawValue) \(step): \(notice.text)") }
      }
      for event in Sample.events(at: step) {
        for notice in try recorder.record(event) { say("\(notice.kind.rawValue) \(step): \(notice.text)") }
      }
      if step % 100 == 0 { for notice in recorder.flush() { say("\(notice.kind.rawValue) \(step): \(notice.text)") } }
    }
    _ = try recorder.record(.ended(Ending(.finished, step: steps, time: 1_700_000_000)))
    try recorder.close()
    say("closed \(steps)")
  }

  /// Says what recording costs: a step, a flush of what came in between, and opening what was written.
  static func time(_ folder: String, steps: Int) throws {
    let clock = ContinuousClock()
    let reports = (1...steps).map(Sample.report)
    let recorder = try Recorder(
      creating: folder, beginning: Sample.beginning((folder as NSString).lastPathComponent))
    var recording = Duration.zero
    var flushing: [Duration] = []
    for report in reports {
      recording += try clock.measure { _ = try recorder.record(.stepped(report)) }
      if report.step % 20 == 0 { flushing.append(clock.measure { recorder.flush() }) }
    }
    try recorder.close(.finished)
    let opening = try clock.measure { _ = try StoredRun(opening: folder).history() }
    let resuming = try clock.measure {
      _ = try Recorder(resuming: folder, from: 0, beginning: Sample.beginning("time"))
    }
    say(
      "a step \(recording / steps), a flush \(flushing.sorted()[flushing.count / 2]), worst \(flushing.max() ?? .zero)")
    say("reading \(steps) steps \(opening), resuming \(resuming)")
  }

  /// Writes a run of very many steps, with everything else at every thousandth.
  static func long(_ folder: String, steps: Int) throws {
    let recorder = try Recorder(
      creating: folder, beginning: Sample.beginning((folder as NSString).lastPathComponent))
    for step in 1...steps {
      let events = step % 1000 == 0 ? Sample.events(at: step) : [.stepped(Sample.report(step))]
      for event in events { _ = try recorder.record(event) }
      if step % 8192 == 0 { recorder.flush() }
    }
    _ = try recorder.record(.ended(Ending(.finished, step: steps, time: 1_700_000_000)))
    try recorder.close()
    say("closed \(steps)")
  }

  /// Holds a new run open until standard input ends.
  static func hold(_ folder: String) throws {
    let recorder = try Recorder(
      creating: folder, beginning: Sample.beginning((folder as NSString).lastPathComponent))
    for step in 1...100 { for event in Sample.events(at: step) { _ = try recorder.record(event) } }
    recorder.flush()
    say("open 100")
    _ = FileHandle.standardInput.readDataToEndOfFile()
    try recorder.close(.stopped)
  }
}
