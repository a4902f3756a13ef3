// The diagnostics once more, as their definitions say: a position at a time, in Double, all pairs of classes one by one.
import Corpus
import Foundation
import Kernels
import Run
import Transformer

@testable import Training

struct SlowDiagnostics {
  private struct Look {
    let current: Int32
    let next: Int32
    let place: Int
    let logits: [Double]
    let state: [Double]
    /// The state at the next position, if that is of the same document.
    var following: [Double]?
  }

  private let training: [Look]
  private let heldOut: [Look]
  private let unembedding: [[Double]]
  private let recipe: Recipe
  private let frequencies: [Int]

  init(_ model: Transformer, _ corpus: Corpus, _ recipe: Recipe, training tokens: Int) throws {
    self.recipe = recipe
    frequencies = corpus.frequencies
    let width = recipe.model.width
    let rows = model.unembedding(head: 0)
    unembedding = (0..<256).map { token in (0..<width).map { Double(rows[token * width + $0]) } }
    training = try Self.looks(model, corpus.training, recipe, most: tokens / recipe.model.context)
    heldOut = try Self.looks(model, corpus.heldOut, recipe, most: .max)
  }

  private static func looks(
    _ model: Transformer, _ part: TokenRange, _ recipe: Recipe, most: Int
  ) throws -> [Look] {
    var batches = OrderedBatches(
      of: part, rows: model.rows, context: recipe.model.context, lookahead: recipe.lookahead, most: most)
    var looks: [Look] = []
    while let batch = try batches.next() {
      model.forward(TokenRows(batch))
      for row in 0..<batch.filledRows {
        var start = 0
        for t in 0..<batch.context {
          let index = row * batch.stride + t
          let documents = batch.documents!
          if t > 0, documents[index] != documents[index - 1] { start = t }
          guard batch.tokens[index + 1] >= 0, documents[index + 1] == documents[index] else { continue }
          let state = model.hidden(row: row, position: t)
          var look = Look(
            current: batch.tokens[index], next: batch.tokens[index + 1], place: t - start,
            logits: model.logits(head: 0, hidden: state).map(Double.init), state: state.map(Double.init))
          if t + 1 < batch.context {
            look.following = model.hidden(row: row, position: t + 1).map(Double.init)
          }
          looks.append(look)
        }
      }
    }
    return looks
  }

  private static func shares(_ logits: [Double]) -> [Double] {
    let top = logits.max()!
    let total = logits.reduce(0) { $0 + exp($1 - top) }
    return logits.map { exp($0 - top) / total }
  }

  private func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
  private func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
  private func spread(_ values: [Double]) -> Double {
    let center = mean(values)
    return mean(values.map { ($0 - center) * ($0 - center) }).squareRoot()
  }
  private func variation(_ values: [Double]) -> Double { spread(values) / abs(mean(values)) }

  /// Numbers by their paths, with how far others may be from them.
  func numbers() -> [(path: String, value: Double, tolerance: Double)] {
    let isExact = recipe.precision == .fp32
    let near = isExact ? 2e-4 : 2e-2
    var all: [(path: String, value: Double, tolerance: Double)] = []
    func put(_ path: String, _ value: Double, _ tolerance: Double? = nil) {
      all.append((path, value, tolerance ?? near))
    }

    let shares = heldOut.map { Self.shares($0.logits) }
    let losses = zip(heldOut, shares).map { -log($1[Int($0.next)]) }
    let entropies = shares.map { -$0.reduce(0) { $1 > 0 ? $0 + $1 * log($1) : $0 } }
    put("entropy/mean", mean(entropies))
    put("entropy/gap", mean(losses) - mean(entropies), 10 * near)
    put("calibration/confidence", mean(shares.map { $0.max()! }))

    // Groups by sorting all tokens and taking from the front.
    let total = Double(frequencies.reduce(0, +))
    var function: Set<Int32> = []
    var taken = 0
    for token in frequencies.indices.sorted(by: { (frequencies[$1], $0) < (frequencies[$0], $1) })
    where Double(taken) < 0.4 * total {
      function.insert(Int32(token))
      taken += frequencies[token]
    }
    for (part, looks) in [("", heldOut), ("train-", training)] {
      for (name, now, next) in [("ff", true, true), ("fc", true, false), ("cf", false, true), ("cc", false, false)] {
        let chosen = looks.filter { function.contains($0.current) == now && function.contains($0.next) == next }
        put("function/\(part)ntp-\(name)-count", Double(chosen.count), 0)
        guard !chosen.isEmpty else { continue }
        put("function/\(part)ntp-\(name)", mean(chosen.map { -log(Self.shares($0.logits)[Int($0.next)]) }))
      }
    }
    for place in [0, 1, 2, 4, 8] {
      let chosen = zip(heldOut, losses).filter { $0.0.place >= place && $0.0.place < max(2 * place, 1) }
      put("position/ntp-from-\(place)-count", Double(chosen.count), 0)
      if !chosen.isEmpty { put("position/ntp-from-\(place)", mean(chosen.map(\.1))) }
    }
    for (name, range) in [("1e-2", 1e-2..<1.1), ("1e-3", 1e-3..<1e-2), ("rarer", 0..<1e-5)] {
      let chosen = zip(heldOut, losses).filter { range.contains(Double(frequencies[Int($0.0.next)]) / total) }
      put("frequency/ntp-\(name)-count", Double(chosen.count), 0)
      if !chosen.isEmpty { put("frequency/ntp-\(name)", mean(chosen.map(\.1))) }
    }

    let pairs = heldOut.compactMap { look in look.following.map { (look.state, $0) } }
    put("states/cosine", mean(pairs.map { dot($0, $1) / (dot($0, $0) * dot($1, $1)).squareRoot() }))
    return all + collapse(near)
  }

