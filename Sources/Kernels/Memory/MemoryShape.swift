// Memory layers (UltraMemV2, arXiv 2508.18756): a table of n² rows, of which a token reads those whose two keys have the best
// scores. For each head (a set of keys), with queries q and keys K normed:
//   R[a, s] = ⟨q_row,s, K_row[a, s]⟩,  L[b, s] = ⟨q_col,s, K_col[b, s]⟩
//   A = the best of u·R[a],  B = the best of v·L[b]        u, v: first singular vectors of Σ C_i (RankOneFilter)
//   S_i[a, b] = R[a]ᵀ C_i L[b];  picked are the best of Σ S_i on A × B, row a·n + b each
//   t_j = ⟨P[row_j], z⟩,  pooled[i] = Σ_j S_i t_j V[row_j][i]          i: one of h equal parts of a value
// Without cores (product keys): S[a, b] = R[a] + L[b].
// Letters: n keys a side, r rank, h cores, H heads, m picks a head, c candidates a side, M positions.

/// The sizes that a memory layer's arithmetic depends on.
package struct MemoryShape: Sendable, Hashable {
  package let keys: Int
  package let keyWidth: Int
  package let top: Int
  package let candidates: Int
  package let heads: Int
  /// h; 0: scores of both sides are added.
  package let cores: Int
  package let rank: Int
  package let valueWidth: Int
  package let preWidth: Int

  package init(
    keys: Int, keyWidth: Int, top: Int, candidates: Int, heads: Int, cores: Int, rank: Int, valueWidth: Int,
    preWidth: Int
  ) {
    self.keys = keys
    self.keyWidth = keyWidth
    self.top = top
    self.candidates = candidates
    self.heads = heads
    self.cores = cores
    self.rank = rank
    self.valueWidth = valueWidth
    self.preWidth = preWidth
  }

  /// N: rows of the table, and elements of a row: pre-value, then value.
  package var rows: Int { keys * keys }
  package var rowWidth: Int { preWidth + valueWidth }
  /// Rows that a token reads.
  package var picks: Int { heads * top }
  /// Weights of a pick, one a core, and the width of the part of a value that each weighs.
  package var weights: Int { max(1, cores) }
  package var partWidth: Int { valueWidth / weights }
  /// Score vectors of a side that a pick has: R[a], then L[b].
  package var sides: Int { 2 * rank }
  /// Matrices of scores, [M, n] each: of a head, of a side, of a rank; the last one counts fastest.
  package var scoreMatrices: Int { heads * sides }
  /// Elements of all cores, and of the two vectors a head that candidates are found by.
  package var coreElements: Int { heads * cores * rank * rank }
  package var filterElements: Int { heads * sides }

  /// The matrix of scores of a head, a side (0: rows, 1: columns) and a rank.
  package func matrix(head: Int, side: Int, rank s: Int) -> Int { (head * 2 + side) * rank + s }
}

/// What forward leaves of a micro-batch's picks for backward: [M, P] each, of P = H · m picks.
package struct PickLists {
  /// [M, P]: rows of the table, ascending for each head.
  package let rows: UnsafeMutablePointer<Int32>
  /// [M, P, h]: S_i.
  package let weights: UnsafeMutablePointer<Float>
  /// [M, P, 2r]: R[a], then L[b].
  package let sides: UnsafeMutablePointer<Float>
  /// [M, P]: t; not read where values are plain.
  package let factors: UnsafeMutablePointer<Float>

  package init(
    rows: UnsafeMutablePointer<Int32>, weights: UnsafeMutablePointer<Float>, sides: UnsafeMutablePointer<Float>,
    factors: UnsafeMutablePointer<Float>
  ) {
    self.rows = rows
    self.weights = weights
    self.sides = sides
    self.factors = factors
  }
}
