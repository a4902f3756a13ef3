// As much of memory layers as tensors and arithmetic depend on.

/// The sizes of memory layers, which are the same in all blocks that have one.
package struct MemorySize: Sendable, Equatable {
  /// n: keys on each side.
  package var keys: Int
  /// D_k.
  package var keyWidth: Int
  /// m: rows that a head picks for a token.
  package var top: Int
  /// Keys of each side whose pairs are looked at.
  package var candidates: Int
  package var heads = 1
  /// h; 0: the score of a pair is the sum of both sides' scores.
  package var cores = 2
  /// r.
  package var rank = 2
  package var valueWidth: Int
  /// 0: plain values.
  package var preWidth: Int
  /// Numbers of the blocks that have one, from 0: those of the trunk, then those of MTP heads; nil: all.
  package var blocks: [Int]?

  /// N: rows of a table.
  package var rows: Int { keys * keys }
  /// Elements of a row: its pre-value, then its value.
  package var rowWidth: Int { preWidth + valueWidth }
  /// Rows that a token reads of a table.
  package var picks: Int { heads * top }
  /// Query vectors of a token: one a side and a rank.
  package var queries: Int { 2 * rank }
  /// Weights of a pick: one a core.
  package var weights: Int { max(1, cores) }

  package func isIn(block number: Int) -> Bool { blocks?.contains(number) ?? true }
}

extension Recipe.MemorySettings {
  /// Nil where there are no memory layers.
  var size: MemorySize? {
    guard keys > 0 else { return nil }
    return MemorySize(
      keys: keys, keyWidth: keyWidth, top: top, candidates: candidateCount, heads: heads, cores: cores, rank: rank,
      valueWidth: valueWidth, preWidth: preWidth,
      blocks: blocks.isEmpty ? nil : blocks.compactMap(Int.init(exactly:)))
  }
}
