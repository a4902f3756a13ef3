// Views of a network: hidden states of single positions, targets, and the parts that decoding uses.
import Kernels
import Run

extension Transformer {
  /// The parts for decoding: the blocks from the embedding to the first head, the norm after them, and the memory of their
  /// tables.
  var trunk: (blocks: [Block], norm: Norm, arena: Arena) { (shards[0].blocks, shards[0].finalNorm, shards[0].arena) }

  /// The final hidden state of one position, from which a head's ranking follows.
  /// - Returns: [d].
  package func hidden(row: Int, position: Int) -> [Float] {
    guard let shard = shards.first(where: { $0.rows.contains(row) }) else {
      preconditionFailure("there are \(rows) rows, and row \(row) is none of them")
    }
    return shard.hidden(position: (row - shard.rows.lowerBound) * configuration.context + position)
  }

  /// The final hidden state of an MTP head beyond the first, at one position of the first row, after `forward`. Sequential heads
  /// are read in their order, and each takes in one token more after the position.
  /// - Parameter index: 0 for the second head.
  /// - Returns: [d].
  package func furtherHidden(_ index: Int, _ batch: TokenRows, position: Int) -> [Float] {
    check(batch)
    each(batch) { $0.readFurther(index, $1) }
    return shards[0].furtherHidden(index, position: position)
  }

  /// The heads with blocks of their own, for decoding.
  var furtherHeads: [FurtherHead] { shards[0].furtherHeads }

  /// The targets of an objective at one position of a row, nearest first, with their weights.
  /// - Parameters:
  ///   - row: tokens, of which the first `position + 1` are the input.
  ///   - documents: the document of each token; nil if the row is one document.
  ///   - stage: of training; nil for what evaluations measure.
  package static func targets(
    of objective: Objective, in row: [Int32], at position: Int, documents: [Int32]? = nil, stage: TargetStage? = nil
  ) -> [(token: Int32, weight: Float)] {
    allTargets(of: objective, in: row, documents: documents, stage: stage)[position]
  }

  /// The targets of an objective at every position of a row, nearest first, with their weights.
  /// - Parameters:
  ///   - row: tokens; −1 stands for a missing one.
  ///   - documents: the document of each token; nil if the row is one document.
  ///   - stage: of training; nil for what evaluations measure.
  package static func allTargets(
    of objective: Objective, in row: [Int32], documents: [Int32]? = nil, stage: TargetStage? = nil
  ) -> [[(token: Int32, weight: Float)]] {
    let capacity = objective.capacity
    var tokens = [Int32](repeating: 0, count: row.count * capacity)
    var weights = [Float](repeating: 0, count: row.count * capacity)
    var counts = [Int32](repeating: 0, count: row.count)
    var entropy = [Float](repeating: 0, count: row.count)
    row.withUnsafeBufferPointer { row in
      (documents ?? []).withUnsafeBufferPointer { places in
        tokens.withUnsafeMutableBufferPointer { tokens in
          weights.withUnsafeMutableBufferPointer { weights in
            counts.withUnsafeMutableBufferPointer { counts in
              entropy.withUnsafeMutableBufferPointer { entropy in
                objective.fill(
                  SparseTargets(
                    tokens: tokens.baseAddress!, weights: weights.baseAddress!, counts: counts.baseAddress!,
                    capacity: capacity),
                  entropy: entropy.baseAddress!,
                  row: TokenRow(
                    tokens: row.baseAddress!, count: row.count, context: row.count,
                    documents: documents == nil ? nil : places.baseAddress), stage: stage)
              }
            }
          }
        }
      }
    }
    return row.indices.map { position in
      (0..<Int(counts[position])).map { k in (tokens[position * capacity + k], weights[position * capacity + k]) }
    }
  }
}
