// How the parameters are divided among ranks: cut into units, and each unit into one part per rank. A rank adds up its part of
// every unit, so that all ranks send and receive as much at any time of the backward pass.
import Kernels

/// The units of a block of parameters, and the part of each that a rank owns.
struct GradientUnits: Sendable, Equatable {
  /// Elements of each unit, one after the other; together they are the block.
  let units: [Range<Int>]
  let ranks: Int

  /// The most elements of a unit: received parts of it take as much memory again, and the first is on its way early.
  static let most = 4 << 20

  /// - Parameters:
  ///   - count: elements of the block.
  ///   - sections: ranges whose gradients come about together, in any order; the rest comes about last.
  init(_ count: Int, sections: [Range<Int>], ranks: Int, most: Int = Self.most) {
    var bounds: Set<Int> = [0, count]
    for section in sections where !section.isEmpty { bounds.formUnion([section.lowerBound, section.upperBound]) }
    let edges = bounds.sorted()
    units = zip(edges, edges.dropFirst()).flatMap { first, last in
      let pieces = (last - first + most - 1) / most
      return (0..<pieces).map { piece in
        let part = Team.share(of: last - first, worker: piece, threads: pieces, grain: 16)
        return first + part.lowerBound..<first + part.upperBound
      }
    }
    self.ranks = ranks
  }

  /// The part of a unit that a rank owns.
  func part(of unit: Int, rank: Int) -> Range<Int> {
    let range = units[unit]
    let part = Team.share(of: range.count, worker: rank, threads: ranks, grain: 16)
    return range.lowerBound + part.lowerBound..<range.lowerBound + part.upperBound
  }

  /// All that a rank owns, in the order of units.
  func owned(by rank: Int) -> [Range<Int>] {
    units.indices.map { part(of: $0, rank: rank) }.filter { !$0.isEmpty }
  }

  /// The units of a section.
  func indices(in section: Range<Int>) -> [Int] {
    units.indices.filter { section.lowerBound <= units[$0].lowerBound && units[$0].upperBound <= section.upperBound }
  }
}
