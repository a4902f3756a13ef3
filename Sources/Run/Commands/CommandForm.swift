// The language for steering a run. A line typed after `:`, an argument of `foretop tell` and a line on the socket are
// commands of this table; help, completion and docs/control.md are made from the table.

/// A row of the table of commands.
package struct CommandForm: Sendable {
  /// The kind of arguments after the name.
  enum Grammar: Sendable {
    case nothing(Command)
    case rate
    case weight
    case stepCount
    case setting(RunSetting)
    case condition
    case note
    case prompt
    case question
    case generation
    case name
    case probe
    case course(CourseChange.Course)
    case checkpoint
  }

  /// One or two words.
  package let name: String
  /// The arguments as a pattern; empty if there are none.
  package let arguments: String
  /// What the command does, for help and docs.
  package let about: String
  /// Example lines.
  package let examples: [String]
  let grammar: Grammar

  private init(_ name: String, _ arguments: String, _ grammar: Grammar, _ examples: [String], _ about: String) {
    self.name = name
    self.arguments = arguments
    self.grammar = grammar
    self.examples = examples
    self.about = about
  }

  private init(_ name: String, _ command: Command, _ about: String) {
    self.init(name, "", .nothing(command), [name], about)
  }

  private init(_ setting: RunSetting, _ arguments: String, _ examples: [String], _ about: String) {
    self.init(setting.words, arguments, .setting(setting), examples, about)
  }

  /// The pattern of a whole line: `rate RATE|xFACTOR`.
  package var usage: String { arguments.isEmpty ? name : "\(name) \(arguments)" }

  /// In the order of help and docs.
  package static let all: [CommandForm] = [
    CommandForm(
      "rate", "RATE|xFACTOR", .rate, ["rate 3e-4", "rate x0.5"],
      "changes the learning rate; the rest of the schedule is scaled by the same factor"),
    CommandForm(
      "rate hold", "[RATE]", .course(.hold), ["rate hold", "rate hold 3e-4"],
      "keeps the rate as it is, or at RATE, from the next step on"),
    CommandForm("rate scaled", "", .course(.scaled), ["rate scaled"], "lets the rate follow the schedule again"),
    CommandForm(
      "rate warmup", "N", .course(.warmup), ["rate warmup 200"],
      "warms up again: raises the rate from near 0 to the schedule's rate in N steps"),
    CommandForm(
      "rate anneal", "N", .course(.anneal), ["rate anneal 1000"],
      "lowers the rate linearly to the schedule's floor in N steps"),
    CommandForm(
      "weight", "HEAD WEIGHT|xFACTOR", .weight, ["weight top 0.5", "weight top x2", "weight jtp 0.2"],
      "changes the weight of a loss in the total loss; 0: the loss is measured, but not trained; mtp: of each MTP head; "
        + "jtp: of all JTP heads, which share it"),
    CommandForm(.clip, "NORM", ["clip 0.5"], "clips gradients whose norm is above NORM; 0: never"),
    CommandForm(
      .further, "FACTOR", ["ntp further 0.5"],
      "changes objective.next.further, the factor on the weights of the tokens after the next one"),
    CommandForm(
      .prefix, "WEIGHT", ["ntp prefix 0.1"], "changes objective.next.prefix, the first weight of prefix tokens"),
    CommandForm(
      .beta, "BETA", ["ntp beta 0.5"], "changes objective.next.beta, the exponent of the next token's weight"),
    CommandForm(
      .head, "LAMBDA", ["ntp head 0.1"],
      "changes objective.next.head, the share of the likeliest wrong tokens as targets"),
    CommandForm(.tail, "LAMBDA", ["ntp tail -0.1"], "changes objective.next.tail, the share of all other wrong tokens"),
    CommandForm(
      .likeliest, "K", ["ntp likeliest 8"],
      "changes objective.next.likeliest, the number of wrong tokens that “ntp head” is about"),
    CommandForm(
      .teacher, "WEIGHT", ["ntp teacher 0.2"], "changes objective.teacher.weight, the part of the teacher's prediction"),
    CommandForm(
      .teacherSteps, "N", ["ntp teacher steps 2000"],
      "changes objective.teacher.steps, the number of steps from the first on that use the teacher; 0: all"),
    CommandForm(
      .drawn, "SHARE", ["drawn share 0.1"],
      "changes data.drawn.share, the fraction of the input tokens that the network draws; 0: none"),
    CommandForm(
      .alone, "N", ["mtp alone 500"],
      "changes objective.mtp.alone, the number of steps from the first on in which MTP heads learn alone"),
    CommandForm(.decay, "DECAY", ["decay 0.05"], "changes the weight decay"),
    CommandForm(
      .steps, "N|+N", ["steps 20000", "steps +500"],
      "ends the run at step N, or N steps later than planned; the schedule is fitted to the new end"),
    CommandForm(.evaluateEvery, "N", ["evaluate every 200"], "evaluates every N steps; 0: only at the end"),
    CommandForm(.saveEvery, "N", ["save every 500"], "saves a checkpoint every N steps; 0: only at the end"),
    CommandForm(.sampleEvery, "N", ["sample every 100"], "samples text and order every N steps; 0: only at the end"),
    CommandForm("pause", .pause, "pauses the training; an unfinished step is discarded and computed again later"),
    CommandForm("go", .proceed, "continues after a pause"),
    CommandForm("step", "[N]", .stepCount, ["step", "step 5"], "takes one step, or N steps, then pauses"),
    CommandForm(
      "until", "STEP|loss<LOSS", .condition, ["until 2000", "until loss<3.2"],
      "continues, and pauses after step STEP, or when the first head's training loss is below LOSS"),
    CommandForm("save", .save, "saves a checkpoint, which is kept until it is removed by hand"),
    CommandForm(
      "save as", "NAME", .name, ["save as before-decay"],
      "saves a named checkpoint, which is kept until it is removed by hand; commands accept the name in place of its step"
    ),
    CommandForm("evaluate", .evaluate, "evaluates on the held-out text"),
    CommandForm(
      "generate", "[\"TEXT\"]", .generation, ["generate", "generate \"In the beginning\""],
      "generates text from the recipe's prompt, or from TEXT"),
    CommandForm(
      "prompt", "\"TEXT\"", .prompt, ["prompt \"And God\""], "changes the prompt of generated texts"),
    CommandForm(
      "ask", "\"TEXT\"", .question, ["ask \"In the\""],
      "shows the predictions after TEXT: NTP's likeliest tokens, a token of each MTP head, TOP's ranking"),
    CommandForm(
      "probe", "N", .probe, ["probe 3"], "shows the TOP head's ranking at the Nth probe, a held-out position"),
    CommandForm(
      "limit", .limit,
      "measures the machine's limit, in some 0.2 s: the tokens/s that the network's matrix products alone would allow; the machine "
        + "panel shows the run's share of the limit"),
    CommandForm("note", "\"TEXT\"", .note, ["note \"jumps here: why?\""], "adds a note to the run"),
    CommandForm(
      "undo", .undo,
      "takes back this session's last change of the rate, a weight, a setting or the prompt; again: the change before it"
    ),
    CommandForm(
      "back", "[STEP|best|NAME]", .checkpoint, ["back", "back 2000", "back best"],
      "goes back to a checkpoint, by default the last sound one before this step: saves and stops the run, and continues from the "
        + "checkpoint in a branch, a new run"),
    CommandForm("stop", .stop(saving: true), "saves and stops"),
    CommandForm("abandon", .stop(saving: false), "stops without saving"),
    CommandForm("detach", .detach, "detaches the run from its terminal; the run continues in the background"),
  ]

  /// The table as Markdown, for docs/control.md.
  package static var markdown: String {
    let rows = all.map { form in
      "| `\(form.usage.replacing("|", with: "\\|"))` | \(form.about) | \(form.examples.map { "`\($0)`" }.joined(separator: ", ")) |"
    }
    return (["| command | effect | examples |", "| --- | --- | --- |"] + rows).joined(separator: "\n")
  }

}
