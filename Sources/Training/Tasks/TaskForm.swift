// The forms of questions in JSONL files: our own, and the fields of known sets, whose prompts are those of
// lm-evaluation-harness 0.4.
import Run

/// The reason why a line is not a question, to follow `FILE:LINE: `.
struct TaskFault: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}

/// A form of questions.
struct TaskForm: Sendable {
  let name: String
  /// The keys by which the form is recognised.
  let keys: [String]
  let item: @Sendable (TaskLine) throws(TaskFault) -> TaskItem

  /// All forms; a line belongs to the first form of which it has all keys.
  static let all = [
    TaskForm(name: "choices", keys: ["context", "choices", "answer"]) { line throws(TaskFault) in
      let choices = try line.texts("choices")
      return TaskItem(
        line: line.number, context: try line.text("context"), choices: choices,
        answer: try line.answer("answer", among: choices), joins: true)
    },
    TaskForm(name: "last word", keys: ["text", "target"]) { line throws(TaskFault) in
      TaskItem(line: line.number, context: try line.text("text"), word: try line.word("target"), joins: true)
    },
    TaskForm(name: "HellaSwag", keys: ["activity_label", "ctx_a", "ctx_b", "endings"]) { line throws(TaskFault) in
      let context =
        try "\(line.text("activity_label")): \(line.text("ctx_a")) \(capitalized(line.text("ctx_b")))"
      let endings = try line.texts("endings")
      return TaskItem(
        line: line.number, context: cleaned(context), choices: endings.map(cleaned),
        answer: try line.answer("label", among: endings))
    },
    TaskForm(name: "ARC", keys: ["question", "answerKey"]) { line throws(TaskFault) in
      let (question, choices, labels) = try line.labelledChoices()
      let key = try line.text("answerKey")
      guard let answer = labels.firstIndex(of: key) else {
        throw TaskFault("answerKey \(key.quotation) is not one of the labels \(labels.joined(separator: ", ").excerpt)")
      }
      return TaskItem(
        line: line.number, context: "Question: \(question)\nAnswer:", choices: choices, answer: answer)
    },
    TaskForm(name: "PIQA", keys: ["goal", "sol1", "sol2"]) { line throws(TaskFault) in
      let solutions = [try line.text("sol1"), try line.text("sol2")]
      return TaskItem(
        line: line.number, context: "Question: \(try line.text("goal"))\nAnswer:", choices: solutions,
        answer: try line.answer("label", among: solutions))
    },
    TaskForm(
      name: "SciQ",
      keys: ["question", "correct_answer", "distractor1", "distractor2", "distractor3", "support"]
    ) { line throws(TaskFault) in
      let support = try line.text("support")
      let first = support.unicodeScalars.firstIndex { !$0.isPythonSpace } ?? support.unicodeScalars.endIndex
      return TaskItem(
        line: line.number,
        context: "\(support[first...])\nQuestion: \(try line.text("question"))\nAnswer:",
        choices: [
          try line.text("distractor1"), try line.text("distractor2"), try line.text("distractor3"),
          try line.text("correct_answer"),
        ], answer: 3)
    },
    TaskForm(name: "LAMBADA", keys: ["text"]) { line throws(TaskFault) in
      let text = try line.text("text")
      guard let space = text.unicodeScalars.lastIndex(of: " ") else {
        throw TaskFault("text has one word alone: the last word needs others before it")
      }
      let word = String(text.unicodeScalars[text.unicodeScalars.index(after: space)...])
      guard !word.isEmpty else { throw TaskFault("text ends with a space, and not with a word") }
      return TaskItem(line: line.number, context: String(text.unicodeScalars[..<space]), word: word)
    },
  ]

  /// Every form with its keys, for messages.
  static var summary: String {
    all.map { "\($0.keys.joined(separator: ", ")) (\($0.name))" }.joined(separator: "; ")
  }

  /// Python's `str.capitalize`: the first character upper case, all others lower case.
  private static func capitalized(_ text: String) -> String {
    text.prefix(1).uppercased() + text.dropFirst().lowercased()
  }

