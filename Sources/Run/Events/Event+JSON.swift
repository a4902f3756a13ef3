// Events as `--json` prints them: one object a line. The numbers of steps and evaluations go by the metric table.

extension Event {
  /// One JSON object in one line, without the line end.
  package var json: String { object.line }

  fileprivate var object: JSON {
    switch self {
    case .began(let beginning): beginning.object
    case .stepped(let report):
      Metric.ofSteps(heads: report.losses.map(\.head)).object(of: report, event: "step", last: ["time", "active"])
    case .summedUp(let steps):
      .event("steps", [("step", .integer(steps.mean.step)), ("count", .integer(steps.count))])
    case .evaluated(let evaluation): evaluation.object
    case .ordered(let sample): sample.object
    case .mapped(let map): map.object
    case .wrote(let sample):
      .event("text", [("step", .integer(sample.step)), ("prompt", .text(sample.prompt)), ("text", .text(sample.text))])
    case .occurred(let occurrence): occurrence.object
    case .confirmed(let number): .event("confirmed", [("confirms", .integer(number))])
    case .gap(let gap): gap.object
    case .ended(let ending):
      .event(
        "end",
        [("reason", .text(ending.reason.rawValue)), ("step", .integer(ending.step)), ("time", .double(ending.time))])
    }
  }
}

extension NumberedEvent {
  /// The event's JSON object in one line, without the line end; its number is the last member. An occurrence that a crash could
  /// still undo says `"confirmed":false`, and an event of its own confirms it.
  package var json: String {
    var object = event.object
    if case .occurred(let occurrence) = event, occurrence.needsConfirmation {
      object.put(.flag(false), at: ["confirmed"])
    }
    object.put(.integer(number), at: ["number"])
    return object.line
  }
}

extension EventGap {
  fileprivate var object: JSON {
    var members: [(String, JSON)] = [("steps", .integer(steps))]
    if let firstStep { members.append(("firstStep", .integer(firstStep))) }
    if let lastStep { members.append(("lastStep", .integer(lastStep))) }
    return .event("gap", members + [("others", .integer(others))])
  }
}

extension Recipe {
  /// Every key, in sections.
  package var json: JSON {
    var object = JSON.object([])
    for field in Self.fields { object.put(field.read(self).json, at: field.key.split(separator: ".")) }
    return object
  }
}

extension [HeadLoss] {
  /// `"loss":{…},"kl":{…},"accuracy":{…}`, as in a step or an evaluation.
  package var json: [JSON.Member] {
    let divergences = compactMap { loss in loss.kl.map { JSON.Member(loss.head.name, .float($0)) } }
    let accuracies = compactMap { loss in loss.accuracy.map { JSON.Member(loss.head.name, .float($0)) } }
    return [JSON.Member("loss", .object(map { JSON.Member($0.head.name, .float($0.loss)) }))]
      + (divergences.isEmpty ? [] : [JSON.Member("kl", .object(divergences))])
      + (accuracies.isEmpty ? [] : [JSON.Member("accuracy", .object(accuracies))])
  }
}

extension OrderQuality {
  /// `"order":{…}`, as in an evaluation.
  package var json: JSON.Member {
    JSON.Member("order", .object(parts.map { JSON.Member($0.name, .float($0.value)) }))
  }
}

extension JSON {
  fileprivate static func event(_ name: String, _ members: [(String, JSON)]) -> JSON {
    .object([Member("event", .text(name))] + members.map { Member($0.0, $0.1) })
  }
}

extension Array {
  /// A report by its metrics' keys; those named `last` come after the others.
  fileprivate func object<Report>(of report: Report, event: String, last: Set<String>) -> JSON
  where Element == Metric<Report> {
    var object = JSON.object([JSON.Member("event", .text(event))])
    for metric in filter({ !last.contains($0.key) }) + filter({ last.contains($0.key) }) {
      guard let value = metric.json(of: report) else { continue }
      object.put(value, at: metric.key.split(separator: "."))
    }
    return object
  }
}

extension Metric {
  /// The number with the precision that the run file keeps.
  private func number(_ value: Double) -> JSON {
    switch storage {
    case .float32: .float(Float(value))
    case .float64: .double(value)
    case .unsigned64: .integer(Int(value))
    }
  }

  fileprivate func json(of report: Report) -> JSON? { value(report).map(number) }
}

extension Beginning {
  fileprivate var object: JSON {
    let from: [(String, JSON)] =
      parent.map { [("parent", .text($0.name)), ("parentStep", .integer($0.step))] } ?? []
    return .event(
      "begin",
      [
        ("name", .text(name)), ("step", .integer(step)), ("tokens", .integer(tokens)), ("time", .double(time)),
        ("parameters", .integer(parameters)), ("threads", .integer(threads)), ("ranks", .integer(ranks)),
        ("precision", .text(precision)),
        ("corpus", .text(corpus)), ("vocabulary", .integer(vocabulary)), ("trainingTokens", .integer(trainingTokens)),
        ("heldOutTokens", .integer(heldOutTokens)), ("unigramEntropy", .double(unigramEntropy)),
        ("recipe", recipe.json),
      ] + from)
  }
}

extension Evaluation {
  fileprivate var object: JSON {
    var object = Metric.ofEvaluations(content).object(
      of: self, event: "heldout", last: ["time", "seconds"])
    // What is read back from a run file does not know them.
    for loss in losses where loss.positions > 0 {
      object.put(.integer(loss.positions), at: ["positions", loss.head.name])
    }
    object.put(.flag(isBest), at: ["isBest"])
    return object
  }
}

extension OrderSample {
  fileprivate var object: JSON {
    let upcoming = JSON.objects(upcoming) { token in
      [
        JSON.Member("token", .text(token.token)), JSON.Member("distance", .integer(token.distance)),
        JSON.Member("weight", .float(token.weight)), JSON.Member("rank", .integer(token.rank)),
      ]
    }
    return .event(
      "order",
      [
        ("step", .integer(step)), ("probe", .integer(probe)), ("probes", .integer(probes)),
        ("context", .array(context.map(JSON.text))), ("upcoming", upcoming),
        ("ranking", .array(ranking.map(JSON.text))), ("ndcg8", .float(ndcg8)), ("tau", .float(tau)),
        ("recall8", .float(recall8)), ("reciprocalRank", .float(reciprocalRank)),
      ] + (further ?? []).map { ($0.head, $0.choice.json) })
  }
}

extension Occurrence {
  fileprivate var object: JSON {
    var members: [(String, JSON)] = [
      ("kind", .text(kind.rawValue)), ("step", .integer(step)), ("time", .double(time)),
      ("actor", .text(actor.rawValue)),
    ]
    if let tokens { members.append(("tokens", .integer(tokens))) }
    if !key.isEmpty { members.append(("key", .text(key))) }
    if let old { members.append(("old", .double(old))) }
    if let new { members.append(("new", .double(new))) }
    if let request { members.append(("request", .integer(request))) }
    members.append(("text", .text(text)))
    if let expectation { members.append(("expectation", expectation.json)) }
    return .event("occurrence", members)
  }
}
