// The table of commands: what is typed becomes a command, or a sentence that says what to type.
import Run
import Support
import Testing

@Suite struct CommandFormTests {
  @Test func `every example of the table is a command, and no two rows have the same name`() throws {
    for form in CommandForm.all {
      #expect(!form.examples.isEmpty && !form.about.isEmpty)
      for example in form.examples {
        let command = try Command(typed: example)
        #expect(try Command(typed: command.line) == command, "\(example) is not \(command.line)")
        #expect(CommandForm.form(of: example)?.form.name == form.name, "\(example)")
      }
    }
    #expect(Set(CommandForm.all.map(\.name)).count == CommandForm.all.count)
  }

  static let lines: [(String, Command)] = [
    ("rate 3e-4", .rate(.to(3e-4))), ("  rate   x0.5 ", .rate(.times(0.5))),
    ("weight top 0.5", .weight(WeightChange(.top, to: 0.5))), ("weight mtp-2 0", .weight(WeightChange(.mtp(2), to: 0))),
    ("clip 0.5", .setting(SettingChange(.clip, to: 0.5))), ("decay 0.05", .setting(SettingChange(.decay, to: 0.05))),
    ("steps 2e4", .setting(SettingChange(.steps, to: 20_000))),
    ("steps +5_000", .setting(SettingChange(.steps, to: 5000, isAdded: true))),
    ("evaluate every 200", .setting(SettingChange(.evaluateEvery, to: 200))), ("evaluate", .evaluate),
    ("save every 0", .setting(SettingChange(.saveEvery, to: 0))), ("save", .save),
    ("sample every 7", .setting(SettingChange(.sampleEvery, to: 7))), ("pause", .pause), ("go", .proceed),
    ("step", .stepOnce), ("step 5", .step(5)), ("until 2000", .until(.step(2000))),
    ("until step 20", .until(.step(20))), ("until loss < 3.2", .until(.lossBelow(3.2))), ("generate", .generate),
    ("note \"why  so?\"", .note("why  so?")), ("note it's 5", .note("it's 5")), ("undo", .undo),
    ("stop", .stop(saving: true)), ("abandon", .stop(saving: false)),
    ("rate hold", .course(CourseChange(.hold))), ("rate hold 3e-4", .course(CourseChange(.hold, rate: 3e-4))),
    ("rate scaled", .course(CourseChange(.scaled))), ("rate warmup 200", .course(CourseChange(.warmup, over: 200))),
    ("rate anneal 1_000", .course(CourseChange(.anneal, over: 1000))),
    ("save as before-decay", .saveAs("before-decay")),
    ("prompt \"And God\"", .prompt("And God")), ("prompt \"\"", .prompt("")),
    ("generate In the", .generateFrom("In the")),
    ("ask \"it's  5\"", .ask("it's  5")),
    ("probe 3", .probe(2)), ("limit", .limit), ("detach", .detach),
    ("weight jtp 0.2", ofKind(.jointToken, 0.2)), ("weight mtp x2", ofKind(.multiToken, 2, isFactor: true)),
    ("weight jtp-3 0.2", .weight(WeightChange(Head(.jointToken, number: 3), to: 0.2))),
    ("ntp further 0.5", .setting(SettingChange(.further, to: 0.5))),
    ("ntp likeliest 8", .setting(SettingChange(.likeliest, to: 8))),
    ("ntp teacher 0.5", .setting(SettingChange(.teacher, to: 0.5))),
    ("ntp teacher steps 2e3", .setting(SettingChange(.teacherSteps, to: 2000))),
    ("drawn share 0.25", .setting(SettingChange(.drawn, to: 0.25))),
    ("mtp alone 0", .setting(SettingChange(.alone, to: 0))),
  ]

  /// A change of all heads of a kind.
  private static func ofKind(_ kind: HeadKind, _ weight: Double, isFactor: Bool = false) -> Command {
    var change = WeightChange(kind.heads[0], to: weight)
    (change.isFactor, change.isOfKind) = (isFactor, true)
    return .weight(change)
  }