  private func collapse(_ near: Double) -> [(path: String, value: Double, tolerance: Double)] {
    let groups = Dictionary(grouping: training, by: \.next).filter { $0.value.count >= recipe.measure.least }
    let tokens = groups.keys.sorted()
    let width = recipe.model.width
    func center(_ states: [[Double]]) -> [Double] { (0..<width).map { i in mean(states.map { $0[i] }) } }
    func minus(_ a: [Double], _ b: [Double]) -> [Double] { zip(a, b).map { $0 - $1 } }
    let means = tokens.map { center(groups[$0]!.map(\.state)) }
    let variances = zip(tokens, means).map { token, mu in
      mean(groups[token]!.map { dot(minus($0.state, mu), minus($0.state, mu)) })
    }
    let global = center(means)
    let centred = means.map { minus($0, global) }
    let norms = centred.map { dot($0, $0).squareRoot() }
    let unit = zip(centred, norms).map { row, norm in row.map { $0 / norm } }
    var (cdnv, scaled, cosines, inverse): ([Double], [Double], [Double], [Double]) = ([], [], [], [])
    for a in means.indices {
      for b in means.indices where a < b {
        let distance = dot(minus(means[a], means[b]), minus(means[a], means[b]))
        cdnv.append((variances[a] + variances[b]) / (2 * distance * distance))
        scaled.append((variances[a] + variances[b]) / (2 * distance))
        cosines.append(dot(unit[a], unit[b]))
        inverse.append(log(1 / dot(minus(unit[a], unit[b]), minus(unit[a], unit[b])).squareRoot()))
      }
    }
    let weights = tokens.map { unembedding[Int($0)] }
    let aligned = zip(weights, centred).map { dot($0, $1) / (dot($0, $0) * dot($1, $1)).squareRoot() }
    func best(_ values: [Double]) -> Int { values.indices.max { (values[$0], $1) < (values[$1], $0) }! }
    var (agreeing, right) = (0.0, 0.0)
    for look in heldOut {
      let guess = best(weights.map { dot($0, look.state) })
      let nearest = best(means.map { -dot(minus(look.state, $0), minus(look.state, $0)) })
      agreeing += guess == nearest ? 1 : 0
      right += tokens[nearest] == look.next ? 1 : 0
    }
    // A position that is as near to two means may go to either.
    let one = 2 / Double(heldOut.count)
    return [
      ("collapse/classes-count", Double(tokens.count), 0), ("collapse/nc4-count", Double(heldOut.count), 0),
      ("collapse/nc1-cdnv", mean(cdnv), near), ("collapse/nc1-log-cdnv", mean(cdnv.map { log($0) }), near),
      ("collapse/nc1-scaled", mean(scaled), near),
      ("collapse/nc2-norms", variation(norms.map { log($0) }), 5 * near),
      ("collapse/nc2-norm-deviation", spread(norms.map { log($0) }), near),
      ("collapse/nc2-cosine", mean(cosines), 5 * near), ("collapse/nc2-cosines", variation(cosines), 5 * near),
      ("collapse/gnc2-uniformity", variation(inverse), 5 * near),
      ("collapse/nc3-cosine", mean(aligned), 5 * near), ("collapse/unc3-uniformity", variation(aligned), 5 * near),
      ("collapse/nc4-agreement", agreeing / Double(heldOut.count), one * Double(heldOut.count) / max(agreeing, 1)),
      ("collapse/nc4-accuracy", right / Double(heldOut.count), one * Double(heldOut.count) / max(right, 1)),
    ]
  }
}
