// What the last forward pass and the last losses left at every position: what diagnostics look at. All lists are in the order of
// the micro-batch's positions, M of them.
import Kernels

/// Entropy and confidence of the first head's predictions at a shard's positions; allocated when first asked for.
final class HeadOutputs {
  /// [M of the shard], nats.
  let entropy: FixedArray<Float>
  /// [M of the shard]: the probability of the likeliest token.
  let confidence: FixedArray<Float>
  /// Seconds in which both were computed, by the newest pass that measured them.
  var seconds = 0.0

  init(positions: Int) {
    entropy = FixedArray(repeating: 0, count: positions)
    confidence = FixedArray(repeating: 0, count: positions)
  }
}

extension Shard {
  /// Copies its final hidden states, as floats.
  /// - Parameter destination: [M of the shard, d], written.
  fileprivate func copyHidden(to destination: UnsafeMutablePointer<Float>) {
    let count = positions * configuration.width
    let place = arena[places.hidden]
    switch precision {
    case .fp32: destination.update(from: place.assumingMemoryBound(to: Float.self), count: count)
    case .bf16:
      let halves = place.assumingMemoryBound(to: UInt16.self)
      for i in 0..<count { destination[i] = Float(bitPattern: UInt32(halves[i]) << 16) }
    }
  }
}

extension Transformer {
  /// The loss of a head at each position, nats; 0 where it has no target.
  /// - Returns: [M].
  package func positionLosses(head: Int) -> [Float] {
    shards.flatMap { UnsafeBufferPointer(start: $0.losses[head], count: $0.positions) }
  }

  /// The first (of several the nearest) target of a head at each position; −1 where it has none.
  /// - Returns: [M].
  package func firstTargets(head: Int) -> [Int32] {
    shards.flatMap { shard in
      let targets = shard.targets[head]
      return (0..<shard.positions).map { targets.counts[$0] > 0 ? targets.tokens[$0 * targets.capacity] : -1 }
    }
  }

  /// The final hidden states, the exact input of the unembeddings on the trunk.
  /// - Returns: [M, d].
  package func hiddenStates() -> [Float] {
    let width = configuration.width
    return [Float](unsafeUninitializedCapacity: rows * configuration.context * width) { states, count in
      for shard in shards {
        shard.copyHidden(to: states.baseAddress! + shard.rows.lowerBound * configuration.context * width)
      }
      count = rows * configuration.context * width
    }
  }

  /// Entropy (nats) and confidence (the probability of the likeliest token) of the first head's predictions, if `losses` was
  /// last called to measure them; else zeros.
  /// - Returns: [M] each.
  package func outputStatistics() -> (entropy: [Float], confidence: [Float]) {
    func all(_ list: (HeadOutputs) -> FixedArray<Float>) -> [Float] {
      shards.flatMap { shard in
        shard.outputs.map { Array(UnsafeBufferPointer(start: list($0).start, count: list($0).count)) }
          ?? [Float](repeating: 0, count: shard.positions)
      }
    }
    return (all(\.entropy), all(\.confidence))
  }

  /// Seconds in which `losses` computed `outputStatistics`, when it was last called to do so; those of the slowest shard.
  package var secondsOfOutputs: Double { shards.map { $0.outputs?.seconds ?? 0 }.max() ?? 0 }

  /// The unembedding of a head on the trunk (not an MTP head beyond the first), as fp32 weights.
  /// - Returns: [V, d], valid as long as the network.
  package func unembedding(head: Int) -> UnsafePointer<Float> {
    guard let place = configuration.streams[0].firstIndex(of: head) else {
      preconditionFailure("only a head on the trunk has an unembedding of its own")
    }
    let size = configuration.vocabulary * configuration.width
    return UnsafePointer(parameters.weights + parameters.layout.unembedding + place * size)
  }
}
