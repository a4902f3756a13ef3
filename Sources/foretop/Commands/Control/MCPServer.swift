// foretop mcp: the commands of this program as tools of a Model Context Protocol server: JSON-RPC 2.0, a message a line, on standard
// input and output.
import ArgumentParser
import Foundation
import Run

struct MCPCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mcp", abstract: "Serves runs to an agent, as tools of the Model Context Protocol.",
    discussion: """
      Messages of JSON-RPC 2.0 come on standard input and answers go to standard output, one a line, until the input ends. \
      The tools list runs, show a run, follow a run for some seconds, and with --steer also send it commands; without \
      --steer nothing can be changed. A client starts the server itself: its configuration has “foretop” as the command \
      and “mcp”, “--runs”, “/path/of/runs” as the arguments.
      """)

  @Flag(help: "Lets the client send commands to runs, as “foretop tell” does.")
  var steer = false

  @OptionGroup var place: FolderOptions

  func run() throws {
    // The server ends when its client goes away.
    signal(SIGPIPE, SIG_IGN)
    let tools = MCPTools(runs: place.runs, canSteer: steer)
    var input = MCPInput()
    while let line = try input.next() {
      guard !line.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) else { continue }
      guard let answer = MCPMessage.answer(to: line, with: tools) else { continue }
      try Output.put(Array((answer.line + "\n").utf8))
    }
  }
}

/// Lines of standard input, of bounded length.
private struct MCPInput {
  private var bytes: [UInt8] = []
  /// The bytes of an incomplete line.
  private var searched = 0
  /// The most bytes of a line.
  private static let most = 1 << 20

  /// - Returns: the next line without its end; nil at the end of the input.
  mutating func next() throws -> [UInt8]? {
    while true {
      if let end = bytes[searched...].firstIndex(of: UInt8(ascii: "\n")) {
        defer {
          bytes.removeFirst(end + 1)
          searched = 0
        }
        return Array(bytes[..<end])
      }
      searched = bytes.count
      guard bytes.count <= Self.most else {
        throw UserError(
          .data, "a line of the input has more than \(Self.most) bytes: no message of a client is as long")
      }
      var portion = [UInt8](repeating: 0, count: 1 << 16)
      let count = read(STDIN_FILENO, &portion, portion.count)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return bytes.isEmpty ? nil : takeRest() }
      bytes += portion[..<count]
    }
  }

  private mutating func takeRest() -> [UInt8] {
    defer { (bytes, searched) = ([], 0) }
    return bytes
  }
}

/// JSON-RPC: reads a request and makes the answer.
enum MCPMessage {
  /// Error codes of JSON-RPC.
  enum ErrorCode: Int { case parse = -32700, request = -32600, method = -32601, parameters = -32602 }

  /// The protocol versions of this server, newest first; they do not differ in tools.
  private static let versions = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"]

  /// The answer to a message; nil for a notification, which has no answer.
  static func answer(to line: [UInt8], with tools: MCPTools) -> JSON? {
    let message: JSON
    do {
      message = try JSON.read(line)
    } catch {
      return failure(.null, .parse, "the line is not JSON: \(error)")
    }
    guard message["jsonrpc"]?.string == "2.0", let method = message["method"]?.string else {
      // An answer, although this server sends no requests.
      if message["jsonrpc"]?.string == "2.0", message["result"] != nil || message["error"] != nil { return nil }
      return failure(message["id"] ?? .null, .request, "a message needs \"jsonrpc\":\"2.0\" and a method")
    }
    guard let id = message["id"] else { return nil }
    switch id {
    case .integer, .text: break
    default: return failure(.null, .request, "id must be a whole number or a text")
    }
    let parameters = message["params"] ?? .object([])
    switch method {
    case "initialize": return success(id, initialization(parameters))
    case "ping": return success(id, .object([]))
    case "tools/list": return success(id, .object([JSON.Member("tools", .array(tools.list))]))
    case "tools/call":
      guard let name = parameters["name"]?.string else {
        return failure(id, .parameters, "the name of a tool is missing")
      }
      do {
        return success(id, try tools.call(name, parameters["arguments"] ?? .object([])))
      } catch {
        return failure(id, .parameters, "\(error)")
      }
    default: return failure(id, .method, "there is no method \(method.quotation)")
    }
  }

  private static func initialization(_ parameters: JSON) -> JSON {
    let asked = parameters["protocolVersion"]?.string ?? ""
    return .object([
      JSON.Member("protocolVersion", .text(versions.contains(asked) ? asked : versions[0])),
      JSON.Member("capabilities", .object([JSON.Member("tools", .object([]))])),
      JSON.Member(
        "serverInfo",
        .object([JSON.Member("name", .text("foretop")), JSON.Member("version", .text(Foretop.configuration.version))])),
      JSON.Member(
        "instructions",
        .text("Runs of foretop, which trains small language models: list them, look at one, follow one that trains.")),
    ])
  }

  private static func success(_ id: JSON, _ result: JSON) -> JSON {
    .object([JSON.Member("jsonrpc", .text("2.0")), JSON.Member("id", id), JSON.Member("result", result)])
  }

  private static func failure(_ id: JSON, _ fault: ErrorCode, _ sentence: String) -> JSON {
    let error = JSON.object([
      JSON.Member("code", .integer(fault.rawValue)), JSON.Member("message", .text(sentence.harmlessLine)),
    ])
    return .object([JSON.Member("jsonrpc", .text("2.0")), JSON.Member("id", id), JSON.Member("error", error)])
  }
}