  /// A text of HellaSwag, cleaned as lm-evaluation-harness does.
  private static func cleaned(_ text: String) -> String {
    var text = text.pythonStripped.replacing(" [title]", with: ". ")
    text = text.replacing(#/\[[^\n]*?\]/#, with: "")
    return text.replacing("  ", with: " ")
  }
}

/// A line of a task's file, as a JSON object.
struct TaskLine {
  let number: Int
  let object: JSON

  /// The string with this key.
  func text(_ key: String) throws(TaskFault) -> String { try Self.text(object[key], key) }

  private static func text(_ value: JSON?, _ key: String) throws(TaskFault) -> String {
    guard let value else { throw TaskFault("\(key) is missing") }
    guard let text = value.string else { throw TaskFault("\(key) must be a string") }
    return text
  }

  /// The string with this key, which must not be empty or begin with a space.
  func word(_ key: String) throws(TaskFault) -> String {
    let word = try text(key)
    guard let first = word.unicodeScalars.first else { throw TaskFault("\(key) is empty") }
    guard !first.isPythonSpace else { throw TaskFault("\(key) begins with white space: leave it out") }
    return word
  }

  /// The list with this key: at least two strings, none of them empty.
  func texts(_ key: String) throws(TaskFault) -> [String] { try Self.texts(object[key], key) }

  private static func texts(_ value: JSON?, _ key: String) throws(TaskFault) -> [String] {
    guard let value else { throw TaskFault("\(key) is missing") }
    guard let elements = value.elements else { throw TaskFault("\(key) must be a list of strings") }
    var texts: [String] = []
    for element in elements { texts.append(try text(element, "each of \(key)")) }
    guard texts.count > 1 else { throw TaskFault("\(key) needs at least 2 elements, and the list has \(texts.count)") }
    if let empty = texts.firstIndex(of: "") { throw TaskFault("\(key)[\(empty)] is empty") }
    return texts
  }

  /// The index of the right choice, which the line gives as a number from 0, as such a number in a string, or as the choice
  /// itself.
  func answer(_ key: String, among choices: [String]) throws(TaskFault) -> Int {
    guard let value = object[key] else { throw TaskFault("\(key) is missing: without it nothing can be right") }
    guard let number = value.whole ?? value.string.flatMap({ Int($0) }) else {
      guard let text = value.string else { throw TaskFault("\(key) must be a number from 0, or one of the choices") }
      guard let place = choices.firstIndex(of: text) else {
        throw TaskFault("\(key) \(text.quotation) is neither a choice nor a number")
      }
      return place
    }
    guard choices.indices.contains(number) else {
      throw TaskFault("\(key) is \(number): the \(choices.count) choices are 0 to \(choices.count - 1)")
    }
    return number
  }

  /// A question of ARC, as its authors publish it (each choice with its label) or as Hugging Face does (texts and labels as two
  /// lists).
  func labelledChoices() throws(TaskFault) -> (question: String, choices: [String], labels: [String]) {
    let isNested = object["question"]?.members != nil
    let question = isNested ? try Self.text(object["question"]?["stem"], "question.stem") : try text("question")
    guard let choices = isNested ? object["question"]?["choices"] : object["choices"] else {
      throw TaskFault("choices is missing")
    }
    guard let elements = choices.elements else {
      let texts = try Self.texts(choices["text"], "choices.text")
      let labels = try Self.texts(choices["label"], "choices.label")
      guard texts.count == labels.count else {
        throw TaskFault("choices has \(texts.count) texts and \(labels.count) labels")
      }
      return (question, texts, labels)
    }
    var (texts, labels): ([String], [String]) = ([], [])
    for element in elements {
      texts.append(try Self.text(element["text"], "the text of each of choices"))
      labels.append(try Self.text(element["label"], "the label of each of choices"))
    }
    guard texts.count > 1 else { throw TaskFault("choices needs at least 2 elements, and the list has \(texts.count)") }
    return (question, texts, labels)
  }
}
