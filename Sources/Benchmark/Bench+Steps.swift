// Whole training steps, compared with the machine's limit in the same rounds, and over shapes of different sizes.
import Kernels
import Run
import Transformer

/// The measurements of one workload.
final class Contestant {
  let stepper: Stepper
  let alone: ProductsAlone
  var steps = Samples()
  /// The seconds of the linear layers' products alone.
  var limits = Samples()
  var shares = Samples()
  var parts = PartSamples()
  private var phases: [Stepper.PhaseTimes] = []
  /// FLOPs per token: with all products, and without those of attention (scores, and sums of values).
  let operations: (all: Double, linear: Double)

  init(_ workload: Workload, threads: Int) throws {
    stepper = try Stepper(workload, threads: threads)
    alone = try ProductsAlone(workload, products: stepper.products)
    let plan = try NetworkPlan(
      workload.configuration, rows: workload.rows, precision: workload.precision, threads: threads)
    operations = (plan.operationsPerToken, plan.linearOperationsPerToken)
  }

  /// The seconds at the machine's limit: `limits`, plus the other products at the same speed.
  var limitSeconds: Samples { Samples(limits.values.map(atLimit)) }
  /// The seconds of micro-batches at the machine's limit, of which the linear layers' products alone take `products` seconds.
  private func atLimit(_ products: Double) -> Double {
    MachineLimit(operationsPerSecond: alone.operations / products, operationsPerToken: operations.all)
      .seconds(of: Double(workload.positions))
  }

  var workload: Workload { stepper.workload }
  private var tokens: Double { Double(workload.positions * workload.accumulation) }

  /// Measures the limit, then a step.
  /// - Parameters:
  ///   - counts: false for a round that only warms up.
  ///   - byPart: true measures the step's parts as well, with one micro-batch.
  func round(counts: Bool, byPart: Bool = false) throws {
    let accumulation = byPart ? 1 : workload.accumulation
    let products = Double(accumulation) * seconds { alone.run() }
    try alone.requireSuccess()
    var phase = Stepper.PhaseTimes()
    let byPart = byPart ? try StepClock.counted { phase = try stepper.step() } : nil
    if byPart == nil { phase = try stepper.step() }
    guard counts else { return }
    let step = phase.total(accumulation: accumulation)
    steps.add(step)
    limits.add(products)
    shares.add(atLimit(products) / step)
    phases.append(phase)
    if let byPart { parts.add(byPart, step: step) }
  }

  var tokensPerSecond: Double { tokens / steps.median }
  var limit: Double { tokens / limitSeconds.median }
  /// Floating-point operations of a micro-batch: of the linear layers, and of attention's products.
  var linearOperations: Double { alone.operations }
  var scoreOperations: Double { (operations.all - operations.linear) * Double(workload.positions) }
  var operationsPerSecond: Double { Double(workload.accumulation) * alone.operations / limits.median }

  /// The median time of a phase in a step, milliseconds. `each`: true for a phase of every micro-batch, false for a phase of
  /// the whole step.
  func time(_ phase: KeyPath<Stepper.PhaseTimes, Double>, each: Bool = true) -> Double {
    var samples = Samples()
    for one in phases { samples.add(one[keyPath: phase] * 1000 * Double(each ? workload.accumulation : 1)) }
    return samples.median
  }
}

extension Bench {
  /// Measures whole steps of workloads, which take turns in every round.
  /// - Parameter rounds: the number of rounds; nil follows the effort.
  package func steps(_ workloads: [Workload], rounds wanted: Int? = nil) throws -> ReportTable {
    let rounds = wanted ?? rounds
    var table = ReportTable(
      name: "steps",
      about: [
        "whole training steps, and the limit: the step's matrix products alone, those of linear layers measured in the",
        "same rounds, and attention's (half of the scores, as a causal mask needs) at their speed",
        "medians of \(rounds) rounds in turn; ± is half the interquartile range; phases in ms",
      ],
      columns: [
        .column("workload", "workload"), .column("tokensPerSecond", "tokens/s"), .column("spread", "± %", 1),
        .column("limit", "limit"), .column("share", "share %", 1), .column("limitGFLOPs", "GFLOP/s"),
        .column("data", "data", 1), .column("forward", "forward", 1),
        .column("heads", "heads", 1), .column("backward", "backward", 1), .column("update", "update", 1),
        .column("ofOperations", "of FLOPs", 3),
      ])
    // The workloads of one precision take turns, so that a busy moment of the machine affects all of them.
    for precision in Workload.precisions {
      let contestants = try workloads.filter { $0.precision == precision }.map {
        progress("steps: \($0.name), making the network")
        return try Contestant($0, threads: threads)
      }
      for round in 0...rounds where !contestants.isEmpty {
        progress("steps: \(precision), round \(round) of \(rounds)")
        for contestant in contestants { try contestant.round(counts: round > 0) }
      }
      for contestant in contestants {
        table.add(
          .text(contestant.workload.name), .number(contestant.tokensPerSecond),
          .number(contestant.steps.spread * 100), .number(contestant.limit), .number(contestant.shares.median * 100),
          .number(contestant.operationsPerSecond * 1e-9), .number(contestant.time(\.data)),
          .number(contestant.time(\.forward)), .number(contestant.time(\.heads)), .number(contestant.time(\.backward)),
          .number(contestant.time(\.update, each: false)), ratio(contestant, to: contestants.first))
      }
    }
    table.about.append(
      "of FLOPs: FLOP/s divided by those of the first row; below 1, a head costs more time than its FLOPs account for")
    return table
  }

