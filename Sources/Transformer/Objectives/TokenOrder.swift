// TOP, token order prediction (arXiv 2508.19228, equation 5): the targets of position t are the distinct tokens of the next
// W, the nearer the heavier.
//   p[v] ∝ e^{−(d − d_min)/τ} for the first occurrence of v at distance d = 1 … W ahead of t
// The paper's scores W − d in a softmax say the same: W cancels. Past distance K a target weighs e^{−K/τ}, so that a list of
// 32·τ entries is exact to fp32 rounding, and nothing of the vocabulary's size is ever built.
import Foundation
import Kernels
import Run

package struct TokenOrder: TargetComputation, Sendable, Equatable {
  /// Where published texts disagree.
  package enum Semantics: Sendable {
    /// As the published training code: the current token counts if it recurs.
    case standard
    /// Algorithm 1 as printed: the current token is left out even if it recurs.
    case algorithm1
    /// Scores W − d rounded to half precision first, as in the published runs: at W = 4096 neighbours tie.
    case float16Scores
  }

  /// W: how many tokens it looks ahead.
  package var window: Int
  /// τ.
  package var temperature: Float
  package var semantics: Semantics

  package init(window: Int, temperature: Float = 1, semantics: Semantics = .standard) {
    precondition(window >= 1 && temperature > 0, "TOP needs a window of at least 1 and a temperature above 0")
    self.window = window
    self.temperature = temperature
    self.semantics = semantics
  }

  var unembedding: String? { HeadKind.tokenOrder.tensorName }
  var ranks: Bool { true }
  var lookahead: Int { window }

  /// K: 32 entries at τ = 1 (e^{−32} is below half a unit in the last place of a Float), more where weights fall slower,
  /// never more than the window.
  package var capacity: Int {
    let entries = Int((32 * max(1, temperature)).rounded(.up))
    // Half precision holds wide windows in steps: that many neighbours tie.
    let step = semantics == .float16Scores ? Int(Float16(window).ulp) : 1
    return min(window, entries + (step > 2 ? 2 * step : 0))
  }

  /// Weight of a token at `distance`, before they are made to sum to 1, given the distance of the nearest.
  private func weight(_ distance: Int, nearest: Int) -> Float {
    switch semantics {
    case .standard, .algorithm1: exp(Float(nearest - distance) / temperature)
    case .float16Scores: exp((score(distance) - score(nearest)) / temperature)
    }
  }

  /// The published scores as half precision holds them. There the nearest token's is W, not W − 1: of no consequence but
  /// for the rounding.
  private func score(_ distance: Int) -> Float { Float(Float16(window + 1 - distance)) }

  /// One backward scan with a move-to-front list: before position t, x[t + 1] moves to the front, so that the list holds
  /// the distinct tokens ahead of t by rising distance. O(T · K).
  func fill(
    _ targets: SparseTargets, entropy: UnsafeMutablePointer<Float>, row: TokenRow, stage: TargetStage?
  ) {
    // One more than is emitted, since algorithm 1 leaves one out.
    let room = capacity + 1
    withUnsafeTemporaryAllocation(of: Int32.self, capacity: 2 * room) { list in
      let tokens = list.baseAddress!
      let positions = tokens + room
      var count = 0
      for t in Swift.stride(from: min(row.count, row.context + window) - 1, through: 0, by: -1) {
        if t + 1 < row.count {
          let next = row.tokens[t + 1]
          if row.endsDocument(t) {
            count = 0
          } else if next >= 0 {
            Self.moveToFront(next, at: Int32(t + 1), tokens, positions, &count, room)
          }
        }
        if t < row.context {
          let n = row.counts(t) ? emit(t, row, tokens, positions, count, targets, entropy) : 0
          targets.counts[t] = Int32(n)
          if n == 0 { entropy[t] = 0 }
        }
      }
    }
  }

  /// How many positions have targets. It is enough to know the nearest token ahead and the nearest other one.
  func positions(in row: TokenRow) -> Int {
    var counted = 0
    withUnsafeTemporaryAllocation(of: Int32.self, capacity: 4) { list in
      let tokens = list.baseAddress!
      let positions = tokens + 2
      var count = 0
      for t in Swift.stride(from: min(row.count, row.context + window) - 1, through: 0, by: -1) {
        if t + 1 < row.count {
          if row.endsDocument(t) {
            count = 0
          } else if row.tokens[t + 1] >= 0 {
            Self.moveToFront(row.tokens[t + 1], at: Int32(t + 1), tokens, positions, &count, 2)
          }
        }
        guard t < row.context, row.counts(t) else { continue }
        let first = semantics == .algorithm1 && count > 0 && tokens[0] == row.tokens[t] ? 1 : 0
        if first < count, Int(positions[first]) - t <= window { counted += 1 }
      }
    }
    return counted
  }

  @inline(__always)
  private static func moveToFront(
    _ token: Int32, at position: Int32, _ tokens: UnsafeMutablePointer<Int32>,
    _ positions: UnsafeMutablePointer<Int32>, _ count: inout Int, _ room: Int
  ) {
    var place = 0
    while place < count && tokens[place] != token { place += 1 }
    if place == count {
      if count < room { count += 1 } else { place = room - 1 }
    }
    while place > 0 {
      tokens[place] = tokens[place - 1]
      positions[place] = positions[place - 1]
      place -= 1
    }
    tokens[0] = token
    positions[0] = position
  }

  /// Writes position t's targets from the list; how many.
  @inline(__always)
  private func emit(
    _ t: Int, _ row: TokenRow, _ tokens: UnsafePointer<Int32>, _ positions: UnsafePointer<Int32>, _ count: Int,
    _ targets: SparseTargets, _ entropy: UnsafeMutablePointer<Float>
  ) -> Int {
    let out = targets.tokens + t * targets.capacity
    let weights = targets.weights + t * targets.capacity
    var n = 0
    var nearest = 0
    var sum: Float = 0
    for k in 0..<count where n < capacity {
      let distance = Int(positions[k]) - t
      if distance > window { break }
      if semantics == .algorithm1 && tokens[k] == row.tokens[t] { continue }
      if n == 0 { nearest = distance }
      out[n] = tokens[k]
      weights[n] = weight(distance, nearest: nearest)
      sum += weights[n]
      n += 1
    }
    // H = −Σ p ln p, with the p that are used.
    var h: Float = 0
    for k in 0..<n {
      weights[k] /= sum
      if weights[k] > 0 { h -= weights[k] * log(weights[k]) }
    }
    entropy[t] = h
    return n
  }
}
