// Workloads of the benchmark: a network, a batch and a precision.
import Kernels
import Run
import Transformer

/// A network and its training, with made-up data.
package struct Workload: Sendable {
  /// The workload's name, such as `ntp bf16`.
  package var name: String
  package var configuration: Configuration
  /// Rows per micro-batch, and micro-batches per step.
  package var rows: Int
  package var accumulation = 1
  package var precision: Precision
  /// The number of shards; nil lets the network choose.
  var shards: Int?
  /// The optimizer that updates the parameters.
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

  /// The number of positions in a micro-batch.
  var positions: Int { rows * configuration.context }

  /// The objectives of "small". With MTP-4 the number of blocks is the same: two of the trunk, and one per head.
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

  /// The workloads of `recipes/small.yaml`, on which speeds are compared: NTP, NTP + TOP and MTP-4 in every precision of the
  /// CPU.
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

  /// The networks of "small" with the NTP head alone, one per precision, for reading and writing texts.
  static var smallNetworks: [(Precision, Configuration)] {
    small.filter { $0.configuration.objectives.count == 1 }.map { ($0.precision, $0.configuration) }
  }

  /// `count` made-up tokens below `vocabulary`, the same in every run.
  static func tokens(_ count: Int, below vocabulary: Int) -> [Int32] {
    let random = RandomStream(seed: 1, purpose: "bench")
    return (0..<count).map { Int32(random.bits(UInt64($0)) % UInt64(vocabulary)) }
  }

  /// The sizes of `recipes/small.yaml` with `blocks` blocks.
  static func smallSize(blocks: Int) -> NetworkSize {
    NetworkSize(
      vocabulary: 8192, blocks: blocks, width: 384, heads: 6, keyValueHeads: 6, inner: 1024, context: context,
      isTied: false)
  }

  /// The precisions of the CPU's matrix products, the faster first.
  static var precisions: [Precision] { Machine.hasBF16 ? [.bf16, .fp32] : [.fp32] }
}

extension ProductsAlone {
  /// The products of a workload's linear layers.
  convenience init(_ workload: Workload, products: Products) throws {
    try self.init(
      workload.configuration, positions: workload.positions, precision: workload.precision, products: products)
  }
}
