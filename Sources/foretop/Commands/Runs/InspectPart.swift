// The parts of foretop inspect: summary, metrics, diagnostics, events, checkpoints, recipe, each as text and as JSON.
import ArgumentParser
import Dashboard
import Export
import Foundation
import Run
import RunFile
import TerminalUI

/// A part of a run that can be shown.
enum InspectPart: String, ExpressibleByArgument, CaseIterable {
  case summary, metrics, diagnostics, events, checkpoints, recipe

  /// Prints the part.
  /// - Parameters:
  ///   - glyphs: the characters of pictures.
  ///   - isJSON: true prints one object (summary, recipe) or one object per line.
  func show(_ archive: StoredRun, glyphs: Glyphs, isJSON: Bool) throws {
    switch self {
    case .summary: try Self.showSummary(archive, isJSON: isJSON)
    case .metrics: try Self.showMetrics(archive, isJSON: isJSON)
    case .diagnostics: try Self.showDiagnostics(archive, glyphs: glyphs, isJSON: isJSON)
    case .events: try Self.showEvents(archive, isJSON: isJSON)
    case .checkpoints: try Self.showCheckpoints(archive, isJSON: isJSON)
    case .recipe: print(isJSON ? archive.recipe.json.line : archive.recipe.yaml, terminator: isJSON ? "\n" : "")
    }
  }

  private static func showSummary(_ archive: StoredRun, isJSON: Bool) throws {
    let summary = try archive.listed()
    let beginning = archive.beginning
    if isJSON {
      print(JSON.object((summary.json.members ?? []) + beginning.members).line)
      return
    }
    var lines = [
      ["run", summary.name], ["state", summary.word],
      ["step", "\(Figure.grouped(summary.step)) of \(Figure.grouped(summary.steps))"],
      ["tokens", Figure.short(Double(summary.tokens))],
    ]
    let parameters = Figure.short(Double(summary.parameters))
    lines.append(["network", "\(parameters) parameters, vocabulary \(Figure.grouped(beginning.vocabulary))"])
    lines.append(["computed", "\(beginning.precision), \(Figure.threads(of: beginning))"])
    lines.append(["text", beginning.corpus])
    if !summary.last.isEmpty { lines.append(["loss", summary.last.words]) }
    if !summary.heldOut.isEmpty { lines.append(["held-out", summary.heldOut.words]) }
    if let best = summary.best, let head = summary.heads.first {
      lines.append(["best", "\(head.name) \(Figure.loss(Double(best)))"])
    }
    let steps = try archive.checkpoints().map { Figure.grouped($0.step) }
    lines.append(["checkpoints", steps.isEmpty ? "none" : "steps " + steps.joined(separator: ", ")])
    lines.append(["stored", "\(archive.folder), \(Figure.bytes(Double(summary.bytes)))"])
    if !summary.annotations.tags.isEmpty {
      lines.append(["tags", summary.annotations.tags.joined(separator: ", ")])
    }
    lines += summary.annotations.notes.map { ["note", "\(Clock.date($0.time))  \($0.text)"] }
    if let created = summary.created { lines.append(["created", Clock.date(created)]) }
    if let changed = summary.changed { lines.append(["changed", Clock.date(changed)]) }
    print(TextTable.text(lines, right: []))
  }

  /// Prints a selection of steps; JSON has all of them.
  private static let most = 24

  private static func showMetrics(_ archive: StoredRun, isJSON: Bool) throws {
    if isJSON {
      return try MetricLines.json(of: { _ = try archive.forEachNumber($0) }) { print($0, terminator: "") }
    }
    let (shown, count) = try archive.steps(spread: most)
    let evaluations = try archive.evaluations()
    guard let first = shown.first else {
      let start = archive.beginning.step
      print(
        start == 0
          ? "run “\(archive.name)” has taken no step yet"
          : "run “\(archive.name)” begins at the checkpoint of step \(Figure.grouped(start)), and has taken no step since"
      )
      return
    }
    let heads = first.losses.map(\.head)
    // What is trained in the place of the plain loss, and the entropy there.
    let beside = [("TRAINED", \HeadLoss.trained), ("ENTROPY", \HeadLoss.entropy)].filter { _, path in
      shown.contains { report in report.losses.contains { $0[keyPath: path] != nil } }
    }
    let header =
      ["STEP", "TOKENS"] + heads.map { $0.name.uppercased() } + beside.map(\.0) + ["RATE", "GRADIENT", "TOKENS/S"]
    let rows = shown.map { report -> [String] in
      let further = beside.map { _, path -> String in
        report.losses.compactMap { $0[keyPath: path] }.first.map { Figure.loss(Double($0)) } ?? ""
      }
      return [Figure.grouped(report.step), Figure.short(Double(report.tokens))]
        + heads.map { head in Self.loss(of: head, in: report.losses) } + further
        + [
          Figure.rate(report.rate), Figure.loss(Double(report.gradientNorm)), Figure.short(report.tokensPerSecond),
        ]
    }
    print(TextTable.text([header] + rows, right: Set(header.indices)))
    if shown.count < count {
      print("\(shown.count) of \(Figure.grouped(count)) steps; --json and “foretop export --to csv” have all")
    }
    guard !evaluations.isEmpty else { return }
    let heldOut = ["HELD-OUT"] + heads.map { $0.name.uppercased() } + [""]
    let rest = evaluations.suffix(most).map { evaluation in
      [Figure.grouped(evaluation.step)] + heads.map { Self.loss(of: $0, in: evaluation.losses) }
        + [evaluation.isBest ? "best so far" : ""]
    }
    print("\n" + TextTable.text([heldOut] + rest, right: Set(0...heads.count)))
    if rest.count < evaluations.count {
      print("the last \(rest.count) of \(Figure.grouped(evaluations.count)) evaluations")
    }
    if evaluations.contains(where: { !$0.diagnostics.isEmpty }) {
      print("“foretop inspect NAME diagnostics” has what measure.* measured")
    }
  }

