// Settings: numbers of the recipe that may change between two steps; and undo.
import Run

/// A change that `undo` takes back, with the value before it.
struct UndoableChange {
  enum Before {
    /// The factor of the user's edits on the scheduled rate.
    case rate(factor: Double)
    /// Of single heads.
    case weights([WeightChange])
    case setting(RunSetting, Double)
    /// How the schedule went on, and the factor of the user's edits.
    case course([RunSetting: Double], factor: Double)
    case prompt(String)
  }

  var before: Before
  /// True for a change by a rate key: further presses soon after belong to the same change.
  var isChain: Bool
  /// Unix time of the newest change, seconds.
  var time: Double

  /// How long after a press of a rate key the next one counts as the same change, seconds.
  static let patience = 5.0
  /// The most changes that are kept.
  static let most = 1000
}

extension Trainer {
  func change(_ change: SettingChange, for request: Request, _ outlets: Outlets) {
    let setting = change.setting
    let old = setting.value(in: recipe)
    let new = change.applied(to: old)
    if let reason = reasonAgainst(setting, new) {
      return refuse(
        request, "\(setting.key) stays \(setting.figure(old)): \(setting.figure(new)) \(reason)", outlets)
    }
    if new != old { remember(.setting(setting, old), for: request) }
    set(setting, to: new)
    report(setting, old, to: new, for: request, outlets)
  }

  /// The reason why a setting cannot have a value; nil if it can, and what it needs is there then.
  private func reasonAgainst(_ setting: RunSetting, _ value: Double) -> String? {
    guard setting.accepts(value) else { return "is not \(setting.range)" }
    if setting == .steps, Int(value) <= state.step {
      return "is not ahead, since the run is at step \(Figure.grouped(state.step)): “stop” ends it now"
    }
    if setting.isOfTeacher, !recipe.objective.teacher.isThere {
      return "has no effect on a run without a teacher: begin a run with “train --set objective.teacher.file=FILE”"
    }
    if setting.shapesNextToken, !model.configuration.shapesNextToken {
      let assignment =
        switch setting {
        case .further: "objective.next.ahead=3"
        case .likeliest: "objective.next.head=0.1"
        default: "\(setting.key)=\(setting.text(value))"
        }
      return "has no effect on a run that began with plain cross-entropy: begin a run with “train --set "
        + "\(assignment)”, or with “train --set objective.next.steerable=true” to change it later"
    }
    var changed = recipe
    setting.set(value, in: &changed)
    do {
      try changed.validate(source: "the recipe")
      try changed.require(ranks: ranked?.ranks.count ?? 1)
    } catch {
      return "breaks a rule: \(error)"
    }
    do { try makeReady(for: changed) } catch { return "cannot be had: \(error)" }
    return nil
  }

  /// Why a setting that is taken has no effect on coming steps, to end a sentence with; empty where it has one.
  private func remark(on setting: RunSetting) -> String {
    switch setting {
    case .teacher, .teacherSteps:
      let teacher = recipe.objective.teacher
      return teacher.weight > 0 && teacher.weight(at: state.step) == 0
        ? ": no effect, since the teacher's steps ended with step \(Figure.grouped(teacher.steps)); “ntp teacher steps N” "
          + "gives it more" : ""
    case .further, .prefix:
      return stage.isPlain(ahead: recipe.objective.next.ahead) && setting.value(in: recipe) > 0
        ? ": no effect, since its part of the run is over" : ""
    case .alone:
      let alone = recipe.objective.mtp.alone
      return alone > 0 && alone <= state.step ? ": no effect, since step \(Figure.grouped(alone)) is over" : ""
    default: return ""
    }
  }

  private func report(
    _ setting: RunSetting, _ old: Double, to new: Double, for request: Request, _ outlets: Outlets, why: String = ""
  ) {
    var text = "\(setting.key) \(setting.figure(old)) → \(setting.figure(new))\(remark(on: setting))\(why)"
    // Another end is another schedule.
    if setting == .steps, recipe.schedule.kind != .constant { text += ": rate \(Figure.rate(rate)) at the next step" }
    outlets.report(
      .occurred(
        Occurrence(
          .setting, step: state.step, time: wallTime(), key: setting.key, old: old, new: new, actor: request.actor,
          request: request.id, text: text)))
  }

  /// Remembers the value before a change, for `undo`. Changes repeated in a replay do not count, since they belong to
  /// an earlier session.
  func remember(_ before: UndoableChange.Before, for request: Request) {
    guard request.actor != .program, request.command != .undo else { return }
    let isChain = if case .rate(.times) = request.command { request.actor.isKeyboard } else { false }
    let now = wallTime()
    if isChain, let last = undoable.last, last.isChain, now - last.time < UndoableChange.patience {
      undoable[undoable.count - 1].time = now
      return
    }
    if undoable.count >= UndoableChange.most { undoable.removeFirst() }
    undoable.append(UndoableChange(before: before, isChain: isChain, time: now))
  }

