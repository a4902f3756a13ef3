// What the heads were asked, and what they answered.
import Run
import TerminalUI

/// What the heads expect after a text, at a step.
package struct TextAnswer: Sendable, Equatable {
  package var step: Int
  package var expectation: Expectation

  package init(step: Int, _ expectation: Expectation) {
    self.step = step
    self.expectation = expectation
  }
}

/// The answers so far, oldest first, as many as are worth keeping.
struct Answers: Sendable {
  private(set) var all: [TextAnswer] = []
  private static let most = 256

  var last: TextAnswer? { all.last }

  mutating func add(_ answer: TextAnswer) {
    if all.count >= Self.most { all.removeFirst(Self.most / 4) }
    all.append(answer)
  }

  /// The newest answer after the same text at another step, to be compared with the last one.
  var before: TextAnswer? {
    guard let last else { return nil }
    return all.dropLast().last { $0.step != last.step && $0.expectation.context == last.expectation.context }
  }
}

/// The prompt for a text, open.
struct AskPrompt: TypedPrompt, Sendable, Equatable {
  var text: String
  var problem = ""
  /// True until a key edits the text, which is the last question: the first character that is typed begins a new one.
  var isLast = false
  /// The checkpoint of a stored run that is asked: its place in the list from the newest on.
  var checkpoint = 0
}

extension Dashboard {
  /// Takes an answer that a stored run's checkpoint gave.
  package mutating func receive(_ answer: TextAnswer) {
    asked.removeAll(where: \.isQuestion)
    show(answer)
    needsDrawing = true
  }

  /// Shows an answer; what was wrong with a question before it is wrong no more.
  mutating func show(_ answer: TextAnswer) {
    answers.add(answer)
    guard case .ask(var prompt) = overlay else { return }
    prompt.problem = ""
    overlay = .ask(prompt)
  }

  /// A question to a stored run's checkpoint has no answer.
  package mutating func failQuestion(_ sentence: String) {
    asked.removeAll(where: \.isQuestion)
    if case .ask(var prompt) = overlay {
      prompt.problem = sentence
      overlay = .ask(prompt)
    } else {
      message = sentence
    }
    needsDrawing = true
  }

  /// Whether a question waits for its answer.
  var awaitsAnswer: Bool { asked.contains(where: \.isQuestion) }

  /// Whether questions go to a checkpoint, since nothing trains here.
  package var asksCheckpoints: Bool { !steers }

  /// The step of the checkpoint that is asked; nil is the newest.
  package var askedCheckpoint: Int? {
    guard case .ask(let prompt) = overlay, prompt.checkpoint > 0 else { return nil }
    return askedStep(prompt)
  }

  mutating func openAsk() { overlay = .ask(AskPrompt(text: lastQuestion, isLast: !lastQuestion.isEmpty)) }

  mutating func press(_ key: Key, in prompt: AskPrompt) -> Command? {
    var prompt = prompt
    switch key {
    case .escape: return leaveOverlay()
    case .enter: return ask(prompt)
    case .pageUp, .pageDown:
      guard asksCheckpoints else { break }
      let step = key == .pageUp ? 1 : -1
      prompt.checkpoint = min(max(prompt.checkpoint + step, 0), max(checkpoints.count - 1, 0))
    case .right, .end: prompt.isLast = false
    default:
      let text = prompt.isLast && key.isTyped ? "" : prompt.text
      if let edited = key.edited(text, most: CommandText.mostOfQuestion) {
        prompt.text = edited
        prompt.problem = ""
        prompt.isLast = false
      }
    }
    overlay = .ask(prompt)
    return nil
  }

  /// Asks; the prompt stays, and the answer comes below it.
  private mutating func ask(_ prompt: AskPrompt) -> Command? {
    var prompt = prompt
    prompt.problem = ""
    defer { overlay = .ask(prompt) }
    guard !awaitsAnswer else {
      prompt.problem = "the answer to the last question is on its way"
      return nil
    }
    guard !prompt.text.isEmpty else {
      prompt.problem = "type a text first, such as In the beginning"
      return nil
    }
    guard mode != .watched || !checkpoints.isEmpty else {
      let name = (beginning?.name ?? "NAME").harmlessLine
      prompt.problem = "no checkpoint is saved yet; “foretop attach \(name)” asks the live run"
      return nil
    }
    do {
      // Spaces at the end are part of the text: what follows “the” is not what follows “the ”.
      let text = try CommandText.checked(prompt.text, "text", most: CommandText.mostOfQuestion)
      lastQuestion = prompt.text
      prompt.isLast = false
      return ask(.ask(text))
    } catch {
      prompt = prompt.refused(error)
      return nil
    }
  }
}

extension Key {
  /// True for a key that adds text.
  fileprivate var isTyped: Bool {
    switch self {
    case .character, .paste: true
    default: false
    }
  }
}
