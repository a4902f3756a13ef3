// An experiment's table as CSV, JSON and Markdown.
import Run
import TerminalUI

extension ExperimentTable {
  /// CSV with a line per cell. Seconds are the last column, the only one that differs when the same experiment runs again.
  package var csv: String {
    var lines = [
      (["setting", "seed", "state", "step", "samples"] + metrics.map(CSV.field) + ["parameters", "seconds"]).joined(
        separator: ",")
    ]
    for (cell, result) in zip(cells, results) {
      let values = metrics.map { name in result.evaluation?.number(named: name).map { "\($0)" } ?? "" }
      lines.append(
        ([
          CSV.field(rows[cell.setting].name), "\(cell.recipe.seed)", result.word, "\(result.evaluation?.step ?? 0)",
          "\(result.samples)",
        ]
          + values + ["\(result.parameters)", Figure.fixed(result.active, 1)]).joined(separator: ","))
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// JSON: an object per cell, then an object per setting.
  package var json: [JSON] {
    let cells = zip(self.cells, results).map { cell, result -> JSON in
      .object([
        JSON.Member("cell", .text(cell.name)), JSON.Member("setting", .text(rows[cell.setting].name)),
        JSON.Member("seed", .unsigned(cell.recipe.seed)), JSON.Member("state", .text(result.word)),
        JSON.Member("step", .integer(result.evaluation?.step ?? 0)), JSON.Member("samples", .integer(result.samples)),
        JSON.Member(
          "values",
          .object(
            metrics.map { name in
              JSON.Member(name, result.evaluation?.number(named: name).map(JSON.double) ?? .null)
            })),
        JSON.Member("parameters", .integer(result.parameters)), JSON.Member("seconds", .double(result.active)),
      ])
    }
    return cells + rows.indices.map(settingJSON)
  }

  /// - Parameter index: of a row.
  private func settingJSON(_ index: Int) -> JSON {
    let row = rows[index]
    var members = [
      JSON.Member("setting", .text(row.name)), JSON.Member("over", .integer(row.over)),
      JSON.Member("cells", .integer(row.cells)), JSON.Member("diverged", .integer(row.diverged)),
    ]
    members += zip(metrics, row.values).map { name, value in
      guard let value else { return JSON.Member(name, .null) }
      return JSON.Member(
        name,
        .object([
          JSON.Member("mean", .double(value.mean)), JSON.Member("deviation", value.deviation.map(JSON.double) ?? .null),
          JSON.Member("count", .integer(value.count)),
        ]))
    }
    if let difference = row.difference { members.append(JSON.Member("difference", differenceJSON(difference))) }
    if index != against {
      members.append(
        JSON.Member(
          "differences",
          .object(zip(metrics, row.differences).map { JSON.Member($0, $1.map(differenceJSON) ?? .null) })))
    }
    if let curve = row.solved {
      let steps = curve.steps.map { step -> JSON in
        .object([
          JSON.Member("samples", .double(step.place)), JSON.Member("share", .double(step.share)),
          JSON.Member("lower", .double(step.lower)), JSON.Member("upper", .double(step.upper)),
          JSON.Member("atRisk", .integer(step.atRisk)),
        ])
      }
      members.append(JSON.Member("solved", .array(steps)))
    }
    members.append(JSON.Member("parameters", .integer(row.parameters)))
    if memory.indices.contains(index), let bytes = memory[index] {
      members.append(JSON.Member("memory", .integer(bytes)))
    }
    members += [
      JSON.Member("seconds", .double(row.time?.mean ?? 0)),
      JSON.Member("secondsDeviation", row.time?.deviation.map(JSON.double) ?? .null),
    ]
    return .object(members)
  }

  private func differenceJSON(_ difference: WelchInterval) -> JSON {
    .object([
      JSON.Member("against", .text(rows[against].name)), JSON.Member("mean", .double(difference.difference)),
      JSON.Member("lower", .double(difference.lower)), JSON.Member("upper", .double(difference.upper)),
      JSON.Member("freedom", .double(difference.freedom)), JSON.Member("p", .double(difference.p)),
    ])
  }

  /// The table as Markdown.
  package var markdown: String { Self.markdown(text) }

  private static func markdown(_ table: (header: [String], rows: [[String]])) -> String {
    let (header, rows) = table
    func line(_ cells: [String]) -> String {
      "| " + cells.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |"
    }
    return ([line(header), line(header.indices.map { $0 == 0 ? "---" : "---:" })] + rows.map(line)).joined(
      separator: "\n")
  }

  /// A page for docs/: the command, the table, the meaning of its columns, and a chart as text.
  /// - Parameters:
  ///   - sentence: a sentence on the experiment's subject; may be empty.
  ///   - chart: the chart as text; empty omits it.
  package func page(sentence: String, command: String, chart: String) -> String {
    let over = results.count(where: \.isOver)
    let seconds = results.reduce(0) { $0 + $1.active }
    var parts = ["# Experiment \(name)"]
    if !sentence.isEmpty { parts.append(sentence + ".") }
    parts.append("    " + command)
    parts.append(
      "\(over) of \(results.count) runs are over, with \(Figure.duration(seconds)) of training in all; "
        + "\(seedWords).")
    parts.append(markdown)
    parts += notes
    if let differenceText {
      parts.append("Differences of all values, each with its 95 % confidence interval (Welch):")
      parts.append(Self.markdown(differenceText))
    }
    if let base = recipe(of: against) {
      let lines = rows.indices.filter { $0 != against }.compactMap { setting -> String? in
        guard let recipe = recipe(of: setting) else { return nil }
        let differing = Recipe.fields.filter { $0.key != "seed" && $0.read(recipe) != $0.read(base) }
        let values = differing.map { "`\($0.key)` \($0.read(recipe).json.line)" }
        return values.isEmpty ? nil : "- \(rows[setting].name): \(values.joined(separator: ", "))"
      }
      if !lines.isEmpty {
        parts.append(
          "Recipe keys in which settings differ from \(rows[against].name):\n\n" + lines.joined(separator: "\n"))
      }
    }
    if !chart.isEmpty {
      parts.append(
        chart.split(separator: "\n", omittingEmptySubsequences: false).map { "    " + $0 }.joined(separator: "\n"))
    }
    return parts.joined(separator: "\n\n") + "\n"
  }
}

extension CellResult {
  /// The fate in a word: `open`, `solved`, `ended`, `diverged`.
  package var word: String { fate.rawValue }
}
