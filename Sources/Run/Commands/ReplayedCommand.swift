// Recorded commands, for resume and replay.

/// A command that was carried out at a step, to be repeated there in a replay.
package struct ReplayedCommand: Sendable, Equatable {
  /// Optimizer steps taken before it.
  package var step: Int
  package var command: Command

  package init(step: Int, _ command: Command) {
    (self.step, self.command) = (step, command)
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
