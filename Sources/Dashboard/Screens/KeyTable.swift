// The table of all keys of a run's screen. The dispatcher, the footer, the help page and the table in docs/screen.md read it.
import TerminalUI

/// The effect of a key.
enum Action: Hashable, Sendable {
  case pause, stepOnce
  case rateUp, rateDown, rateDouble, rateHalve, typeRate, chooseCourse, weights, undo, commandLine
  case save, evaluate, generate, goBack, ask
  case previousProbe, nextProbe, earlierSample
  case axis, logarithm, wholeRange, smoother, rougher, unsmoothed
  case closer, wider, cursorLeft, cursorRight, eventKinds
  case focusNext, focusPrevious, open, back, up, down, pageUp, pageDown, first, last
  case layout(Int)
  case palette, glyphs
  case tensors, runs
  case help, quit, interrupt, redraw
}

/// A row of the key table: keys that belong together.
package struct KeyLine: Sendable {
  package enum Group: String, Sendable, CaseIterable {
    case training = "the training"
    case chart = "the chart"
    case screen = "the screen"
  }

  let strokes: [(key: Key, action: Action)]
  /// The keys as the help page writes them: `] [`.
  package let keys: String
  /// A word or two for the footer; a row with an empty label is not in the footer.
  let label: String
  /// Their effect, for the help page.
  package let text: String
  package let group: Group

  fileprivate init(
    _ group: Group, _ strokes: [(Key, Action)], shown keys: String? = nil, label: String = "", _ text: String
  ) {
    self.group = group
    self.strokes = strokes.map { (key: $0.0, action: $0.1) }
    self.keys = keys ?? strokes.map(\.0.name).joined(separator: " ")
    self.label = label
    self.text = text
  }
}

