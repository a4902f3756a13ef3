// Settings: numbers of the recipe that a command can change during the run.

/// A number of the recipe that may change between two steps. Its raw value is the recipe's key.
package enum RunSetting: String, Codable, Sendable, CaseIterable {
  case clip = "optimizer.clip"
  case decay = "optimizer.weightDecay"
  case steps
  case evaluateEvery = "evaluate.every"
  case saveEvery = "save.every"
  case sampleEvery = "sample.every"
  /// How the schedule goes on, as its place among the choices; changed by `rate hold` and its like, never alone.
  case then = "schedule.then"
  case from = "schedule.from"
  case over = "schedule.over"
  /// Numbers of the shaped next-token loss.
  case further = "objective.next.further"
  case prefix = "objective.next.prefix"
  case beta = "objective.next.beta"
  case head = "objective.next.head"
  case tail = "objective.next.tail"
  case likeliest = "objective.next.likeliest"
  case teacher = "objective.teacher.weight"
  case teacherSteps = "objective.teacher.steps"
  /// ε of inputs that the network draws.
  case drawn = "data.drawn.share"
  /// Steps in which MTP heads learn alone.
  case alone = "objective.mtp.alone"

  private typealias Course = Recipe.ScheduleSettings.Course

  /// The recipe's key.
  package var key: String { rawValue }

  /// The command that changes it.
  package var words: String {
    switch self {
    case .clip: "clip"
    case .decay: "decay"
    case .steps: "steps"
    case .evaluateEvery: "evaluate every"
    case .saveEvery: "save every"
    case .sampleEvery: "sample every"
    case .then, .from, .over: key
    case .further: "ntp further"
    case .prefix: "ntp prefix"
    case .beta: "ntp beta"
    case .head: "ntp head"
    case .tail: "ntp tail"
    case .likeliest: "ntp likeliest"
    case .teacher: "ntp teacher"
    case .teacherSteps: "ntp teacher steps"
    case .drawn: "drawn share"
    case .alone: "mtp alone"
    }
  }

  /// True if the setting is a whole number.
  package var isWhole: Bool { if case .number = domain { false } else { true } }

  /// True if the setting belongs to the loss that `Recipe.NextTokenSettings` or a teacher shapes.
  package var shapesNextToken: Bool {
    [.further, .prefix, .beta, .head, .tail, .likeliest].contains(self) || isOfTeacher
  }

  /// True if the setting belongs to a teacher.
  package var isOfTeacher: Bool { self == .teacher || self == .teacherSteps }

  package func value(in recipe: Recipe) -> Double {
    switch self {
    case .clip: recipe.optimizer.clip
    case .decay: recipe.optimizer.weightDecay
    case .steps: Double(recipe.steps)
    case .evaluateEvery: Double(recipe.evaluate.every)
    case .saveEvery: Double(recipe.save.every)
    case .sampleEvery: Double(recipe.sample.every)
    case .then: Double(Course.allCases.firstIndex(of: recipe.schedule.then) ?? 0)
    case .from: Double(recipe.schedule.from)
    case .over: Double(recipe.schedule.over)
    case .further: recipe.objective.next.further
    case .prefix: recipe.objective.next.prefix
    case .beta: recipe.objective.next.beta
    case .head: recipe.objective.next.head
    case .tail: recipe.objective.next.tail
    case .likeliest: Double(recipe.objective.next.likeliest)
    case .teacher: recipe.objective.teacher.weight
    case .teacherSteps: Double(recipe.objective.teacher.steps)
    case .drawn: recipe.data.drawn.share
    case .alone: Double(recipe.objective.mtp.alone)
    }
  }

  /// Sets the setting. A next-token loss that becomes plain cross-entropy by that stays steerable.
  /// - Parameter value: a value that `accepts` accepts.
  package func set(_ value: Double, in recipe: inout Recipe) {
    let isShaped = recipe.objective.next.isShaped
    defer { if isShaped { recipe.objective.next.keepSteerable() } }
    switch self {
    case .clip: recipe.optimizer.clip = value
    case .decay: recipe.optimizer.weightDecay = value
    case .steps: recipe.steps = Int(value)
    case .evaluateEvery: recipe.evaluate.every = Int(value)
    case .saveEvery: recipe.save.every = Int(value)
    case .sampleEvery: recipe.sample.every = Int(value)
    case .then: recipe.schedule.then = Course.allCases[Int(value)]
    case .from: recipe.schedule.from = Int(value)
    case .over: recipe.schedule.over = Int(value)
    case .further: recipe.objective.next.further = value
    case .prefix: recipe.objective.next.prefix = value
    case .beta: recipe.objective.next.beta = value
    case .head: recipe.objective.next.head = value
    case .tail: recipe.objective.next.tail = value
    case .likeliest: recipe.objective.next.likeliest = Int(value)
    case .teacher: recipe.objective.teacher.weight = value
    case .teacherSteps: recipe.objective.teacher.steps = Int(value)
    case .drawn: recipe.data.drawn.share = value
    case .alone: recipe.objective.mtp.alone = Int(value)
    }
  }

  private var domain: Recipe.Field.Domain {
    guard let field = Recipe.field(key) else { preconditionFailure("the recipe has no key \(key)") }
    return field.kind
  }

  /// The range, to end the sentence “must be …”.
  package var range: String { domain.words }

  /// True if the recipe's key accepts a value.
  package func accepts(_ value: Double) -> Bool {
    switch domain {
    case .number(let bounds): bounds.contains(value)
    case .integer(let range): Int(exactly: value).map(range.contains) ?? false
    case .choice(let choices): Int(exactly: value).map(choices.indices.contains) ?? false
    default: false
    }
  }

  /// A value as it is typed: 20000, 0.05.
  package func text(_ value: Double) -> String {
    if self == .then, accepts(value) { return Course.allCases[Int(value)].rawValue }
    return isWhole ? Int(exactly: value).map(String.init) ?? "\(value)" : "\(value)"
  }

  /// A value for a sentence, in the format of all other counts: `20 000`, `0.05`.
  package func figure(_ value: Double) -> String {
    guard self != .then, isWhole, let whole = Int(exactly: value) else { return text(value) }
    return Figure.grouped(whole)
  }
}

