// What is measured: a network, a batch and a precision, always the same.
import Kernels
import Run
import Transformer

/// A way to train, with made-up data.
package struct Workload: Sendable {
  /// `ntp bf16`.
  package var name: String
  package var configuration: Configuration
  /// Rows of a micro-batch, and micro-batches of a step.
  package var rows: Int
  package var accumulation = 1
  package var precision: Precision
  /// In how many shards rows go through; nil as the network chooses.
  var shards: Int?
  /// What updates the parameters.
  package var optimizer = OptimizerKind.adamw

  package init(
    name: String, configuration: Configuration, rows: Int, accumulation: Int = 1, precision: Precision,
    shards: Int? = nil, optimizer: OptimizerKind = .adamw
  ) {
    self.name = name
    self.configuration = configuration
    self.rows = rows
    self.accumulation = accumulation
    self.precision = precision
    self.shards = shards
    self.optimizer = optimizer
  }

  /// Positions of a micro-batch.
  var positions: Int { rows * configuration.context }

  /// What "small" is trained to predict. MTP-4 has as many blocks: two of trunk, and one a head.
  private enum Objectives: String, CaseIterable {
    case ntp
    case top = "ntp+top"
    case mtp = "mtp-4"

    var all: [Objective] {
      switch self {
      case .ntp: [.nextToken(NextToken())]
      case .top: [.nextToken(NextToken()), .tokenOrder(TokenOrder(window: Workload.context))]
      case .mtp: (1...4).map { .nextToken(NextToken(distance: $0)) }
      }
    }
  }

  private static let context = 256

  /// The workload of `recipes/small.yaml`, that speed is agreed upon: NTP, NTP + TOP and MTP-4 in every precision that the
  /// CPU has.
  package static var small: [Workload] {
    precisions.flatMap { precision in
      Objectives.allCases.map { objectives in
        Workload(
          name: "\(objectives.rawValue) \(precision)",
          configuration: Configuration(
            smallSize(blocks: objectives == .mtp ? 3 : 6), objectives: objectives.all,
            multiToken: objectives == .mtp ? .parallel : nil),
          rows: 16, precision: precision)
      }
    }
  }

  /// The networks of "small" that predict with NTP alone, one a precision: what texts are read and written with.
  static var smallNetworks: [(Precision, Configuration)] {
    small.filter { $0.configuration.objectives.count == 1 }.map { ($0.precision, $0.configuration) }
  }

  /// Made-up tokens, always the same.
  static func tokens(_ count: Int, below vocabulary: Int) -> [Int32] {
    let random = RandomStream(seed: 1, purpose: "bench")
    return (0..<count).map { Int32(random.bits(UInt64($0)) % UInt64(vocabulary)) }
  }

  /// The sizes of `recipes/small.yaml`, with that many blocks.
  static func smallSize(blocks: Int) -> NetworkSize {
    NetworkSize(
      vocabulary: 8192, blocks: blocks, width: 384, heads: 6, keyValueHeads: 6, inner: 1024, context: context,
      isTied: false)
  }

  /// What the CPU multiplies in, the faster first.
  static var precisions: [Precision] { Machine.hasBF16 ? [.bf16, .fp32] : [.fp32] }
}
