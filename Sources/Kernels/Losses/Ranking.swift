// Where some tokens stand when a row of logits is put in order, without putting it in order: a count for each.
//   rank(k) = 1 + #{v : z[v] > z[k]} + #{v < k : z[v] = z[k]}
// Letters: z logits [V].

package enum Ranking {
  /// The ranks of tokens in a row of logits: 1 is the largest; of equal logits the lower token's comes first. A row with a
  /// NaN has no order: each rank is 0 then.
  /// - Parameters:
  ///   - logits: [rows, V] fp32.
  ///   - row: the one whose tokens are ranked.
  ///   - tokens: [count], each below V.
  ///   - ranks: [count], written.
  package static func ranks(
    _ logits: Matrix, row: Int, of tokens: UnsafePointer<Int32>, count: Int, into ranks: UnsafeMutablePointer<Int32>
  ) {
    let z = logits.row(row, as: Float.self)
    let V = logits.columns
    guard passing(z, V, { v in v .!= v }) == 0 else {
      for k in 0..<count { ranks[k] = 0 }
      return
    }
    for k in 0..<count {
      let token = Int(tokens[k])
      let value = Lanes(repeating: z[token])
      let before = passing(z, token) { v in v .>= value }
      let after = passing(z + token + 1, V - token - 1) { v in v .> value }
      ranks[k] = Int32(1 + before + after)
    }
  }

  /// How many of n values pass. A lane counts at most 2^24 of them exactly: vocabularies are far smaller.
  @inline(__always)
  private static func passing(
    _ z: UnsafePointer<Float>, _ n: Int, _ passes: (Lanes) -> SIMDMask<SIMD16<Int32>>
  ) -> Int {
    let one = Lanes(repeating: 1)
    let none = Lanes(repeating: 0)
    var passed = none
    for (i, lanes) in sixteens(n) {
      var add = none.replacing(with: one, where: passes(load(z, i, lanes)))
      if lanes < 16 { add = filled(add, from: lanes, with: 0) }
      passed += add
    }
    return Int(passed.folded)
  }
}