  /// The ratio of tokens/s to those of the first workload, divided by the ratio that their FLOPs predict.
  private func ratio(_ contestant: Contestant, to first: Contestant?) -> ReportTable.ReportValue {
    guard let first, first !== contestant else { return .none }
    let expected = first.operations.all / contestant.operations.all
    return .number(contestant.tokensPerSecond / first.tokensPerSecond / expected)
  }

  /// Measures tokens/s over each number of the shape, with the others fixed.
  package func scaling() throws -> ReportTable {
    var table = ReportTable(
      name: "scaling",
      about: [
        "NTP on two blocks of “small” (width 384, vocabulary 8192, context 256, 16 rows), one number changed at a time",
        "when the context changes, the rows change too: a step always has 4096 tokens; medians of \(scalingRounds) rounds",
        "context of 1 row: a step is one row of so many tokens; key/value heads: of 6 heads, with one row of 4096 tokens",
      ],
      columns: [
        .column("key", "changed"), .column("value", "to"), .column("precision", "in"),
        .column("tokensPerSecond", "tokens/s"), .column("spread", "± %", 1), .column("limit", "limit"),
        .column("share", "share %", 1),
      ])
    for (key, values, change) in axes {
      for value in values {
        for precision in effort == .quick ? Array(Workload.precisions.prefix(1)) : Workload.precisions {
          progress("scaling: \(key) \(value) \(precision)")
          var workload = Self.base(precision)
          var threads = threads
          change(&workload, &threads, value)
          let contestant = try Contestant(workload, threads: threads)
          for round in 0...scalingRounds { try contestant.round(counts: round > 0) }
          table.add(
            .text(key), .number(Double(value)), .text("\(precision)"), .number(contestant.tokensPerSecond),
            .number(contestant.steps.spread * 100), .number(contestant.limit),
            .number(contestant.shares.median * 100))
        }
      }
    }
    return table
  }

  private var scalingRounds: Int { effort == .quick ? 3 : 7 }

  private typealias Variation = (inout Workload, inout Int, Int) -> Void

  private var axes: [(key: String, values: [Int], change: Variation)] {
    let isQuick = effort == .quick
    return [
      (
        "context", isQuick ? [64, 256, 1024, 2048] : [64, 128, 256, 512, 1024, 2048],
        { workload, _, value in
          workload.configuration.context = value
          workload.rows = 4096 / value
        }
      ),
      (
        "width", isQuick ? [128, 384, 1024] : [128, 256, 384, 512, 768, 1024],
        { workload, _, value in
          workload.configuration.width = value
          workload.configuration.heads = value / 64
          workload.configuration.keyValueHeads = value / 64
          workload.configuration.inner = (value * 8 / 3 + 63) / 64 * 64
        }
      ),
      (
        "rows", isQuick ? [1, 3, 4, 16, 64] : [1, 2, 3, 4, 5, 8, 16, 17, 32, 64],
        { workload, _, value in workload.rows = value }
      ),
      (
        "context of 1 row", isQuick ? [1024, 4096] : [256, 512, 1024, 2048, 4096],
        { workload, _, value in
          workload.configuration.context = value
          workload.rows = 1
        }
      ),
      (
        "key/value heads", isQuick ? [1, 6] : [1, 2, 3, 6],
        { workload, _, value in
          workload.configuration.context = 4096
          workload.configuration.keyValueHeads = value
          workload.rows = 1
        }
      ),
      ("threads", Array(Set([1, 2, threads])).sorted(), { _, threads, value in threads = value }),
      (
        "vocabulary", isQuick ? [256, 8192, 32_000] : [256, 1024, 4096, 8192, 16_384, 32_000],
        { workload, _, value in workload.configuration.vocabulary = value }
      ),
    ]
  }

  private static func base(_ precision: Precision) -> Workload {
    Workload(
      name: "scaling",
      configuration: Configuration(Workload.smallSize(blocks: 2), objectives: [.nextToken(NextToken())]),
      rows: 16, precision: precision)
  }
}
