// Memory layers: a table of values beside every MLP, of which each token reads a few rows (UltraMemV2, arXiv 2508.18756).

extension Recipe {
  /// The numbers of memory layers. The defaults are those of a network of 50 M parameters.
  package struct MemorySettings: Codable, Sendable, Equatable {
    /// n: keys on each side; a table has n² rows. 0: networks have no memory layers.
    package var keys = 0
    /// D_k: width of a key and of a query.
    package var keyWidth = 128
    /// m: rows of the table that a head picks for a token.
    package var top = 32
    /// Keys of each side whose pairs are looked at; 0 means m, at most 128 and at most n.
    package var candidates = 0
    /// Sets of keys, each of which picks rows.
    package var heads = 1
    /// h: score matrices, each of which weighs a part of a value; 0 means product keys, whose score is the sum of both sides'.
    package var cores = 2
    /// r: score vectors of a side, which a core multiplies.
    package var rank = 2
    package var valueWidth = 192
    /// D_p: width of pre-values; 0 means plain values, without a factor of their own.
    package var preWidth = 64
    /// Factor of the tables' learning rate at the first step; it falls to 1 at the last one.
    package var rate = 4.0
    /// Numbers of the blocks that have a memory layer, from 0; empty means all.
    package var blocks: [Double] = []

    package init() {}

    /// Keys of each side whose pairs are looked at.
    package var candidateCount: Int { candidates > 0 ? candidates : min(top, 128, keys) }

    /// The factor of the tables' learning rate at a step, counted from 0.
    package func rateFactor(at step: Int, of steps: Int) -> Double {
      1 + (rate - 1) * max(0, 1 - Double(step) / Double(max(1, steps)))
    }
  }
}