  @Test func `a change of all heads of a kind is one of each, which share or have the weight`() throws {
    let heads = [Head.ntp, .mtp(2), .mtp(3), Head(.jointToken, number: 2), Head(.jointToken, number: 3)]
    func parts(_ line: String, among heads: [Head]) throws -> [WeightChange] {
      guard case .weight(let change) = try Command(typed: line) else { return [] }
      return change.parts(among: heads) { $0 == .mtp(3) ? 0.2 : 0.5 }
    }
    let names = try parts("weight jtp 0.2", among: heads).map(\.name)
    #expect(names == ["jtp-2", "jtp-3"])
    #expect(try parts("weight jtp 0.2", among: heads).map(\.weight) == [0.1, 0.1])
    #expect(try parts("weight mtp 0.2", among: heads).map(\.weight) == [0.2, 0.2])
    #expect(try parts("weight mtp x2", among: heads).map(\.weight) == [1, 0.4])
    #expect(try parts("weight mtp-3 x2", among: heads) == [WeightChange(.mtp(3), to: 0.4)])
    #expect(try parts("weight jtp 0.2", among: [.ntp, .top]).isEmpty)
    #expect(try parts("weight top 0.2", among: heads).isEmpty)
    // Which of them changes most is asked about.
    guard case .weight(let change) = try Command(typed: "weight mtp 5") else { return }
    let jump = change.jump(among: heads) { $0 == .mtp(3) ? 0.2 : 1 }
    #expect(jump?.old == 0.2 && jump?.new == 5)
    let (small, none) = (change.jump(among: heads) { _ in 1 }, change.jump(among: [.ntp]) { _ in 0.1 })
    #expect(small == nil && none == nil)
  }

  @Test(arguments: lines) func `a line is its command, and a command its line`(line: String, command: Command) throws {
    #expect(try Command(typed: line) == command)
    #expect(try Command(typed: command.line) == command)
  }

  @Test func `an answer names its command, and the run file has it`() throws {
    for line in ["go", "stop", "abandon", "pause", "step", "undo", "evaluate", "detach"] {
      let word = try Command(typed: line).word
      #expect(word == line)
      #expect(Occurrence(.done, step: 1, time: 1, key: word, actor: .tell, text: "\(word): done").isRecorded)
    }
    #expect(!Occurrence(.done, step: 1, time: 1, key: "save", actor: .program, text: "save: done").isRecorded)
  }

  @Test func `a factor of a weight is resolved where the weight is known`() throws {
    guard case .weight(let change) = try Command(typed: "weight top x0.5") else {
      Issue.record("not a weight")
      return
    }
    #expect(change.isFactor && change.resolved(now: 0.8) == WeightChange(.top, to: 0.4))
  }

  static let wrong: [(String, String)] = [
    ("", "type a command"), ("rat 3", "did you mean “rate”"), ("rate", "rate: RATE|xFACTOR is missing"),
    ("rate fast", "“fast” is not a rate"), ("rate 2", "above 1"), ("weight", "is missing"),
    ("weight topp 1", "mean top"),
    ("weight top", "the weight of top is missing"), ("weight top 101", "from 0 to 100"),
    ("clip -1", "optimizer.clip must be"),
    ("clip x2", "not a number"), ("steps 1.5", "whole number"), ("steps +0", "whole number"),
    ("evaluate evry 5", "takes no argument"),
    ("pause now", "takes no argument"), ("rate scaled 3", "takes no argument"), ("rate hold x2", "is a factor"),
    ("rate hold 2", "above 1"), ("rate warmup", "is missing"), ("rate anneal 0", "from 1 on"),
    ("save as", "is missing"),
    ("save as 12", "begins with a letter"), ("save as a b", "one word"), ("save as best", "a meaning"),
    ("prompt " + String(repeating: "x", count: 301), "301"), ("ask", "is missing"), ("probe 0", "from 1 on"),
    ("step 0", "from 1 to"), ("until", "is missing"), ("until later", "loss<3.2"),
    ("until loss<-1", "above 0"), ("note", "is missing"), ("note \"\"", "empty"),
    ("note " + String(repeating: "x", count: 401), "401 bytes"),
    ("note " + String(repeating: "x", count: 2000), "has at most"),
    ("weight jtp", "the weight of jtp is missing"), ("weight jtp 101", "from 0 to 100"),
    ("weight jtp-1 1", "is not a head"), ("drawn share 1.5", "data.drawn.share must be"),
    ("ntp further -1", "objective.next.further must be"), ("ntp likeliest 0", "objective.next.likeliest must be"),
    ("ntp likeliest 2.5", "whole number"), ("ntp teacher steps 1.5", "whole number"), ("mtp alone", "N is missing"),
    ("ntp", "“ntp beta BETA”"), ("ntp bet 1", "“ntp teacher steps N”"), ("mtp", "“mtp alone N”"),
    ("weight nothing 1", "heads are ntp, mtp-2 to mtp-16, top, future, bag, jtp-2 to jtp-9"),
  ]

