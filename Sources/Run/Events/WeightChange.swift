// A change of λ, the weight of a loss in the total loss, during the run.

/// A new weight of one head's loss. The head stays: at 0 its loss is still measured, but does not train the network.
package struct WeightChange: Codable, Sendable, Equatable {
  package var head: Head
  package var weight: Double
  /// True if `weight` is a factor of the present weight.
  package var isFactor = false

  package init(_ head: Head, to weight: Double) {
    self.head = head
    self.weight = weight
  }

  /// Reads what a user types: `0.5`, or a factor of the present weight, which need not be known: `x0.5`, `×2`.
  /// - Throws: `UserError` when the text is neither, or is out of range.
  package init(typed: String, for head: Head) throws {
    guard case .factor(let factor) = try TypedNumber(typed, what: "weight", examples: ("0.5", "x2")) else {
      try self.init(typed: typed, for: head, now: 1)
      return
    }
    guard factor >= 0 else {
      throw UserError(.usage, "a factor must not be negative, but \(typed.quotation) is")
    }
    self.init(head, to: factor)
    isFactor = true
  }

  /// This change without a factor, for the present weight.
  package func resolved(now: Double) -> WeightChange { WeightChange(head, to: isFactor ? now * weight : weight) }

  /// Reads what a user types: `0.5`, or a factor of the present weight: `x0.5`, `×2`.
  /// - Throws: `UserError` when the text is neither, or is out of range.
  package init(typed: String, for head: Head, now: Double) throws {
    switch try TypedNumber(typed, what: "weight", examples: ("0.5", "x2")) {
    case .value(let weight): self.init(head, to: weight)
    case .factor(let factor): self.init(head, to: now * factor)
    }
    guard isInRange else {
      throw UserError(.usage, "a weight must be from 0 to \(Int(Self.largest)), and \(typed.quotation) is not")
    }
  }

  /// The largest weight that is taken.
  package static let largest = 100.0

  package var isInRange: Bool { Self.bounds.contains(weight) }

  private static let bounds = Recipe.Field.Bounds(lower: .including(0), upper: .including(largest), use: .float)
}

/// A command that was carried out at a step, to be repeated there in a replay.
package struct ReplayedCommand: Sendable, Equatable {
  /// Optimizer steps taken before it.
  package var step: Int
  package var command: Command

  package init(step: Int, _ command: Command) {
    self.step = step
    self.command = command
  }

  /// True if both commands change the same value: the rate, the weight of the same head, or the same setting.
  package func changesSame(as other: ReplayedCommand) -> Bool {
    switch (command, other.command) {
    case (.rate, .rate): true
    case (.weight(let mine), .weight(let its)): mine.head == its.head
    case (.setting(let mine), .setting(let its)): mine.setting == its.setting
    case (.prompt, .prompt): true
    default: false
    }
  }

  /// The edit that a past occurrence made, to be repeated in a replay; nil if it did not change rate, weights or settings.
  package init?(_ occurrence: Occurrence) {
    if let prompt = occurrence.prompt {
      self.init(step: occurrence.step, .prompt(prompt))
      return
    }
    guard let new = occurrence.new else { return nil }
    switch occurrence.kind {
    case .rate: self.init(step: occurrence.step, .rate(.to(new)))
    case .weight:
      guard let head = Head.all.first(where: { $0.name == occurrence.key }) else { return nil }
      self.init(step: occurrence.step, .weight(WeightChange(head, to: new)))
    case .setting:
      guard let setting = RunSetting(rawValue: occurrence.key), setting.accepts(new) else { return nil }
      self.init(step: occurrence.step, .setting(SettingChange(setting, to: new)))
    case .skip: self.init(step: occurrence.step, .leaveOut)
    default: return nil
    }
  }
}

extension [ReplayedCommand] {
  /// The changes in the order of the steps at which a replay repeats them. A change requested during a step has the
  /// number of that step; if the step was abandoned, the change was reported again with an earlier number, which
  /// counts.
  package var inOrderOfSteps: [ReplayedCommand] {
    reduce(into: []) { edits, edit in
      edits.removeAll {
        $0.step == edit.step + 1 && $0.command.word == edit.command.word && edit.command != .leaveOut
      }
      let place = edits.lastIndex { $0.step <= edit.step }.map { $0 + 1 } ?? 0
      edits.insert(edit, at: place)
    }
  }
}
