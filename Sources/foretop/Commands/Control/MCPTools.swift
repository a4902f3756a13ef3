// The tools of the Model Context Protocol server. Each is a command of the program, run as a process of its own, so that an agent
// gets the words and the refusals that a person gets.
import Dispatch
import Foundation
import Run
import Session

/// What a client can call.
struct MCPTools {
  let runs: String
  let canSteer: Bool

  /// An argument of a tool.
  private struct Parameter {
    let name: String
    let type: String
    let about: String
    var isRequired = false
    var choices: [String] = []
  }

  /// A tool as a client sees it.
  private struct Tool {
    let name: String
    let about: String
    let parameters: [Parameter]
    var changesRuns = false
  }

  /// The longest time to follow a run or to wait for an answer, in seconds.
  private static let longest = 60
  /// The most bytes of text in a result; of a longer text, the end is returned.
  private static let most = 100_000

  private static let run = Parameter(name: "name", type: "string", about: "The run's name.", isRequired: true)
  private static let parts = InspectPart.allCases.map(\.rawValue)

  private var all: [Tool] {
    let reading = [
      Tool(
        name: "list_runs", about: "Lists the runs: name, state, step, tokens, losses, speed; one JSON object a line.",
        parameters: [
          Parameter(
            name: "filter", type: "string", about: "Words of “foretop runs --filter”, such as state=training or best<4."
          )
        ]),
      Tool(
        name: "inspect_run",
        about: "Shows a part of a run: summary, metrics (some steps and evaluations), diagnostics (what evaluations "
          + "measured beside losses), events, checkpoints or recipe.",
        parameters: [
          Self.run, Parameter(name: "part", type: "string", about: "Without it, the summary.", choices: Self.parts),
        ]),
      Tool(
        name: "watch_run",
        about:
          "Follows a run that trains for some seconds: its events, one JSON object a line, steps at most one a second.",
        parameters: [
          Self.run,
          Parameter(name: "seconds", type: "integer", about: "From 1 to \(Self.longest); without it, 10."),
        ]),
    ]
    let steering = Tool(
      name: "tell_run",
      about: "Sends a command to a live run, and waits for the answer. The commands:\n"
        + HelpTable.text(CommandForm.all.map { ($0.usage, $0.about) }),
      parameters: [
        Self.run, Parameter(name: "command", type: "string", about: "A command, such as rate x0.5.", isRequired: true),
        Parameter(
          name: "yes", type: "boolean",
          about: "True says yes to a change of the rate or of a weight by more than ten times."),
      ], changesRuns: true)
    return reading + (canSteer ? [steering] : [])
  }

  /// The tools as `tools/list` gives them.
  var list: [JSON] {
    all.map { tool in
      let properties = tool.parameters.map { parameter in
        var members = [JSON.Member("type", .text(parameter.type)), JSON.Member("description", .text(parameter.about))]
        if !parameter.choices.isEmpty { members.append(JSON.Member("enum", .array(parameter.choices.map(JSON.text)))) }
        return JSON.Member(parameter.name, .object(members))
      }
      let schema = JSON.object([
        JSON.Member("type", .text("object")), JSON.Member("properties", .object(properties)),
        JSON.Member("required", .array(tool.parameters.filter(\.isRequired).map { .text($0.name) })),
        JSON.Member("additionalProperties", .flag(false)),
      ])
      return .object([
        JSON.Member("name", .text(tool.name)), JSON.Member("description", .text(tool.about)),
        JSON.Member("inputSchema", schema),
        JSON.Member("annotations", .object([JSON.Member("readOnlyHint", .flag(!tool.changesRuns))])),
      ])
    }
  }

  /// Calls a tool.
  /// - Returns: the tool's result, which may be an error of the run.
  /// - Throws: `UserError` for an unknown tool or wrong arguments.
  func call(_ name: String, _ arguments: JSON) throws -> JSON {
    guard let tool = all.first(where: { $0.name == name }) else {
      let hint = name == "tell_run" ? ": this server was started without --steer, and changes nothing" : ""
      throw UserError(.usage, "there is no tool \(name.quotation)\(hint)")
    }
    try check(arguments, for: tool)
    let run = arguments["name"]?.string ?? ""
    switch name {
    case "list_runs":
      return result(of: ["runs", "--json"] + (arguments["filter"]?.string.map { ["--filter=\($0)"] } ?? []))
    case "inspect_run":
      let part = arguments["part"]?.string ?? "summary"
      let isText = ["metrics", "diagnostics"].contains(part)
      return result(of: ["inspect", isText ? nil : "--json", "--", run, part].compactMap { $0 })
    case "watch_run": return watch(run, seconds: arguments["seconds"]?.whole ?? 10)
    default:
      let yes = arguments["yes"] == .flag(true) ? ["--yes"] : []
      return result(of: ["tell", "--json"] + yes + ["--", run, arguments["command"]?.string ?? ""])
    }
  }