  private static func loss(of head: Head, in losses: [HeadLoss]) -> String {
    losses.first { $0.head == head }.map { Figure.loss(Double($0.loss)) } ?? ""
  }

  private static func showEvents(_ archive: StoredRun, isJSON: Bool) throws {
    var lines = Lines(secondsFromGMT: Clock.secondsFromGMT)
    for event in try archive.happenings() {
      switch event {
      case .stepped, .summedUp, .confirmed, .gap: break
      case .mapped: if isJSON { print(event.json) }
      case .began, .evaluated, .ordered, .wrote, .occurred, .ended:
        if isJSON {
          print(event.json)
        } else if let line = lines.line(for: event.withAnswersSaid, now: 0) {
          print(line)
        }
      }
    }
  }

  private static func showCheckpoints(_ archive: StoredRun, isJSON: Bool) throws {
    let checkpoints = try archive.checkpoints()
    var losses: [Int: Evaluation] = [:]
    for evaluation in try archive.evaluations() { losses[evaluation.step] = evaluation }
    let verdicts = checkpoints.map { archive.verdict(onCheckpoint: $0.step) }
    let best = verdicts.lastIndex { $0?.isBest == true }.map { checkpoints[$0].step }
    if isJSON {
      for (checkpoint, verdict) in zip(checkpoints, verdicts) {
        var members = [
          JSON.Member("step", .integer(checkpoint.step)), JSON.Member("bytes", .integer(checkpoint.bytes)),
          JSON.Member("time", .double(checkpoint.time)), JSON.Member("file", .text(checkpoint.file)),
          JSON.Member("heldout", .object(losses[checkpoint.step]?.losses.json ?? [])),
          JSON.Member("isBest", .flag(checkpoint.step == best)),
        ]
        if let verdict { members.append(JSON.Member("isSpoilt", .flag(verdict.isSpoilt))) }
        if let name = archive.keptName(ofCheckpoint: checkpoint.step) {
          members += [JSON.Member("isKept", .flag(true))] + (name.isEmpty ? [] : [JSON.Member("name", .text(name))])
        }
        print(JSON.object(members).line)
      }
      return
    }
    guard !checkpoints.isEmpty else {
      print("run “\(archive.name)” has no checkpoint")
      return
    }
    let rows = zip(checkpoints, verdicts).map { checkpoint, verdict in
      [
        Figure.grouped(checkpoint.step), Figure.bytes(Double(checkpoint.bytes)), Clock.date(checkpoint.time),
        (losses[checkpoint.step].map { $0.losses.words } ?? "") + (checkpoint.step == best ? "  best" : "")
          + (verdict?.isSpoilt == true ? "  spoilt" : "")
          + (archive.keptName(ofCheckpoint: checkpoint.step).map { $0.isEmpty ? "  kept" : "  kept as \($0)" } ?? ""),
        checkpoint.file,
      ]
    }
    print(TextTable.text([["STEP", "SIZE", "SAVED", "HELD-OUT", "FILE"]] + rows, right: [0, 1]))
  }
}

extension Event {
  /// The event, with a `done` answer turned into a notice if no other line names who asked.
  fileprivate var withAnswersSaid: Event {
    guard case .occurred(var occurrence) = self, occurrence.kind == .done else { return self }
    let tells = [Command.proceed, .save].map(\.word).contains(occurrence.key) && occurrence.actor != .program
    if tells || occurrence.tellsWhoAsked { occurrence.kind = .notice }
    return .occurred(occurrence)
  }
}

extension Beginning {
  /// The lines that the list of runs does not have.
  fileprivate var members: [JSON.Member] {
    [
      JSON.Member("threads", .integer(threads)), JSON.Member("precision", .text(precision)),
      JSON.Member("corpus", .text(corpus)), JSON.Member("vocabulary", .integer(vocabulary)),
      JSON.Member("trainingTokens", .integer(trainingTokens)), JSON.Member("heldOutTokens", .integer(heldOutTokens)),
      JSON.Member("unigramEntropy", .double(unigramEntropy)),
    ]
  }
}
