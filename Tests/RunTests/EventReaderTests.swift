// Events as JSON, read back.
import Run
import Support
import Testing

struct EventReaderTests {
  private static let losses = [
    HeadLoss(head: .ntp, loss: 8.3, accuracy: nil, positions: 0),
    HeadLoss(head: .top, loss: .infinity, kl: 7.25, weight: 0.5, positions: 0),
  ]

  private static var recipe: Recipe {
    var recipe = Recipe()
    recipe.steps = 77
    recipe.seed = .max
    recipe.data.paths = ["a \u{1b} b"]
    recipe.objective.mtp.weights = [0.25, 0.5]
    return recipe
  }

  static let events: [Event] = [
    .began(
      Beginning(
        name: "a", recipe: recipe, step: 3, tokens: 7, time: 1.5, parameters: 10, threads: 2, precision: "bf16",
        corpus: "text", vocabulary: 5, trainingTokens: 100, heldOutTokens: 9, unigramEntropy: 2.5)),
    .stepped(
      StepReport(
        step: 1, tokens: 4096, time: 1_700_000_000.5, active: 0.25, total: .nan, losses: losses, rate: 0.1,
        gradientNorm: 1.5, tokensPerSecond: 8000,
        phases: Phases(data: 0.125, forward: 0.25, heads: 0.5, backward: 1, update: 2))),
    .evaluated(
      Evaluation(
        step: 2, tokens: 9, time: 2.5,
        losses: [HeadLoss(head: .ntp, loss: 3, accuracy: 0.5, weight: 1, positions: 40)], order: nil, isBest: true,
        seconds: 0.5)),
    .evaluated(
      Evaluation(
        step: 3, tokens: 9, time: 2.5,
        losses: [HeadLoss(head: .ntp, loss: 3, accuracy: 0.5, positions: 40, gradientAtH: 0.125)],
        gradients: [
          GroupGradient(group: .tables, norm: 0.5, update: .nan),
          GroupGradient(group: .block(11), norm: 2, update: 1e-3),
          GroupGradient(group: .furtherHead(0), norm: 3, update: 2e-3),
          GroupGradient(group: .heads, norm: 4, update: 5e-3),
        ], isBest: false, seconds: 0.5)),
    .ordered(
      OrderSample(
        step: 4, probe: 1, probes: 16, context: ["a", "b"],
        upcoming: [.init(token: "c", distance: 1, weight: 0.5, rank: 3)], ranking: ["x"], ndcg8: 0.5, tau: -1,
        recall8: 0.25, reciprocalRank: 0.125)),
    .wrote(TextSample(step: 4, prompt: "p", text: "line\nline")),
    .occurred(
      Occurrence(
        .rate, step: 5, time: 2.25, key: "rate", old: 1e-3, new: 5e-4, actor: .attached(4711), request: 3, text: "t")),
    .confirmed(number: 9),
    .ended(Ending(.stopped, step: 9, time: 3.5)),
  ]

  @Test(arguments: events) func `an event is read back as it was`(event: Event) throws {
    var reader = EventReader()
    let number = NumberedEvent(12, event)
    let read = try reader.read(JSON.read(Array(number.json.utf8)))
    // What is not a number equals nothing: the lines are compared.
    #expect(read?.json == number.json)
    if case .began = event { #expect(read == number) }
  }

  @Test func `an event of a later version is passed over, and a broken one is an error`() throws {
    var reader = EventReader()
    #expect(try reader.read(JSON.read(Array(#"{"event":"dream","number":1}"#.utf8))) == nil)
    for line in [
      "{}", #"{"event":"step","number":1}"#, #"{"event":"end","reason":"bored","step":1,"time":1,"number":1}"#,
      #"{"event":"confirmed","number":1}"#, #"{"event":"text","step":1,"prompt":"","text":""}"#,
      #"{"event":"step","step":1e300,"tokens":0,"loss":{"total":0},"number":1}"#,
    ] {
      #expect(throws: UserError.self, "\(line)") { try reader.read(JSON.read(Array(line.utf8))) }
    }
  }

  @Test func `what is told twice is passed on once, and what is computed again comes again`() {
    func step(_ number: Int) -> Event {
      var report = StepReport.empty
      report.step = number
      return .stepped(report)
    }
    let change = Event.occurred(Occurrence(.rate, step: 2, time: 7, key: "rate", text: "x"))
    var splice = EventSplice()
    #expect([step(1), step(2), change, step(3)].map { splice.isNew($0) } == [true, true, true, true])
    #expect([step(2), change, step(3), step(4)].map { splice.isNew($0) } == [false, false, false, true])
    guard case .began(var beginning) = Self.events[0] else {
      Issue.record("the event has another kind")
      return
    }
    beginning.step = 2
    #expect(splice.isNew(.began(beginning)) && !splice.isNew(.began(beginning)))
    #expect(splice.isNew(step(3)) && !splice.isNew(step(3)))
  }
}
