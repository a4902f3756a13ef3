// What `--json` prints, against the contract of the command line.
import Foundation
import Run
import Support
import Testing

struct EventJSONTests {
  private let report = StepReport(
    step: 1, tokens: 4096, time: 1_700_000_000.5, active: 0.25, total: 16.7,
    losses: [
      HeadLoss(head: .ntp, loss: 8.3, positions: 4096),
      HeadLoss(head: .top, loss: 8.4, kl: 7.25, weight: 0.5, positions: 4096),
    ],
    rate: 0.001, gradientNorm: 1.5, tokensPerSecond: 8000,
    phases: Phases(data: 0.125, forward: 0.25, heads: 0.5, backward: 1, update: 2))

  @Test func `a step is one line with the keys of the contract`() {
    #expect(
      Event.stepped(report).json
        == #"{"event":"step","step":1,"tokens":4096,"loss":{"total":16.7,"ntp":8.3,"top":8.4},"kl":{"top":7.25},"#
        + #""weight":{"ntp":1.0,"top":0.5},"#
        + #""rate":0.001,"gradientNorm":1.5,"tokensPerSecond":8000.0,"#
        + #""phases":{"data":0.125,"forward":0.25,"heads":0.5,"backward":1.0,"update":2.0},"#
        + #""time":1700000000.5,"active":0.25}"#)
  }