  @Test(arguments: wrong) func `a wrong line says what is wrong with it`(line: String, part: String) {
    do {
      let command = try Command(typed: line)
      Issue.record("\(line) is \(command)")
    } catch {
      #expect("\(error)".contains(part), "\(error)")
    }
  }

  @Test func `tab completes names and heads`() {
    func completed(_ text: String) -> [String] { CommandForm.completions(of: text, heads: [.ntp, .top]) }
    #expect(completed("ra") == ["rate ", "rate hold ", "rate scaled", "rate warmup ", "rate anneal "])
    #expect(completed("evaluate") == ["evaluate every "])
    #expect(completed("st") == ["steps ", "step ", "stop"])
    #expect(CommandForm.commonPrefix(of: completed("st")) == "st")
    #expect(completed("weight t") == ["weight top "])
    #expect(completed("weight ").count == 2 && completed("x").isEmpty)
    #expect(completed("").count == CommandForm.all.count)
    let joint = [Head.ntp, Head(.jointToken, number: 2), Head(.jointToken, number: 3)]
    #expect(
      CommandForm.completions(of: "weight j", heads: joint) == ["weight jtp-2 ", "weight jtp-3 ", "weight jtp "])
  }

  @Test(arguments: RunSetting.allCases) func `a setting is read where it was written, and only in range`(
    setting: RunSetting
  ) throws {
    var recipe = Recipe()
    // Shares are at most 1.
    let (value, other) = setting.accepts(3) ? (3, 2) : (0.75, 0.5)
    setting.set(value, in: &recipe)
    #expect(
      setting.value(in: recipe) == value && setting.accepts(value) && !setting.accepts(-5) && !setting.accepts(.nan))
    #expect(recipe != Recipe())
    // The schedule's course is changed by commands of its own.
    if !setting.key.hasPrefix("schedule.") {
      #expect(
        try Command(typed: "\(setting.words) \(setting.text(value))") == .setting(SettingChange(setting, to: value)))
    }
    recipe.take(
      Occurrence(.setting, step: 1, time: 1, key: setting.key, old: value, new: other, actor: .tell, text: ""))
    #expect(setting.value(in: recipe) == other)
    recipe.take(Occurrence(.setting, step: 1, time: 1, key: setting.key, old: other, new: -5, text: "-5"))
    #expect(setting.value(in: recipe) == other)
  }

  @Test func `a setting has the format of all counts in a sentence, and that of a command where it is typed`() {
    #expect(RunSetting.steps.figure(20_000) == "20 000" && RunSetting.steps.text(20_000) == "20000")
    #expect(RunSetting.decay.figure(0.05) == "0.05" && RunSetting.clip.figure(1000.5) == "1000.5")
    #expect(RunSetting.then.figure(0) == RunSetting.then.text(0))
  }

  @Test func `docs control lists every command`() throws {
    #expect(
      try Readme.section("commands", of: "docs/control.md", asWrittenBy: CommandForm.markdown) == CommandForm.markdown)
  }
}
