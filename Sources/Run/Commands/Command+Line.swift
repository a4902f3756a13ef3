// A command as a line of the language: what a screen on another process's run sends for a key.

extension Command {
  /// The line that `init(typed:)` reads as this command.
  package var line: String {
    switch self {
    case .pause: "pause"
    case .proceed: "go"
    case .step(let count): "step \(count)"
    case .until(let condition): "until \(condition.text)"
    case .rate(.times(let factor)): "rate x\(factor)"
    case .rate(.to(let rate)): "rate \(rate)"
    case .weight(let change): "weight \(change.name) \(change.isFactor ? "x" : "")\(change.weight)"
    case .setting(let change):
      "\(change.setting.words) \(change.isAdded ? "+" : "")\(change.setting.text(change.value))"
    case .course(let change): change.line
    case .prompt(let text): "prompt \"\(text)\""
    case .undo: "undo"
    case .note(let text): "note \"\(text)\""
    case .save: "save"
    case .saveAs(let name): "save as \(name)"
    case .evaluate: "evaluate"
    case .generate: "generate"
    case .generateFrom(let text): "generate \"\(text)\""
    case .ask(let text): "ask \"\(text)\""
    case .limit: "limit"
    case .probe(let index): "probe \(index + 1)"
    case .stop(saving: true): "stop"
    case .stop(saving: false): "abandon"
    case .detach: "detach"
    case .back(.last): "back"
    case .back(let target): "back \(target.text)"
    // Only a replay asks for that, and no screen.
    case .leaveOut: "skip"
    }
  }
}
