// What memory layers are measured by at evaluations, in a forward pass over held-out rows: how clear the choice of rows is, and how
// much a layer adds beside the MLP. Nothing that training reads is changed.
import Glibc
import Kernels

/// What one memory layer came to on held-out rows.
package struct MemoryOutput: Sendable {
  /// Sums over positions and heads: the score of the worst pick above that of the best pair left out, and that of the best pick above
  /// that of the worst.
  package fileprivate(set) var gap = 0.0
  package fileprivate(set) var spread = 0.0
  fileprivate var output = Moments()
  fileprivate var feedForward = Moments()

  /// Standard deviation of the numbers that the layer adds to the stream, and of those that the MLP beside it adds.
  package var outputDeviation: Double { output.deviation }
  package var feedForwardDeviation: Double { feedForward.deviation }

  mutating func add(_ other: MemoryOutput) {
    gap += other.gap
    spread += other.spread
    output.add(other.output)
    feedForward.add(other.feedForward)
  }
}

/// Sums that a standard deviation follows from.
private struct Moments: Sendable {
  var count = 0
  var sum = 0.0
  var square = 0.0

  var deviation: Double {
    guard count > 0 else { return .nan }
    let mean = sum / Double(count)
    return max(0, square / Double(count) - mean * mean).squareRoot()
  }

  mutating func add(_ other: Moments) {
    count += other.count
    sum += other.sum
    square += other.square
  }

  /// - Parameter x: [count] of `precision`.
  init(_ x: UnsafeMutableRawPointer, _ precision: Precision, count: Int) {
    for i in 0..<count {
      let value =
        switch precision {
        case .fp32: x.assumingMemoryBound(to: Float.self)[i]
        case .bf16: Float(bitPattern: UInt32(x.assumingMemoryBound(to: UInt16.self)[i]) << 16)
        }
      sum += Double(value)
      square += Double(value) * Double(value)
    }
    self.count = count
  }

  init() {}
}

/// What the memory layers of one shard are measured in. One thread at a time uses it.
final class MemoryMeasurement {
  fileprivate(set) var layers: [MemoryOutput]

  init(layers count: Int) { layers = Array(repeating: MemoryOutput(), count: count) }

  /// Positions of a shard whose choice is looked at.
  fileprivate static let positions = 256
}

extension MemoryLayer {
  /// Measures how clear the choice of rows was, right after it.
  func measureEdges(_ pass: Pass, _ measurement: MemoryMeasurement) {
    let (arena, count) = (pass.arena, min(positions, MemoryMeasurement.positions))
    var edges = [PickEdge](repeating: PickEdge(), count: count * shape.heads)
    MemoryPicks.measureEdges(
      shape, scores: arena[places.passing.scores].assumingMemoryBound(to: Float.self), count: count, stride: positions,
      cores: cores(pass.parameters), filter: pass.parameters.weights + tensors.filter, into: lists(arena),
      edges: &edges, room: room(arena), threads: threads)
    measurement.layers[index].gap = edges.reduce(0) { $0 + Double($1.gap) }
    measurement.layers[index].spread = edges.reduce(0) { $0 + Double($1.spread) }
  }
}

extension FeedForwardAndMemory {
  /// Measures what the memory layer and the MLP add, each alone.
  /// - Parameter delta: E [M, d], written over.
  func measure(_ pass: Pass, _ measurement: MemoryMeasurement, _ delta: UnsafeMutableRawPointer) {
    let (count, precision) = (memory.positions * memory.width, memory.precision)
    memset(delta, 0, count * precision.bytes)
    memory.add(pass, to: delta)
    measurement.layers[memory.index].output = Moments(delta, precision, count: count)
    feedForward.finish(pass, into: delta)
    measurement.layers[memory.index].feedForward = Moments(delta, precision, count: count)
  }
}

extension Transformer {
  /// Begins to measure memory layers in every forward pass.
  package func beginMeasuringMemory() {
    guard let memory = parameters.layout.memory else { return }
    for shard in shards { shard.measurement = MemoryMeasurement(layers: memory.layers.count) }
  }

  /// Ends it.
  /// - Returns: of each memory layer, in the order of blocks, what the last forward pass through it came to.
  package func endMeasuringMemory() -> [MemoryOutput] {
    var sums = Array(repeating: MemoryOutput(), count: parameters.layout.memory?.layers.count ?? 0)
    for shard in shards {
      for (index, output) in (shard.measurement?.layers ?? []).enumerated() { sums[index].add(output) }
      shard.measurement = nil
    }
    return sums
  }
}