  @Test func `heads are coded as in earlier versions`() throws {
    let forms: [(head: Head, text: String)] = [
      (.ntp, #"{"ntp":{}}"#), (.mtp(2), #"{"mtp":{"_0":2}}"#), (.mtp(16), #"{"mtp":{"_0":16}}"#),
      (.top, #"{"top":{}}"#),
    ]
    for (head, text) in forms {
      #expect(String(decoding: try JSONEncoder().encode(head), as: UTF8.self) == text)
      #expect(try JSONDecoder().decode(Head.self, from: Data(text.utf8)) == head)
    }
    for text in [#"{"mtp":{"_0":1}}"#, #"{"mtp":{}}"#, #"{"other":{}}"#, #"{"ntp":{},"top":{}}"#, "{}"] {
      #expect(throws: DecodingError.self) { try JSONDecoder().decode(Head.self, from: Data(text.utf8)) }
    }
  }

  @Test func `a step without TOP has no divergence`() {
    var report = report
    report.losses.removeLast()
    #expect(Event.stepped(report).json.contains(#""loss":{"total":16.7,"ntp":8.3},"weight":{"ntp":1.0},"rate""#))
  }

  @Test func `numbers that are none are texts`() throws {
    var report = report
    report.total = .nan
    report.gradientNorm = .infinity
    report.losses[0].loss = -.infinity
    let line = Event.stepped(report).json
    #expect(line.contains(#""total":"NaN","ntp":"-Infinity""#))
    #expect(line.contains(#""gradientNorm":"Infinity""#))
    _ = try JSONSerialization.jsonObject(with: Data(line.utf8))
  }

  @Test func `floats are read back exactly`() {
    var dice = Dice(for: "floats")
    for _ in 0..<1000 {
      var report = report
      report.gradientNorm = Float(bitPattern: .random(in: 0..<0x7F80_0000, using: &dice))
      report.rate = Double(bitPattern: .random(in: 0..<0x7FF0_0000_0000_0000, using: &dice))
      let line = Event.stepped(report).json
      #expect(number("gradientNorm", in: line).flatMap { Float($0) } == report.gradientNorm)
      #expect(number("rate", in: line).flatMap { Double($0) } == report.rate)
    }
  }

  private func number(_ key: String, in line: String) -> Substring? {
    line.range(of: "\"\(key)\":").map { line[$0.upperBound...].prefix { $0 != "," } }
  }

  @Test func `the events of a run that goes on have numbers, answers name requests, and gaps say what they stand for`()
  {
    var gap = EventGap()
    for step in [3, 4, 5] {
      var report = report
      report.step = step
      gap.add(.stepped(report))
    }
    gap.add(.confirmed(number: 1))
    #expect(
      NumberedEvent(9, .gap(gap)).json
        == #"{"event":"gap","steps":3,"firstStep":3,"lastStep":5,"others":1,"number":9}"#)
    #expect(NumberedEvent(8, .confirmed(number: 7)).json == #"{"event":"confirmed","confirms":7,"number":8}"#)
    func occurrence(_ kind: Occurrence.Subject) -> NumberedEvent {
      NumberedEvent(7, .occurred(Occurrence(kind, step: 3, time: 4, actor: .key, request: 2, text: "t")))
    }
    let head = #""step":3,"time":4.0,"actor":"key","request":2,"text":"t""#
    #expect(occurrence(.rate).json == #"{"event":"occurrence","kind":"rate",\#(head),"confirmed":false,"number":7}"#)
    #expect(occurrence(.done).json == #"{"event":"occurrence","kind":"done",\#(head),"number":7}"#)
  }

  @Test func `every event is a JSON object that names its kind`() throws {
    let evaluation = Evaluation(step: 9, tokens: 1, time: 2, losses: report.losses, isBest: true, seconds: 0.5)
    let beginning = Beginning(
      name: "a\"b\n", recipe: Recipe(), step: 0, tokens: 0, time: 1, parameters: 5, threads: 2, precision: "bf16",
      corpus: "c", vocabulary: 300, trainingTokens: 10, heldOutTokens: 2, unigramEntropy: 5.5)
    let order = OrderSample(
      step: 1, probe: 0, probes: 8, context: ["a"],
      upcoming: [OrderSample.Upcoming(token: "b", distance: 1, weight: 0.6, rank: 3)], ranking: ["c"], ndcg8: 0.5,
      tau: 1, recall8: 0.25, reciprocalRank: 0.33)
    let occurrence = Occurrence(.rate, step: 3, time: 4, key: "rate", old: 0.1, new: 0.2, actor: .key, text: "rate ×2")
    let events: [(Event, String)] = [
      (.began(beginning), "begin"), (.stepped(report), "step"), (.evaluated(evaluation), "heldout"),
      (.ordered(order), "order"), (.wrote(TextSample(step: 1, prompt: "a", text: "\u{0}\u{2028}é")), "text"),
      (.occurred(occurrence), "occurrence"), (.ended(Ending(.stopped, step: 7, time: 8)), "end"),
    ]
    for (event, name) in events {
      let line = event.json
      #expect(!line.contains("\n"))
      let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
      #expect(object["event"] as? String == name)
    }
    #expect(
      Event.occurred(occurrence).json
        == #"{"event":"occurrence","kind":"rate","step":3,"time":4.0,"actor":"key","key":"rate","old":0.1,"new":0.2,"text":"rate ×2"}"#
    )
    #expect(
      Event.began(beginning).json.contains(
        #""recipe":{"data":{"kind":"text","paths":[],"heldOut":0.05,"documents":"packed","separator":"","order":"text""#
      ))
    #expect(
      Event.evaluated(evaluation).json
        == #"{"event":"heldout","step":9,"tokens":1,"loss":{"ntp":8.3,"top":8.4},"kl":{"top":7.25},"time":2.0,"seconds":0.5,"#
        + #""positions":{"ntp":4096,"top":4096},"isBest":true}"#)
    var whole = evaluation
    whole.losses[0].accuracy = 0.25
    whole.order = OrderQuality(ndcg8: 0.5, tau: -0.25, recall8: 0.125, reciprocalRank: 1)
    #expect(
      Event.evaluated(whole).json.contains(
        #""kl":{"top":7.25},"accuracy":{"ntp":0.25},"order":{"ndcg8":0.5,"tau":-0.25,"recall8":0.125,"mrr":1.0},"#))
  }

  @Test func `the tokens of a step are known when the batch changes, and not before the first or after the last step`()
  {
    var tokens = TokensByStep()
    #expect(tokens[0] == nil)
    tokens.note(1000, after: 10)
    #expect(tokens[10] == 1000 && tokens[9] == nil && tokens[11] == nil)
    for step in 11...20 { tokens.note(1000 + 64 * (step - 10), after: step) }
    for step in 21...30 { tokens.note(1640 + 256 * (step - 20), after: step) }
    // A step that comes again changes nothing.
    tokens.note(1640 + 2560, after: 30)
    for (step, expected) in [(10, 1000), (11, 1064), (20, 1640), (21, 1896), (30, 4200)] {
      #expect(tokens[step] == expected, "step \(step)")
    }
    #expect(tokens[31] == nil)
  }
}
