// The run files, tried: what every test here needs. libhdf5 knows one thread, so that one test runs at a time.
import Foundation
import Run
import RunFile
import RunFileTorture
import Support
import Testing

@Suite(.serialized, .saysSeed) struct RunFileTests {
  /// All steps of the run in a folder.
  static func steps(_ folder: String) throws -> [StepReport] {
    try StoredRun(opening: folder).events().compactMap { if case .stepped(let report) = $0 { report } else { nil } }
  }
}

extension Trait where Self == IssueHandlingTrait {
  /// Every failure says the seed that it came with.
  static var saysSeed: Self {
    .compactMapIssues { issue in
      var issue = issue
      issue.comments.append(Comment(rawValue: Trial.note))
      return issue
    }
  }
}

/// A folder for one test, gone after it.
final class ScratchFolder {
  let path: String

  init() {
    path = (NSTemporaryDirectory() as NSString).appendingPathComponent("foretop-" + UUID().uuidString)
    try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func callAsFunction(_ name: String) -> String { path + "/" + name }

  /// A run of 60 steps whose writer was killed; the path of its folder.
  func killed(_ name: String) throws -> String {
    let recorder = try Recorder(creating: self("live"), beginning: Sample.beginning("live"))
    for step in 1...60 { for event in Sample.events(at: step) { _ = try recorder.record(event) } }
    recorder.flush()
    try FileManager.default.copyItem(atPath: self("live"), toPath: self(name))
    try recorder.close(.stopped)
    try FileManager.default.removeItem(atPath: self("live"))
    return self(name)
  }
}

/// Other programs that the tests start.
enum Program {
  /// The root of the package.
  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path

  /// The program to be killed; it is built beside the tests.
  static func torture() throws -> String {
    let built = Bundle.main.bundlePath
    let places = [built, CommandLine.arguments[0], ProcessInfo.processInfo.arguments[0]].map {
      ($0.parentFolder as NSString).appendingPathComponent("RunFileTorture")
    }
    let beside = [built + "/RunFileTorture"] + places
    return try #require(
      beside.first { FileManager.default.isExecutableFile(atPath: $0) }, "RunFileTorture is not beside \(built)")
  }

  /// Python with h5py.
  static func python() throws -> String {
    let path = ProcessInfo.processInfo.environment["FORETOP_PYTHON"] ?? root + "/.venv/bin/python3"
    return try #require(
      FileManager.default.isExecutableFile(atPath: path) ? path : nil,
      "\(path) is missing: “make test” creates it, with h5py and numpy")
  }

  /// Runs a script of `Readers` and returns what it printed.
  static func script(_ name: String, _ arguments: String...) throws -> String {
    let (status, output, errors) = try run(python(), [root + "/Tests/RunFileTests/Readers/\(name)"] + arguments)
    try #require(status == 0, "\(name) failed: \(errors)")
    return output
  }

  static func run(_ path: String, _ arguments: [String]) throws -> (status: Int32, output: String, errors: String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    let output = Pipe()
    let errors = Pipe()
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    let said = output.fileHandleForReading.readDataToEndOfFile()
    let complained = errors.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (
      process.terminationStatus, String(decoding: said, as: UTF8.self), String(decoding: complained, as: UTF8.self)
    )
  }
}

/// Writes a run up to a step, and closes it.
@discardableResult
func writeRun(_ folder: String, steps: Int, checkpoints: [Int] = [], recipe: Recipe = Sample.recipe) throws -> [Event] {
  let beginning = Sample.beginning((folder as NSString).lastPathComponent, recipe: recipe)
  let recorder = try Recorder(creating: folder, beginning: beginning)
  var events: [Event] = [.began(beginning)]
  for step in 1...steps {
    for event in Sample.events(at: step) {
      events.append(event)
      _ = try recorder.record(event)
    }
    if checkpoints.contains(step) {
      let saved = try recorder.save(Sample.checkpoint(step, recipe: recipe), isBest: false)
      events.append(.occurred(saved))
    }
  }
  let ending = Ending(.stopped, step: steps, time: 1_700_000_000 + Double(steps))
  events.append(.ended(ending))
  _ = try recorder.record(.ended(ending))
  try recorder.close()
  return events
}