extension Recipe {
  /// Sets settings by their keys; values that a key does not accept are ignored.
  package mutating func take(_ settings: [String: Double]) {
    for setting in RunSetting.allCases {
      if let value = settings[setting.key], setting.accepts(value) { setting.set(value, in: &self) }
    }
  }

  /// Sets the setting that an occurrence reports; other occurrences, and values that the key does not accept, are
  /// ignored.
  package mutating func take(_ occurrence: Occurrence) {
    if let prompt = occurrence.prompt { sample.prompt = prompt }
    guard occurrence.kind == .setting, let setting = RunSetting(rawValue: occurrence.key), let new = occurrence.new,
      setting.accepts(new)
    else { return }
    setting.set(new, in: &self)
  }
}

/// A change of a setting.
package struct SettingChange: Codable, Sendable, Equatable {
  package var setting: RunSetting
  package var value: Double
  /// True if the value is added to the present one: `steps +500`.
  package var isAdded: Bool

  package init(_ setting: RunSetting, to value: Double, isAdded: Bool = false) {
    self.setting = setting
    self.value = value
    self.isAdded = isAdded
  }

  /// Reads what a user types: `0.5`, `2e4`, and for `steps` also `+500`.
  /// - Throws: `UserError` when the text is not a number, or is out of range.
  package init(typed: String, for setting: RunSetting) throws {
    let text = typed.trimmingSpaces
    let isAdded = setting == .steps && text.hasPrefix("+")
    let allowed = text.allSatisfy { "0123456789+-.eE_".contains($0) }
    guard allowed, let value = Double(text.filter { $0 != "_" }), value.isFinite else {
      throw UserError(.usage, "\(typed.quotation) is not a number: \(setting.key) must be \(setting.range)")
    }
    guard setting.accepts(value) else {
      throw UserError(.usage, "\(setting.key) must be \(setting.range), and \(typed.quotation) is not")
    }
    self.init(setting, to: value, isAdded: isAdded)
  }

  /// The new value after this change of `old`.
  package func applied(to old: Double) -> Double { isAdded ? old + value : value }
}
