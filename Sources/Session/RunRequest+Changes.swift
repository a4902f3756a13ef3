// Reports the changes of a resumed run before its first step.
import Run

extension RunRequest.Past {
  /// Where the run comes from, if it is a branch.
  /// - Parameter time: when the branch is made, where this session makes it.
  func parent(at time: Double) -> ParentRun? {
    guard let branch else { return beginning?.parent }
    // The branch's file says more when it is made.
    return ParentRun(name: branch.parentName, step: branch.step, created: nil, checkpoint: nil, branched: time)
  }

  /// The changes since the last session, as events for the run's log: recipe keys, threads, precision, the text, and
  /// the stored steps that are computed again.
  func occurrences(at now: Beginning) -> [Occurrence] {
    guard let before = beginning else { return [] }
    func occurred(
      _ kind: Occurrence.Subject, _ text: String, key: String = "", old: Double? = nil, new: Double? = nil,
      by actor: Occurrence.Actor = .program
    ) -> Occurrence {
      Occurrence(
        kind, step: now.step, time: now.time, key: key, old: old, new: new, actor: actor, text: text)
    }
    var recipe = before.recipe
    recipe.take(settings)
    if let prompt { recipe.sample.prompt = prompt }
    let fields = recipe.fieldsDeciding(otherThan: now.recipe)
    var all: [Occurrence] =
      branch.map { branch in
        [
          occurred(
            .branch, "branch of “\(branch.parentName)” at step \(Figure.grouped(branch.step))", key: "parent",
            old: backs > 0 ? Double(backs) : nil, new: Double(branch.step),
            by: branchActor)
        ]
      } ?? []
    // What a command may change is recorded as a command's change: a later session makes it again, or not.
    all += RunSetting.allCases.compactMap { setting in
      let (old, new) = (setting.value(in: recipe), setting.value(in: now.recipe))
      guard old != new || droppedSettings.contains(setting.key) else { return nil }
      return occurred(
        .setting, "\(setting.key) \(setting.figure(old)) → \(setting.figure(new))", key: setting.key, old: old,
        new: new, by: .commandLine)
    }
    all += fields.filter { RunSetting(rawValue: $0.key) == nil }.map { field in
      let (old, new) = (field.read(recipe), field.read(now.recipe))
      return occurred(
        .notice, "\(field.key) \(old.json.line) → \(new.json.line)\(Self.tokens(field.key, now.recipe))",
        key: field.key,
        old: old.number, new: new.number, by: .commandLine)
    }
    var causes = fields.map { "value of \($0.key)" } + weights.map { "weight of \($0.head.name)" }
    if step != nil, before.threads != now.threads {
      causes.append("number of threads")
      all.append(
        occurred(
          .notice, "threads \(before.threads) → \(now.threads): losses from here on are not bit-identical",
          key: "threads", old: Double(before.threads), new: Double(now.threads)))
    }
    if step != nil, before.ranks != now.ranks {
      causes.append("number of ranks")
      all.append(
        occurred(
          .notice, "ranks \(before.ranks) → \(now.ranks): losses from here on are not bit-identical", key: "ranks",
          old: Double(before.ranks), new: Double(now.ranks)))
    }
    if step != nil, before.precision != now.precision, !causes.contains("value of precision") {
      causes.append("precision")
      all.append(
        occurred(.notice, "precision \(before.precision) → \(now.precision): this CPU computes in another precision"))
    }
    if let step, last > step, !causes.isEmpty {
      let (first, end) = (Figure.grouped(step + 1), Figure.grouped(last))
      let steps = last == step + 1 ? "step \(end) is" : "steps \(first) to \(end) are"
      all.append(
        occurred(
          .warning,
          "\(steps) stored already and computed again with another \(causes.joined(separator: ", ")): where the losses "
            + "differ, the stored rows are replaced"))
    }
    return all + [change(of: now)].compactMap { $0 }.map { occurred(.warning, $0) }
  }

  /// The new number of tokens per step, if a batch key changed.
  private static func tokens(_ key: String, _ recipe: Recipe) -> String {
    key.hasPrefix("batch.") ? ": a step takes \(recipe.tokensPerStep) tokens from here on" : ""
  }
}

extension Recipe {
  /// The differing keys that affect the computation.
  package func fieldsDeciding(otherThan other: Recipe) -> [Field] {
    let others = [
      "save.", "evaluate.", "measure.", "sample.", "stop.", "data.paths", "objective.next.steerable",
    ]
    return Self.fields.filter { field in
      guard !others.contains(where: field.key.hasPrefix), field.read(self) != field.read(other) else { return false }
      // More steps at a constant rate are the same ones and some more.
      return field.key != "steps" || schedule.kind != .constant || other.schedule.kind != .constant
    }
  }
}

extension Recipe.Field.Content {
  /// Any number.
  fileprivate var number: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .unsigned(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }
}
