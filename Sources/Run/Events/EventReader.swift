// Events as `--json` prints them, read back: what a screen on another process's run is made from.

/// Reads a stream of events, one JSON object each.
package struct EventReader: Sendable {
  /// The metrics of the last step and the last evaluation, by the names of their heads: all of a run have the same.
  private var steps: (names: [String]?, metrics: [Metric<StepReport>]) = (nil, [])
  private var evaluations: (names: [String]?, metrics: [Metric<Evaluation>]) = (nil, [])

  package init() {}

  /// Reads an event with its number.
  /// - Returns: nil for an event of a kind that this version does not know.
  /// - Throws: `UserError` that names the key whose value is missing or wrong.
  package mutating func read(_ object: JSON) throws(UserError) -> NumberedEvent? {
    guard let kind = object["event"]?.string else { throw Self.fault("event") }
    let event: Event
    switch kind {
    case "begin": event = .began(try Beginning(object))
    case "step": event = .stepped(try step(object))
    case "heldout": event = .evaluated(try evaluation(object))
    case "order": event = .ordered(try OrderSample(object))
    case "memory": event = .mapped(try MemoryMap(object))
    case "text":
      event = .wrote(
        TextSample(step: try object.whole("step"), prompt: try object.text("prompt"), text: try object.text("text")))
    case "occurrence":
      guard let occurrence = try Occurrence(object) else { return nil }
      event = .occurred(occurrence)
    case "confirmed": event = .confirmed(number: try object.whole("confirms"))
    case "gap": event = .gap(EventGap(object))
    case "end":
      guard let reason = Ending.Reason(rawValue: try object.text("reason")) else { throw Self.fault("reason") }
      event = .ended(Ending(reason, step: try object.whole("step"), time: try object.decimal("time")))
    default: return nil
    }
    return NumberedEvent(try object.whole("number"), event)
  }

  static func fault(_ key: String) -> UserError {
    UserError(.data, "an event has no “\(key)” that this version of foretop reads")
  }

  private mutating func step(_ object: JSON) throws(UserError) -> StepReport {
    let names = object["loss"]?.members?.map(\.key) ?? []
    if names != steps.names { steps = (names, Metric.ofSteps(heads: Head.all.filter { names.contains($0.name) })) }
    var report = StepReport.empty
    for metric in steps.metrics { try metric.take(from: object, into: &report) }
    return report
  }

  private mutating func evaluation(_ object: JSON) throws(UserError) -> Evaluation {
    let losses = object["loss"]?.members?.map(\.key) ?? []
    let parts = object["gradient"]?.members?.map(\.key) ?? []
    let paths = object["accuracy"]?.members?.count { $0.key.hasPrefix("path") } ?? 0
    let hasTask = object["task"] != nil
    let memories = object["memory"]?["output"]?.members?.map(\.key) ?? []
    let diagnostics = DiagnosticKind.all.flatMap { kind in
      (object[kind.name]?.members ?? []).map { "\(kind.name)/\($0.key)" }
    }
    let names = losses + parts + memories + diagnostics + ["\(paths) \(hasTask)"]
    if names != evaluations.names {
      let content = EvaluationContent(
        heads: Head.all.filter { losses.contains($0.name) }, path: paths, hasTask: hasTask,
        groups: parts.compactMap(TensorGroup.init(name:)), memories: memories.compactMap(TensorGroup.init(name:)),
        diagnostics: diagnostics.map { DiagnosticNumber($0) })
      evaluations = (names, Metric.ofEvaluations(content))
    }
    var evaluation = Evaluation(
      step: 0, tokens: 0, time: 0, losses: [], isBest: object["isBest"]?.isTrue ?? false, seconds: 0)
    for metric in evaluations.metrics { try metric.take(from: object, into: &evaluation) }
    for index in evaluation.losses.indices {
      evaluation.losses[index].positions =
        object["positions"]?[evaluation.losses[index].head.name]?.whole ?? 0
    }
    return evaluation
  }
}

extension Metric {
  /// Takes the metric's number out of an event.
  fileprivate func take(from object: JSON, into report: inout Report) throws(UserError) {
    var place: JSON? = object
    for name in key.split(separator: ".") { place = place?[String(name)] }
    guard let value = place?.anyNumber else {
      if isOptional { return }
      throw EventReader.fault(key)
    }
    guard storage != .unsigned64 || (0...9e15).contains(value) else { throw EventReader.fault(key) }
    restore(&report, value)
  }
}

extension JSON {
  /// A number, one that is not finite included: those are texts in JSON.
  fileprivate var anyNumber: Double? {
    switch string {
    case "NaN": .nan
    case "Infinity": .infinity
    case "-Infinity": -.infinity
    default: number
    }
  }

