// Keys on the list of runs: what each does, and what is typed into its dialogs.
import Run
import TerminalUI

extension RunsScreen {
  mutating func press(_ key: Key) -> RunsRequest? {
    if dialog != nil, help == nil, key != .control("c") { return pressInDialog(key) }
    return dispatch(key)
  }

  /// The reason why a key has no effect now; nil if it has one.
  func refusal(of deed: RunsAction) -> String? {
    if chosenName == nil, [.open, .tensors, .mark, .remove, .resume, .prune].contains(deed) {
      return unread > 0 ? "runs are still being read: press the key again when they are listed" : "no run is listed"
    }
    return switch deed {
    case .compare:
      compared.isEmpty
        ? "no run is listed"
        : compared.count > Comparison.mostLines
          ? "at most \(Comparison.mostLines) runs are compared here: unmark some with m, or use foretop compare" : nil
    case .diff: chosenName == nil || markedName == nil ? "mark another run with m first" : nil
    case .remove, .prune:
      switch chosenRow?.state {
      case "training": "another process trains this run: stop it first"
      case "starting": Self.starting
      default: nil
      }
    case .resume: reasonAgainstResuming
    default: nil
    }
  }

  /// The runs that the compare key takes: the marked ones, with the chosen one where that makes two; or the chosen one alone.
  private var compared: [String] {
    if marked.count >= 2 { return marked }
    return marked + (chosenName.map { marked.contains($0) ? [] : [$0] } ?? [])
  }

  mutating func perform(_ deed: RunsAction) -> RunsRequest? {
    switch deed {
    case .leave: return .leave
    case .stay: message = "q quits"
    case .go(let step): go(step)
    case .open: return chosenName.map { .open($0) }
    case .tensors: return chosenName.map { .tensors($0) }
    case .mark:
      guard let name = chosenName else { return nil }
      if let index = marked.firstIndex(of: name) { marked.remove(at: index) } else { marked.append(name) }
      go(.down)
    case .compare: return .compare(compared)
    case .filter: dialog = .filter(text: filter)
    case .sort: return .sortNext
    case .turn: return .turn
    case .diff: dialog = .diff
    case .remove: dialog = chosenName.map { .remove(name: $0) }
    case .resume: dialog = chosenName.map { .command(text: resumption(of: $0), problem: "") }
    case .new: dialog = .command(text: "train ", problem: "", suggestion: "default")
    case .prune: dialog = chosenName.map { .command(text: command("prune", $0), problem: "") }
    case .commandLine: dialog = .command(text: "", problem: "")
    case .palette: changePalette()
    case .glyphs: changeGlyphs()
    case .help: help = HelpPage()
    case .redraw: break
    }
    return nil
  }

  /// A command line without the program's name.
  private func command(_ verb: String, _ name: String) -> String {
    String(RunAddress(name: name, runs: folder).command(verb).dropFirst("foretop ".count))
  }

  /// Commands with the option `--runs`, by all their names.
  private static let commandsOfFolder: Set = [
    "ask", "attach", "bench", "branch", "browse", "compare", "data", "diff", "eval", "experiment", "export", "generate",
    "import", "inspect", "list", "ls", "mcp", "note", "prune", "recover", "replay", "resume", "rm", "runs", "show",
    "snapshot", "tag", "teach", "tell", "tensors", "tokenize", "train", "verify", "watch",
  ]

  /// The words of a command line, with this folder of runs if the command takes one and the words name none.
  func placed(_ words: [String]) -> [String] {
    guard !RunAddress.option(folder).isEmpty, let verb = words.first, Self.commandsOfFolder.contains(verb),
      words.prefix(2) != ["experiment", "list"],
      !words.contains(where: { $0 == "--runs" || $0.hasPrefix("--runs=") })
    else { return words }
    var placed = words
    // Words after -- are no options.
    placed.insert(contentsOf: ["--runs", folder], at: words.firstIndex(of: "--") ?? words.endIndex)
    return placed
  }

  /// The option that `placed` adds to a typed line, with a space before it; empty if it adds none.
  func addedOption(to line: String) -> String {
    guard let words = try? line.shellWords(), placed(words) != words else { return "" }
    return RunAddress.option(folder)
  }

  private func resumption(of name: String) -> String {
    let steps = chosenRow?.state == "finished" ? chosenRow.map { " --steps \($0.steps * 2)" } ?? "" : ""
    return command("resume", name) + steps
  }

  static let starting = "another process is starting this run"

  private var reasonAgainstResuming: String? {
    switch chosenRow?.state {
    case "training": "another process trains this run: enter shows it"
    case "starting": Self.starting
    case "unreadable":
      chosenName.map { "this run cannot be read: \(RunAddress(name: $0, runs: folder).command("verify")) says more" }
    default: nil
    }
  }

  var lastPicture: Canvas { draw(size: size, now: 0) }

  mutating func choose(_ meaning: ClickMeaning, value: Double?) {
    if case .row(let index) = meaning, names.indices.contains(index) { chosen = index }
  }

  private mutating func go(_ step: ListStep) { chosen = step.index(from: chosen, of: names.count, page: page) }

  private mutating func pressInDialog(_ key: Key) -> RunsRequest? {
    switch dialog {
    case .filter(let text): return pressInFilter(key, text)
    case .remove(let name):
      // Any key except y means no.
      dialog = nil
      if key == .character("y") { return .remove(name) }
      message = "run “\(name)” stays"
    case .diff: dialog = nil
    case .command(let text, _, let suggestion): return pressInCommand(key, text, suggestion)
    case .help, nil: break
    }
    return nil
  }

  private mutating func pressInCommand(_ key: Key, _ text: String, _ suggestion: String) -> RunsRequest? {
    switch key {
    case .escape: dialog = nil
    case .enter:
      do {
        let words = try (text + suggestion).shellWords()
        dialog = nil
        return words.isEmpty ? nil : .run(placed(words))
      } catch {
        dialog = .command(text: text, problem: UserError.sentence(of: error))
      }
    // Taking the suggestion as it is, to add to it.
    case .tab, .right: dialog = .command(text: text + suggestion, problem: "")
    case .backspace where !suggestion.isEmpty: dialog = .command(text: text, problem: "")
    default: if let edited = key.edited(text, most: 400) { dialog = .command(text: edited, problem: "") }
    }
    return nil
  }

  private mutating func pressInFilter(_ key: Key, _ text: String) -> RunsRequest? {
    switch key {
    case .enter:
      dialog = nil
      return .filter(text.trimmingSpaces)
    case .escape:
      dialog = nil
      problem = ""
      return .filter("")
    default:
      if let edited = key.edited(text) { dialog = .filter(text: edited) }
      return nil
    }
  }
}
