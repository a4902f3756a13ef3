// How the threads of a shard divide attention's work: forward by tiles of queries, backward by groups of heads, or by blocks of a
// group's keys where there are fewer groups than threads, or more by a few. Whoever computes a tile, its bits are the same.
import Kernels

extension Attention {
  /// Tiles of a head's queries.
  var tiles: Int { (configuration.context + tileRows - 1) / tileRows }

  /// The tiles that a worker takes forward, of all pairs of a row and a head one after the other. A later tile sees more keys, so
  /// that workers with as many tiles would not have as much to do. Where threads divide the pairs, each has whole pairs.
  static func tiles(of worker: Int, threads: Int, pairs: Int, tiles: Int) -> Range<Int> {
    /// What the first tiles of a pair take: tile i sees i + 1 tiles of keys, and has some work whatever it sees.
    func cost(_ count: Int) -> Int { count * (count + 3) / 2 }
    func first(_ worker: Int) -> Int {
      let (pair, rest) = (pairs * cost(tiles) * worker / threads).quotientAndRemainder(dividingBy: cost(tiles))
      var tile = 0
      while cost(tile + 1) <= rest { tile += 1 }
      return pair * tiles + tile
    }
    return first(worker)..<first(worker + 1)
  }
}

/// The way back where some threads would have no group of heads, or a group less than others: teams of threads take one group after
/// the other, and each member has some blocks of its keys.
struct AttentionCut: Sendable, Equatable {
  /// How many groups are taken at the same time, and by how many threads each; threads beyond these have nothing to do.
  let teams, members: Int
  /// Blocks of keys, and tiles of queries, of a head.
  let blocks, tiles: Int

  /// Tiles as long as a block.
  static var tilesOfBlock: Int { Attention.blockKeys / Attention.tileQueries }
  /// How much faster it must be than whole groups, to be worth the waiting and what every member lays out for itself.
  private static let worthwhile = 1.15

  /// - Parameters:
  ///   - groups: pairs of a row and a group of heads.
  ///   - context: T.
  /// - Returns: nil where each thread had better take whole groups.
  init?(groups: Int, context: Int, threads: Int) {
    tiles = (context + Attention.tileQueries - 1) / Attention.tileQueries
    blocks = (context + Attention.blockKeys - 1) / Attention.blockKeys
    guard threads > 1, blocks > 1 else { return nil }
    /// Groups that the busiest of so many takes, one after the other.
    func turns(_ workers: Int) -> Double { Double((groups + workers - 1) / workers) }
    var best = (time: turns(threads) / Self.worthwhile, teams: 0)
    for teams in 1...min(groups, threads) where threads / teams > 1 {
      let time = turns(teams) * Self.longestShare(min(threads / teams, blocks), blocks: blocks, tiles: tiles)
      // Of equally fast ones, that with the smallest teams, which wait the least.
      if time <= best.time { best = (time, teams) }
    }
    guard best.teams > 0 else { return nil }
    (teams, members) = (best.teams, min(threads / best.teams, blocks))
  }

  /// The member that has a block: there and back again, since earlier blocks are seen by more tiles.
  private static func member(of block: Int, _ members: Int) -> Int {
    let (round, place) = block.quotientAndRemainder(dividingBy: members)
    return round % 2 == 0 ? place : members - 1 - place
  }

  /// The part of a group's work that the busiest member has.
  private static func longestShare(_ members: Int, blocks: Int, tiles: Int) -> Double {
    var work = [Int](repeating: 0, count: members)
    for block in 0..<blocks {
      // Tiles of keys that tiles of queries see in it; the first of these see a part of the block.
      let seen = tiles - block * tilesOfBlock
      let part = min(seen, tilesOfBlock)
      work[member(of: block, members)] += part * (part + 1) / 2 + (seen - part) * tilesOfBlock
    }
    return Double(work.max() ?? 0) / Double(work.reduce(0, +))
  }

  /// Calls a body with each block of a member, the earlier first.
  func eachBlock(of member: Int, _ body: (_ block: Int) -> Void) {
    for block in 0..<blocks where Self.member(of: block, members) == member { body(block) }
  }

  /// How many tiles of a head see a block.
  func tiles(seeing block: Int) -> Int { tiles - block * Self.tilesOfBlock }

  /// The last block that a tile sees.
  func lastBlock(of tile: Int) -> Int { tile / Self.tilesOfBlock }
}