  fileprivate func whole(_ key: String) throws(UserError) -> Int {
    guard let value = self[key]?.whole else { throw EventReader.fault(key) }
    return value
  }

  fileprivate func decimal(_ key: String) throws(UserError) -> Double {
    guard let value = self[key]?.anyNumber else { throw EventReader.fault(key) }
    return value
  }

  fileprivate func text(_ key: String) throws(UserError) -> String {
    guard let value = self[key]?.string else { throw EventReader.fault(key) }
    return value
  }

  fileprivate func texts(_ key: String) throws(UserError) -> [String] {
    guard let values = self[key]?.elements else { throw EventReader.fault(key) }
    return values.compactMap(\.string)
  }
}

extension Beginning {
  fileprivate init(_ object: JSON) throws(UserError) {
    guard let recipe = object["recipe"] else { throw EventReader.fault("recipe") }
    self.init(
      name: try object.text("name"), recipe: try Recipe(recipe), step: try object.whole("step"),
      tokens: try object.whole("tokens"), time: try object.decimal("time"),
      parameters: try object.whole("parameters"), threads: try object.whole("threads"),
      precision: try object.text("precision"), corpus: try object.text("corpus"),
      vocabulary: try object.whole("vocabulary"), trainingTokens: try object.whole("trainingTokens"),
      heldOutTokens: try object.whole("heldOutTokens"), unigramEntropy: try object.decimal("unigramEntropy"))
    // Older foretops did not write it.
    if object["ranks"] != nil { ranks = try object.whole("ranks") }
  }
}

extension Recipe {
  /// Reads what `json` makes. Keys that it lacks keep their default, and keys that this version does not know are passed over.
  package init(_ object: JSON) throws(UserError) {
    self.init()
    for field in Self.fields {
      var place: JSON? = object
      for name in field.key.split(separator: ".") { place = place?[String(name)] }
      guard let place else { continue }
      guard let content = field.content(of: place) else { throw EventReader.fault("recipe.\(field.key)") }
      field.write(&self, content)
    }
  }
}

extension Recipe.Field {
  /// A value in JSON as the key has it; nil where it is of another type, or out of the key's range.
  fileprivate func content(of value: JSON) -> Content? {
    switch kind {
    case .integer(let range): value.whole.flatMap { range.contains($0) ? .integer($0) : nil }
    case .unsigned:
      if case .unsigned(let number) = value {
        .unsigned(number)
      } else {
        value.whole.flatMap(UInt64.init(exactly:)).map(Content.unsigned)
      }
    case .number(let bounds): value.number.flatMap { bounds.contains($0) ? .number($0) : nil }
    case .flag: value.isTrue.map(Content.flag)
    case .text: value.string.map(Content.text)
    case .texts: value.elements.map { .texts($0.compactMap(\.string)) }
    case .numbers: value.elements.map { .numbers($0.compactMap(\.number)) }
    case .choice(let choices): value.string.flatMap { choices.contains($0) ? .text($0) : nil }
    }
  }
}

extension OrderSample {
  fileprivate init(_ object: JSON) throws(UserError) {
    var upcoming: [Upcoming] = []
    for token in object["upcoming"]?.elements ?? [] {
      upcoming.append(
        Upcoming(
          token: try token.text("token"), distance: try token.whole("distance"),
          weight: Float(try token.decimal("weight")), rank: try token.whole("rank")))
    }
    self.init(
      step: try object.whole("step"), probe: try object.whole("probe"), probes: try object.whole("probes"),
      context: try object.texts("context"), upcoming: upcoming, ranking: try object.texts("ranking"),
      ndcg8: Float(try object.decimal("ndcg8")), tau: Float(try object.decimal("tau")),
      recall8: Float(try object.decimal("recall8")), reciprocalRank: Float(try object.decimal("reciprocalRank")))
    let choices = Expectation(object).further
    if !choices.isEmpty { further = choices }
  }
}

extension Occurrence {
  /// Nil for one of a kind, or by somebody, that this version does not know.
  fileprivate init?(_ object: JSON) throws(UserError) {
    guard let kind = Subject(rawValue: try object.text("kind")), let actor = Actor(rawValue: try object.text("actor"))
    else { return nil }
    self.init(
      kind, step: try object.whole("step"), time: try object.decimal("time"), key: object["key"]?.string ?? "",
      old: object["old"]?.anyNumber, new: object["new"]?.anyNumber, actor: actor, request: object["request"]?.whole,
      text: try object.text("text"))
    tokens = object["tokens"]?.whole
    expectation = object["expectation"].map(Expectation.init)
  }
}

extension EventGap {
  fileprivate init(_ object: JSON) {
    self.init()
    firstStep = object["firstStep"]?.whole
    lastStep = object["lastStep"]?.whole
    steps = object["steps"]?.whole ?? 0
    others = object["others"]?.whole ?? 0
  }
}
