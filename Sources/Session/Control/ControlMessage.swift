// The lines of the control socket, as docs/control.md specifies them: requests of peers, and answers.
import Run

/// A line from a peer.
enum ControlMessage: Equatable {
  /// A command. The answer carries the peer's own id. `isSure` is that of the `Request`.
  case command(JSON?, Command, Occurrence.Actor, isSure: Bool)
  /// A subscription to events from a number on; nil means from now on. `hasProgress`: with the progress of evaluations.
  case subscribe(JSON?, from: Int?, hasProgress: Bool)

  /// An error in a line.
  struct ProtocolFault: Error, Equatable {
    var id: JSON?
    var text: String
    /// True if the connection must be closed, since the line does not belong to this protocol.
    var isFatal = false
  }

  /// Bytes of the longest id.
  private static let mostOfID = 128

  /// - Parameter process: the peer's, as the kernel says.
  init(_ line: [UInt8], from process: Int) throws(ProtocolFault) {
    let object: JSON
    do {
      object = try JSON.read(line)
    } catch {
      throw ProtocolFault(text: "the line is not JSON: \(error)", isFatal: true)
    }
    guard object.members != nil else {
      throw ProtocolFault(
        text: "a line must be one JSON object, such as {\"id\":1,\"command\":\"pause\"}", isFatal: true)
    }
    let id = object["id"]
    switch id {
    case nil, .integer, .text: break
    default: throw ProtocolFault(text: "id must be a whole number or a string")
    }
    guard id.map({ $0.line.utf8.count <= Self.mostOfID }) ?? true else {
      throw ProtocolFault(text: "id has more than \(Self.mostOfID) bytes")
    }
    if let key = object.repeatedKey { throw ProtocolFault(id: id, text: "the key \(key.quotation) comes twice") }
    let known = ["id", "command", "as", "yes", "subscribe", "from", "progress"]
    if let key = object.members?.map(\.key).first(where: { !known.contains($0) }) {
      throw ProtocolFault(id: id, text: "there is no key \(key.quotation): keys are \(known.joined(separator: ", "))")
    }
    if let text = object["command"] {
      guard let line = text.string else {
        throw ProtocolFault(id: id, text: "command must be a string, such as \"rate x0.5\"")
      }
      let actor: Occurrence.Actor
      switch object["as"]?.string {
      case nil where object["as"] == nil, "socket": actor = .socket
      case "tell": actor = .tell
      case "attached": actor = .attached(process)
      default: throw ProtocolFault(id: id, text: "as must be \"socket\", \"tell\" or \"attached\"")
      }
      var isSure = false
      if let yes = object["yes"] {
        guard case .flag(let isYes) = yes else { throw ProtocolFault(id: id, text: "yes must be true or false") }
        isSure = isYes
      }
      do {
        self = .command(id, try Command(typed: line), actor, isSure: isSure)
      } catch {
        throw ProtocolFault(id: id, text: UserError.sentence(of: error))
      }
      return
    }
    guard object["subscribe"]?.isTrue == true else {
      throw ProtocolFault(id: id, text: "the object needs the key command, or \"subscribe\":true")
    }
    var first: Int?
    if let from = object["from"] {
      guard let number = from.whole, number >= 1 else {
        throw ProtocolFault(id: id, text: "from must be the number of an event, from 1 on")
      }
      first = number
    }
    var hasProgress = false
    if let progress = object["progress"] {
      guard case .flag(let isWanted) = progress else {
        throw ProtocolFault(id: id, text: "progress must be true or false")
      }
      hasProgress = isWanted
    }
    self = .subscribe(id, from: first, hasProgress: hasProgress)
  }
}

/// A line to a peer.
enum ControlAnswer {
  enum AnswerStatus: String { case done, refused }

  /// The first line to every peer.
  /// - Parameter preparing: what a run is doing that has not begun yet.
  static func hello(name: String, state: RunState, preparing: String? = nil) -> JSON {
    .object(
      [
        JSON.Member("hello", .text("foretop")), JSON.Member("protocol", .integer(ControlSocket.version)),
        JSON.Member("name", .text(name)), JSON.Member("step", .integer(state.step)),
        JSON.Member("number", .integer(state.number)), JSON.Member("progress", .flag(true)),
      ] + (preparing.map { [JSON.Member("preparing", .text($0))] } ?? []))
  }

  /// Says to a subscribed peer what a run that has not begun yet is doing.
  static func preparing(_ text: String) -> JSON {
    .object([JSON.Member("event", .text("preparing")), JSON.Member("text", .text(text))])
  }

  /// Says how many of how many windows an evaluation has measured.
  static func evaluating(done: Int, total: Int) -> JSON {
    .object([
      JSON.Member("event", .text("evaluating")), JSON.Member("done", .integer(done)),
      JSON.Member("total", .integer(total)),
    ])
  }

  /// The answer to a request.
  /// - Parameters:
  ///   - id: the peer's own.
  ///   - number: the number of the event that reports the effect; nil if no event does.
  static func answer(_ id: JSON?, _ status: AnswerStatus, step: Int, number: Int? = nil, _ text: String) -> JSON {
    var members = [
      JSON.Member("answer", id ?? .null), JSON.Member("status", .text(status.rawValue)),
      JSON.Member("step", .integer(step)),
    ]
    if let number { members.append(JSON.Member("number", .integer(number))) }
    return .object(members + [JSON.Member("text", .text(text))])
  }

  /// The answer to a line that is not a request, or to a connection that is refused.
  static func error(_ text: String) -> JSON { .object([JSON.Member("error", .text(text))]) }

  /// Says that a slow peer misses events: the numbers of the first and the last.
  static func gap(_ numbers: ClosedRange<Int>) -> JSON {
    .object([
      JSON.Member("event", .text("gap")), JSON.Member("first", .integer(numbers.lowerBound)),
      JSON.Member("last", .integer(numbers.upperBound)), JSON.Member("number", .integer(numbers.upperBound)),
    ])
  }
}

extension RunState {
  /// The number of steps taken, as far as known.
  var step: Int { last?.step ?? beginning?.step ?? 0 }
}
