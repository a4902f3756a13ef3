// Keys in an overlay: questions, the prompt of the rate, and what a key makes of a typed text. Each other prompt has its keys in its
// own file.
import Run
import TerminalUI

extension Dashboard {
  /// Handles a key while an overlay takes all of them.
  mutating func pressInOverlay(_ key: Key) -> Command? {
    needsDrawing = true
    switch overlay {
    case .help(var page):
      overlay = page.press(key) ? .help(page) : nil
      return nil
    case .rate(let text, _): return pressInPrompt(key, text)
    case .weights(let prompt): return press(key, in: prompt)
    case .command(let prompt): return press(key, in: prompt)
    case .back(let prompt): return press(key, in: prompt)
    case .course(let prompt): return press(key, in: prompt)
    case .ask(let prompt): return press(key, in: prompt)
    case .confirm(let command):
      switch key {
      // Enter is easily pressed by mistake, so only y agrees.
      case .character("y"):
        overlay = nil
        return ask(command, by: confirmingActor, isSure: true)
      case .character("n"), .character("q"), .escape:
        overlay = nil
        message = "nothing is changed"
      default: break
      }
      return nil
    case .warmup(let rate): return pressWhileWarmingUp(key, rate)
    case .quit:
      switch key {
      case .character("s"):
        overlay = nil
        return ask(.stop(saving: true))
      case .character("d"):
        overlay = nil
        return .detach
      case .character("a"):
        overlay = nil
        return ask(.stop(saving: false))
      case .escape: overlay = nil
      default: break
      }
      return nil
    case nil: return nil
    }
  }

  private mutating func pressInPrompt(_ key: Key, _ text: String) -> Command? {
    switch key {
    case .escape: overlay = nil
    case .enter:
      guard !text.trimmingSpaces.isEmpty else {
        overlay = .rate(text: text, problem: "type a rate such as 3e-4, or a factor such as x0.5")
        return nil
      }
      do {
        let change = try RateChange(typed: text)
        if let refusal = refusal(of: .typeRate) { throw UserError(.usage, refusal) }
        overlay = nil
        message = ""
        let command = askRate(change)
        // A number out of range keeps the prompt open, with the reason in it.
        if command == nil, overlay == nil { overlay = .rate(text: text, problem: message) }
        message = ""
        return command
      } catch let error as UserError {
        overlay = .rate(text: text, problem: error.message)
      } catch {
        overlay = .rate(text: text, problem: "\(error)")
      }
    default: if let edited = key.edited(text) { overlay = .rate(text: edited, problem: "") }
    }
    return nil
  }
}

extension Key {
  /// The text of a prompt after this key; nil for a key that edits nothing.
  /// - Parameter most: the prompt's length in characters.
  func edited(_ text: String, most: Int = 40) -> String? {
    switch self {
    case .backspace, .delete: String(text.dropLast())
    case .control("u"): ""
    case .character(let character): Self.line(text, String(character), most)
    case .paste(let pasted): Self.line(text, pasted, most)
    default: nil
    }
  }

  /// The digit of this key; nil for other keys.
  var digit: Int? {
    guard case .character(let character) = self, character.isASCII else { return nil }
    return character.wholeNumberValue
  }

  private static func line(_ text: String, _ addition: String, _ most: Int) -> String {
    let line = addition.filter { !$0.isNewline && $0.unicodeScalars.allSatisfy { !$0.steersTerminals } }
    return String((text + line).prefix(most))
  }
}
