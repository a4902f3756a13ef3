// How the schedule of the learning rate goes on, and the prompt of the texts that are shown: what `rate hold` and `prompt` change.

/// A change of the schedule's course from the next step on.
package struct CourseChange: Codable, Sendable, Equatable {
  package typealias Course = Recipe.ScheduleSettings.Course

  package var course: Course
  /// Steps of a warm-up or an annealing.
  package var over: Int
  /// The rate that is held, where it is another than the present one.
  package var rate: Double?

  package init(_ course: Course, over: Int = 0, rate: Double? = nil) {
    self.course = course
    self.over = over
    self.rate = rate
  }

  /// The most steps that are taken.
  private static let most = 1_000_000_000

  /// Reads what follows `rate hold` and its like: nothing, a rate, or a number of steps.
  /// - Throws: `UserError` with a sentence when it is something else.
  package init(typed: String, for course: Course) throws {
    switch course {
    case .scaled: self.init(course)
    case .hold:
      guard !typed.isEmpty else {
        self.init(course)
        return
      }
      guard case .to(let rate) = try RateChange(typed: typed) else {
        throw UserError(.usage, "\(typed.quotation) is a factor: type the rate that is held, such as 3e-4, or nothing")
      }
      self.init(course, rate: rate)
    case .warmup, .anneal:
      guard let steps = Int(typed.filter { $0 != "_" }), (1...Self.most).contains(steps) else {
        throw UserError(
          .usage,
          "\(typed.quotation) is not a number of steps from 1 on: type for example “rate \(course.rawValue) 200”")
      }
      self.init(course, over: steps)
    }
  }

  /// As a user types it.
  package var line: String {
    switch course {
    case .scaled: "rate scaled"
    case .hold: "rate hold" + (rate.map { " \($0)" } ?? "")
    case .warmup, .anneal: "rate \(course.rawValue) \(over)"
    }
  }
}

/// Texts that commands take.
package enum CommandText {
  /// The most bytes of a prompt, so that its line in the log has all of it.
  package static let mostOfPrompt = 300
  /// The most bytes of a text that the network is asked about.
  package static let mostOfQuestion = 800
  /// The most bytes of a checkpoint's name.
  package static let mostOfName = 64

  /// Checks a prompt or a question.
  /// - Throws: `UserError` with a sentence.
  package static func checked(_ text: String, _ what: String, most: Int) throws -> String {
    guard text.utf8.count <= most else {
      throw UserError(.usage, "a \(what) has at most \(most) bytes, and this has \(text.utf8.count)")
    }
    guard !text.unicodeScalars.contains(where: \.steersTerminals), !text.hasForeignBytes else {
      throw UserError(.usage, "a \(what) is one line of UTF-8 without control characters")
    }
    return text
  }

  /// Checks a name for a checkpoint, which every command takes for a step.
  /// - Throws: `UserError` with a sentence.
  package static func checkedName(_ name: String) throws -> String {
    func refuse(_ why: String) -> UserError { UserError(.usage, "\(name.quotation) cannot name a checkpoint: \(why)") }
    guard name.utf8.count <= mostOfName else { throw refuse("it has more than \(mostOfName) bytes") }
    guard name.allSatisfy({ $0.isLetter || $0.isNumber || "-_.".contains($0) }), let first = name.first else {
      throw refuse("it is one word of letters, digits, “-”, “_” and “.”")
    }
    guard first.isLetter else { throw refuse("it begins with a letter") }
    guard name != "best", name != "last" else { throw refuse("the word has a meaning of its own") }
    return name
  }
}

extension Occurrence {
  package static let promptKey = "sample.prompt"
  private static let promptStart = "sample.prompt is “"
  private static let formerPromptStart = "sample.prompt is again “"

  /// The line that records a new prompt, or that the one before it is back.
  package static func sentence(ofPrompt prompt: String, isFormer: Bool = false) -> String {
    (isFormer ? formerPromptStart : promptStart) + prompt + "”"
  }

  /// The prompt that a command set; nil for other lines.
  package var prompt: String? {
    guard kind == .setting, key == Self.promptKey, text.hasSuffix("”"),
      let start = [Self.promptStart, Self.formerPromptStart].first(where: text.hasPrefix)
    else { return nil }
    return String(text.dropFirst(start.count).dropLast())
  }
}