/// The keys.
package enum KeyTable {
  /// The rows, in the order of the help page.
  package static let lines: [KeyLine] = [
    KeyLine(.training, [(.space, .pause)], label: "pause", "pause or continue the training"),
    KeyLine(
      .training, [(.character("]"), .rateUp), (.character("["), .rateDown)], label: "rate",
      "raise, lower the learning rate by 10 %"),
    KeyLine(
      .training, [(.character("}"), .rateDouble), (.character("{"), .rateHalve)], label: "×2 ÷2",
      "double, halve the learning rate"),
    KeyLine(
      .training, [(.character("l"), .typeRate)], label: "type rate", "type a learning rate: 3e-4, or a factor: x0.5"),
    KeyLine(
      .training, [(.character("L"), .chooseCourse)],
      "choose how the rate goes on: scaled, held, warmed up again, annealed"),
    KeyLine(
      .training, [(.character("w"), .weights)], label: "weights", "type the weight of a loss: 0.5, or a factor: x2"),
    KeyLine(.training, [(.character("u"), .undo)], "undo the last change: rate, weight, setting or prompt"),
    KeyLine(
      .training, [(.character(":"), .commandLine)], label: "command",
      "type a command, such as until 2000; tab completes"),
    KeyLine(
      .training, [(.character("."), .stepOnce)], label: "step", "take one step, then pause; type 5. for five steps"),
    KeyLine(.training, [(.character("s"), .save)], label: "save", "save a checkpoint"),
    KeyLine(
      .training, [(.character("r"), .goBack)], label: "back",
      "go back to a checkpoint: a list with losses; the run goes on as a branch"),
    KeyLine(.training, [(.character("e"), .evaluate)], label: "evaluate", "evaluate on the held-out text"),
    KeyLine(.training, [(.character("g"), .generate)], label: "generate", "generate some text"),
    KeyLine(
      .training, [(.character("t"), .ask)], label: "ask",
      "type a text, and see which tokens the heads expect after it"),
    KeyLine(
      .training, [(.character("<"), .previousProbe), (.character(">"), .nextProbe)], label: "probe",
      "show the previous, the next TOP probe"),
    KeyLine(
      .training, [(.character(","), .earlierSample)], shown: ", .",
      "compare the probe with an earlier sample; then . goes to later ones"),
    KeyLine(
      .training, [(.character("q"), .quit)], label: "quit",
      "quit: save and stop, continue in the background, or abandon"
    ),
    KeyLine(.training, [(.control("c"), .interrupt)], "save and stop"),
    KeyLine(.chart, [(.character("x"), .axis)], label: "axis", "x axis: step, tokens, time, active time"),
    KeyLine(
      .chart, [(.left, .cursorLeft), (.right, .cursorRight)], label: "cursor",
      "move a cursor that reads every line and shows nearby events; esc removes it"),
    KeyLine(
      .chart, [(.character("z"), .closer), (.character("Z"), .wider)], label: "zoom",
      "zoom in or out around the cursor, or at the newest step; end follows it"),
    KeyLine(.chart, [(.character("y"), .logarithm)], label: "log", "y axis: linear, logarithmic"),
    KeyLine(
      .chart, [(.character("Y"), .wholeRange)], label: "whole range",
      "y axis: usual values (▴ marks those beyond the axis), or all values"),
    KeyLine(
      .chart,
      [
        (.character("+"), .smoother), (.character("="), .smoother), (.character("-"), .rougher),
        (.character("0"), .unsmoothed),
      ], shown: "+ - 0", label: "smooth", "smoothing: more, less, none"),
    KeyLine(.screen, [(.character("?"), .help)], label: "help", "show the keys"),
    KeyLine(
      .screen, [(.tab, .focusNext), (.backTab, .focusPrevious)], shown: "tab", label: "focus",
      "focus the next panel (with shift: the previous)"),
    KeyLine(
      .screen, [(.enter, .open), (.escape, .back)], shown: "enter esc", label: "full screen",
      "show the focused panel, or the losses, full screen; leave full screen"),
    KeyLine(
      .screen, [(.up, .up), (.down, .down), (.character("k"), .up), (.character("j"), .down)], shown: "↑ ↓",
      "scroll the focused panel (also k, j)"),
    KeyLine(
      .screen, [(.pageUp, .pageUp), (.pageDown, .pageDown), (.home, .first), (.end, .last)], shown: "pgup pgdn",
      "scroll by pages; home and end go to the ends"),
    KeyLine(
      .screen, [(.character("f"), .eventKinds)], "show all events, user actions, evaluations, or saves"),
    KeyLine(
      .screen, (1...9).map { (.character(Character(String($0))), .layout($0)) }, shown: "1…9", label: "layout",
      "choose a layout from layouts/: 1 is train"),
    KeyLine(.screen, [(.character("T"), .tensors)], "show the tensors of a stored run's checkpoints"),
    KeyLine(.screen, [(.character("R"), .runs)], "list all runs; a run that another process trains goes on"),
    KeyLine(.screen, [(.character("c"), .palette)], "change the colours: next palette"),
    KeyLine(.screen, [(.character("b"), .glyphs)], "change the characters: braille, blocks, ASCII"),
    KeyLine(.screen, [(.control("l"), .redraw)], "redraw the screen"),
  ]

  /// The rows of the footer, the most important first.
  static let footer: [KeyLine] = {
    let first: [Action] = [.pause, .rateUp, .quit, .help, .typeRate, .save, .evaluate, .generate, .stepOnce]
    let ranked = first.compactMap { action in lines.first { $0.strokes[0].action == action } }
    return ranked + lines.filter { line in !line.label.isEmpty && !first.contains(line.strokes[0].action) }
  }()

  private static let actions: [Key: Action] = {
    var actions: [Key: Action] = [:]
    for line in lines {
      for stroke in line.strokes {
        precondition(actions[stroke.key] == nil, "the key \(stroke.key.name) is in the table twice")
        actions[stroke.key] = stroke.action
      }
    }
    return actions
  }()

  static func action(of key: Key) -> Action? { actions[key] }

  /// The table as Markdown, for docs/screen.md.
  package static var markdown: String {
    var rows = ["| key | does |", "| --- | --- |"]
    for line in lines {
      let keys = line.keys.split(separator: " ").map { "`\($0)`" }.joined(separator: " ")
      rows.append("| \(keys) | \(line.text) |")
    }
    return rows.joined(separator: "\n")
  }
}
