// Whole training steps on the workload "small", beside the machine's own limit: the matrix products of the same step alone,
// measured in the same process, in turn.
//   swift run -c release bench [--rounds N] [--threads N] [--json]
import Foundation
import Kernels
import Run
import Training
import Transformer

/// One way to train "small".
struct Workload {
  var name: String
  var objectives: [Objective]
  var precision: Precision

  static let small = Configuration(
    vocabulary: 8192, blocks: 6, width: 384, heads: 6, keyValueHeads: 6, inner: 1024, context: 256, isTied: false,
    ropeTheta: 10_000, objectives: [.nextToken(NextToken())])
  static let rows = 16

  var configuration: Configuration {
    var configuration = Self.small
    configuration.objectives = objectives
    return configuration
  }

  static var all: [Workload] {
    let next = Objective.nextToken(NextToken())
    let order = Objective.tokenOrder(TokenOrder(window: 256))
    let precisions: [Precision] = Machine.hasBF16 ? [.bf16, .fp32] : [.fp32]
    return precisions.flatMap { precision in
      [
        Workload(name: "NTP \(precision)", objectives: [next], precision: precision),
        Workload(name: "NTP+TOP \(precision)", objectives: [next, order], precision: precision),
      ]
    }
  }
}

/// Seconds that a body takes.
func seconds(_ body: () -> Void) -> Double {
  let start = ContinuousClock.now
  body()
  let time = (ContinuousClock.now - start).components
  return Double(time.seconds) + Double(time.attoseconds) * 1e-18
}

func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

/// The linear layers' products of one step, forward and both gradients, and nothing else.
struct ProductsAlone {
  /// Memory for an operand.
  private final class Buffer {
    private let storage: Storage
    var base: UnsafeMutableRawPointer { storage.base }
    init(_ bytes: Int) throws { storage = try Storage(bytes: bytes) }
  }

  private let runs: [(product: Product, count: Int)]
  private let a: Buffer
  private let b: Buffer
  private let c: Buffer
  let operations: Double

  init(_ workload: Workload, products: Products) throws {
    let configuration = workload.configuration
    let M = Workload.rows * configuration.context
    let wide = configuration.queryWidth + 2 * configuration.keyWidth
    let heads = configuration.objectives.count * configuration.vocabulary
    // (out, in, times)
    let layers = [
      (wide, configuration.width, configuration.blocks),
      (configuration.width, configuration.queryWidth, configuration.blocks),
      (2 * configuration.inner, configuration.width, configuration.blocks),
      (configuration.width, configuration.inner, configuration.blocks), (heads, configuration.width, 1),
    ]
    let p = workload.precision
    typealias Operand = ProductShape.Operand
    var runs: [(product: Product, count: Int)] = []
    for (out, width, count) in layers {
      let x = Operand(stride: width, precision: p)
      let y = Operand(stride: out, precision: p)
      let turned = Operand(stride: width, precision: p, isTransposed: true)
      let forward = try products[ProductShape(m: M, n: out, k: width, a: x, b: turned, c: y)]
      let input = try products[ProductShape(m: M, n: width, k: out, a: y, b: x, c: x)]
      let weight = try products[
        ProductShape(
          m: out, n: width, k: M, a: Operand(stride: out, precision: p, isTransposed: true), b: x,
          c: Operand(stride: width, precision: .fp32))]
      runs += [(forward, count), (input, count), (weight, count)]
    }
    let bytes = max(M, heads) * max(heads, 2 * configuration.inner, wide) * 4
    let (a, b, c) = (try Buffer(bytes), try Buffer(bytes), try Buffer(bytes))
    self.runs = runs
    operations = runs.reduce(0) { $0 + $1.product.operations * Double($1.count) }
    (self.a, self.b, self.c) = (a, b, c)
  }

  func run() {
    for (product, count) in runs { for _ in 0..<count { product(a.base, b.base, into: c.base) } }
  }
}

func measure() throws {
  var rounds = 5
  var threads = ProcessInfo.processInfo.activeProcessorCount
  var asJSON = false
  var arguments = CommandLine.arguments.dropFirst()
  while let argument = arguments.popFirst() {
    switch argument {
    case "--json": asJSON = true
    case "--rounds": rounds = arguments.popFirst().flatMap { Int($0) } ?? rounds
    case "--threads": threads = arguments.popFirst().flatMap { Int($0) } ?? threads
    default:
      FileHandle.standardError.write(Data("bench: unknown option \(argument)\n".utf8))
      exit(64)
    }
  }
  if !asJSON {
    print("small: 6 blocks, width 384, 6 heads, inner 1024, vocabulary 8192, context 256, 16 rows; \(threads) threads")
    print("median of \(rounds) rounds; limit: the step's matrix products alone, in the same rounds\n")
    print("                 tokens/s   limit  share   GF/s |  forward  heads  backward  update  (ms)")
  }
  for workload in Workload.all {
    let model = try Transformer(
      workload.configuration, rows: Workload.rows, precision: workload.precision, threads: threads)
    model.parameters.initialize(seed: 1, deviation: 0.02, threads: threads)
    let alone = try ProductsAlone(workload, products: model.products)
    let context = workload.configuration.context
    let stride = 2 * context
    let random = RandomStream(seed: 1, purpose: "bench")
    let tokens = (0..<Workload.rows * stride).map { Int32(random.bits(UInt64($0)) % 8192) }
    var steps: [Double] = []
    var limits: [Double] = []
    var phases: [[Double]] = []
    tokens.withUnsafeBufferPointer { buffer in
      let batch = TokenRows(tokens: buffer.baseAddress!, rows: Workload.rows, context: context, stride: stride)
      let weights = [Float](repeating: 1, count: workload.objectives.count)
      for round in 0...rounds {
        let limit = seconds { alone.run() }
        var phase: [Double] = []
        var counts: [Int] = []
        let data = seconds { counts = model.countPositions(batch) }
        phase.append(data + seconds { model.forward(batch) })
        phase.append(seconds { _ = model.heads(batch, weights: weights, denominators: counts, adds: false) })
        phase.append(seconds { model.backward(batch, adds: false) })
        phase.append(
          seconds { Optimizer(Recipe().optimizer).update(model, norm: model.gradientNorm(), rate: 1e-4, step: round) })
        guard round > 0 else { continue }  // the first round warms up
        limits.append(limit)
        steps.append(phase.reduce(0, +))
        phases.append(phase)
      }
    }
    let count = Double(Workload.rows * context)
    let (step, limit) = (median(steps), median(limits))
    let times = (0..<4).map { index in median(phases.map { $0[index] }) * 1000 }
    let share = median(zip(limits, steps).map { $0 / $1 })
    if asJSON {
      print(
        "{\"workload\":\"\(workload.name)\",\"tokensPerSecond\":\(count / step),\"limit\":\(count / limit),"
          + "\"share\":\(share)}")
    } else {
      print(
        workload.name.padding(toLength: 14, withPad: " ", startingAt: 0)
          + String(
            format: "%9.0f %9.0f  %4.0f %% %6.0f | %8.0f %6.0f %9.0f %7.0f", count / step, count / limit, share * 100,
            alone.operations / limit * 1e-9, times[0], times[1], times[2], times[3]))
    }
  }
}

do {
  try measure()
} catch {
  FileHandle.standardError.write(Data("bench: \(error)\n".utf8))
  exit(69)
}