  private func check(_ arguments: JSON, for tool: Tool) throws {
    guard let members = arguments.members else { throw UserError(.usage, "the arguments must be an object") }
    for member in members {
      guard let parameter = tool.parameters.first(where: { $0.name == member.key }) else {
        throw UserError(.usage, "\(tool.name) has no argument \(member.key.quotation)")
      }
      let fits =
        switch parameter.type {
        case "integer": member.value.whole.map { (1...Self.longest).contains($0) } ?? false
        case "boolean": if case .flag = member.value { true } else { false }
        default: member.value.string.map { parameter.choices.isEmpty || parameter.choices.contains($0) } ?? false
        }
      guard fits else { throw UserError(.usage, "\(member.key) of \(tool.name) is wrong: \(parameter.about)") }
    }
    for parameter in tool.parameters where parameter.isRequired && arguments[parameter.name] == nil {
      throw UserError(.usage, "\(tool.name) needs the argument \(parameter.name)")
    }
  }

  // MARK: Results

  private static func content(_ text: String, isError: Bool) -> JSON {
    let block = JSON.object([JSON.Member("type", .text("text")), JSON.Member("text", .text(text))])
    return .object([JSON.Member("content", .array([block])), JSON.Member("isError", .flag(isError))])
  }

  /// Runs a command of this program.
  /// - Returns: the command's output, or the reason if the command fails.
  private func result(of arguments: [String]) -> JSON {
    guard let program = BundledFiles.program else {
      return Self.content("the program cannot find itself in /proc", isError: true)
    }
    let process = Process()
    process.executableURL = URL(filePath: program)
    // Before the other arguments: after “--” it would be taken for a name.
    process.arguments = [arguments[0], "--runs", runs] + arguments.dropFirst()
    let (output, errors) = (Pipe(), Pipe())
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    process.standardError = errors
    do {
      try process.run()
    } catch {
      return Self.content("the program cannot be started again: \(error.localizedDescription)", isError: true)
    }
    // The wait for a command is bounded; its request to the run is not withdrawn.
    let limit = DispatchWorkItem { process.terminate() }
    DispatchQueue.global().asyncAfter(deadline: .now() + .seconds(Self.longest), execute: limit)
    let said = Mailbox<[UInt8]>()
    DispatchQueue.global().async {
      said.send(Array(errors.fileHandleForReading.readDataToEndOfFile()))
    }
    let printed = Array(output.fileHandleForReading.readDataToEndOfFile())
    process.waitUntilExit()
    limit.cancel()
    let sentence = String(decoding: said.takeAll(waitingUntil: .distantFuture).joined(), as: UTF8.self).trimmingSpaces
    if process.terminationReason == .uncaughtSignal {
      return Self.content(
        "there is no answer within \(Self.longest) seconds; the run does it when it can", isError: true)
    }
    let text = Self.end(of: String(decoding: printed, as: UTF8.self))
    let isError = process.terminationStatus != 0
    return Self.content(isError && text.isEmpty ? sentence : text, isError: isError)
  }

  /// A text, or its last lines if it is long.
  private static func end(of text: String) -> String {
    guard text.utf8.count > most else { return text }
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false)[...]
    var count = text.utf8.count
    while count > most, lines.count > 1 { count -= lines.removeFirst().utf8.count + 1 }
    return "… what comes before is left out, since it is long\n" + lines.joined(separator: "\n")
  }

  /// Follows a run.
  private func watch(_ run: String, seconds: Int) -> JSON {
    var lines: [String] = []
    var lastStep = -Double.infinity
    do {
      var place = FolderOptions()
      place.runs = runs
      let client = try ControlClient(folder: RunLookup.folder(run, in: place), name: run)
      try client.send(ControlClient.subscription(id: 1, from: nil))
      let end = DispatchTime.now() + .seconds(seconds)
      var isOver = false
      while !isOver, .now() < end {
        let taken = try client.take()
        isOver = taken.isOver
        for message in taken.lines {
          guard let event = message["event"]?.string else { continue }
          let now = Clock.now
          guard event != "step" || now - lastStep >= 1 else { continue }
          if event == "step" { lastStep = now }
          lines.append(message.line)
        }
        if !isOver { usleep(50_000) }
      }
    } catch {
      return Self.content("\(error)", isError: true)
    }
    return Self.content(Self.end(of: lines.joined(separator: "\n")), isError: false)
  }
}