  /// Takes back this session's last change that is not undone yet. Only between two steps.
  func undo(for request: Request, _ outlets: Outlets) {
    guard let last = undoable.popLast() else {
      return refuse(
        request,
        "nothing to undo: this session has no change of a rate, a weight, a setting or the prompt left; steps, checkpoints "
          + "and notes cannot be undone", outlets)
    }
    switch last.before {
    case .rate(let factor):
      let (old, scheduled) = (rate, scheduledRate(at: state.step))
      let new = scheduled * factor
      guard scheduled > 0, RateChange.bounds.contains(new) else {
        return refuse(
          request, "the rate stays \(Figure.rate(old)): the value before, \(Figure.rate(new)), is out of range", outlets
        )
      }
      state.rateFactor = new / scheduled
      report(rate: old, to: new, at: state.step, for: request, outlets, why: Occurrence.undone)
    case .weights(let parts):
      let now = parts.map { WeightChange($0.head, to: weight(of: $0.head)) }
      guard learns(after: parts) else {
        let words = now.map { "\($0.name) stays \(Figure.factor($0.weight))" }.joined(separator: ", ")
        return refuse(
          request, "the weight of \(words): all other weights are 0 now, and nothing would be learned", outlets)
      }
      setWeights(to: parts.byHead)
      report(parts, after: now, at: state.step, for: request, outlets, why: Occurrence.undone)
    case .setting(let setting, let value):
      let old = setting.value(in: recipe)
      if let reason = reasonAgainst(setting, value) {
        return refuse(
          request, "\(setting.key) stays \(setting.figure(old)): \(setting.figure(value)) \(reason)", outlets)
      }
      set(setting, to: value)
      report(setting, old, to: value, for: request, outlets, why: Occurrence.undone)
    case .course(let values, let factor):
      let old = rate
      set(values, for: request, outlets, why: Occurrence.undone)
      state.rateFactor = factor
      // By the new rate, as a replay makes it.
      let (scheduled, new) = (scheduledRate(at: state.step), rate)
      if scheduled > 0 { state.rateFactor = new / scheduled }
      report(
        rate: old, to: new, at: state.step, for: Request(.undo, by: request.actor), outlets, why: Occurrence.undone)
    case .prompt(let prompt):
      set(prompt: prompt)
      report(prompt: prompt, isFormer: true, for: request, outlets)
    }
  }

  // MARK: The schedule's course

  /// Changes how the schedule goes on from the next step. Between two steps only.
  func change(_ change: CourseChange, for request: Request, _ outlets: Outlets) {
    let (old, step) = (rate, state.step)
    let held = change.rate ?? old
    if let rate = change.rate, !RateChange.bounds.contains(rate) {
      return refuse(
        request,
        "the rate stays \(Figure.rate(old)): \(Figure.rate(rate)) is not above 0 and at most \(RateChange.largest)",
        outlets)
    }
    let before = Dictionary(uniqueKeysWithValues: Self.courseSettings.map { ($0, $0.value(in: recipe)) })
    let values: [RunSetting: Double] = [
      .over: Double(change.over), .from: Double(step),
      .then: Double(CourseChange.Course.allCases.firstIndex(of: change.course) ?? 0),
    ]
    rateCaution.note(state.rateFactor, before: step)
    remember(.course(before, factor: state.rateFactor), for: request)
    // What is held or annealed begins with the rate that there is.
    let begins = change.course == .hold || change.course == .anneal
    set(values, for: request, outlets) { begins ? held : $0 }
    var start = recipe
    start.schedule.then = .hold
    let (scheduled, first) = (scheduledRate(at: step), start.scheduledRate(at: step))
    guard begins, scheduled > 0, first > 0 else { return }
    let new = held / first * scheduled
    // Always by the new rate, so that replaying a stored rate gives the same bits.
    state.rateFactor = new / scheduled
    report(rate: old, to: new, at: step, for: Request(request.command, by: request.actor), outlets)
  }

  /// Sets what says how the schedule goes on; the last line of the log answers the request.
  /// - Parameter shown: the rate that the answer names, of the rate that the settings give; nil if it names none.
  private func set(
    _ values: [RunSetting: Double], for request: Request, _ outlets: Outlets, why: String = "",
    showing shown: ((Double) -> Double)? = nil
  ) {
    for setting in Self.courseSettings {
      guard let value = values[setting] else { continue }
      let old = setting.value(in: recipe)
      set(setting, to: value)
      let isLast = setting == Self.courseSettings.last
      let next = isLast ? shown?(rate) : nil
      let remark = next.map { ": rate \(Figure.rate($0)) at the next step" } ?? ""
      report(
        setting, old, to: value, for: isLast ? request : Request(request.command, by: request.actor), outlets,
        why: why + remark)
    }
  }

  /// In the order in which each is sound with those before it.
  private static let courseSettings: [RunSetting] = [.over, .from, .then]

  // MARK: The prompt

  func change(prompt: String, for request: Request, _ outlets: Outlets) {
    guard corpus.tokenizer.takesAll(of: prompt) else {
      return refuse(
        request,
        "the prompt stays: every token in \(prompt.quotation) must be below the vocabulary's \(corpus.tokenizer.vocabulary)",
        outlets)
    }
    remember(.prompt(recipe.sample.prompt), for: request)
    set(prompt: prompt)
    report(prompt: prompt, for: request, outlets)
  }

  private func report(prompt: String, isFormer: Bool = false, for request: Request, _ outlets: Outlets) {
    outlets.report(
      .occurred(
        Occurrence(
          .setting, step: state.step, time: wallTime(), key: Occurrence.promptKey, actor: request.actor,
          request: request.id, text: Occurrence.sentence(ofPrompt: prompt, isFormer: isFormer))))
  }
}
