// Who asked for something, as a text: in JSON, and in the run file.

extension Occurrence.Actor: RawRepresentable, CaseIterable, Codable {
  /// One of each kind.
  package static let allCases: [Occurrence.Actor] =
    [.program, .key, .commandLine, .signal, .typed, .tell, .socket, .guard, .attached(4711)]

  private static let attachedWord = "attached "
  /// The file has room for twelve bytes.
  private static let processWord = "pid "

  /// `key`; `attached 4711`.
  package var rawValue: String {
    switch self {
    case .program: "program"
    case .key: "key"
    case .commandLine: "commandLine"
    case .signal: "signal"
    case .typed: "typed"
    case .tell: "tell"
    case .socket: "socket"
    case .guard: "guard"
    case .attached(let process): Self.attachedWord + String(process)
    }
  }

  package init?(rawValue: String) {
    if rawValue.hasPrefix(Self.attachedWord) {
      guard let process = Int(rawValue.dropFirst(Self.attachedWord.count)), process >= 0 else { return nil }
      self = .attached(process)
      return
    }
    guard let actor = Self.allCases.first(where: { $0.rawValue == rawValue }) else { return nil }
    self = actor
  }

  /// The text in the run file, at most twelve bytes: `key`; `pid 4711`.
  package var stored: String {
    if case .attached(let process) = self { Self.processWord + String(process) } else { rawValue }
  }

  /// Reads `stored`.
  package init?(stored: String) {
    let isAttached = stored.hasPrefix(Self.processWord)
    self.init(rawValue: isAttached ? Self.attachedWord + stored.dropFirst(Self.processWord.count) : stored)
  }

  package init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let text = try container.decode(String.self)
    guard let actor = Self(rawValue: text) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "“\(text)” is not an actor")
    }
    self = actor
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(rawValue)
  }

  /// Whether keys of a screen ask.
  package var isKeyboard: Bool { if case .attached = self { true } else { self == .key } }

  /// Whether a person or a program of a person's asks, and neither the program itself nor a signal.
  package var isByHand: Bool { ![.program, .signal, .commandLine, .guard].contains(self) }

  /// How the log names who asked: empty for the program.
  package var words: String {
    switch self {
    case .program: ""
    case .commandLine: "command line"
    default: rawValue
    }
  }
}
