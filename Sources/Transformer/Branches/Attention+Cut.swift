// The backward pass of attention where threads share a group of heads (AttentionCut). A member has some blocks of keys, and goes
// over all tiles of queries that see them. Blocks add to a tile's dQ in their order, and tiles to a block's dK and dV in theirs,
// as where one thread does all of it: the bits are the same. So a member waits for a tile until the block before has added to it.
import Kernels

extension Attention {
  /// All groups, by the whole team of threads.
  /// - Parameter groups: pairs of a row and a group of heads.
  func backward(
    _ all: AttentionGradients, groups: Int, by cut: AttentionCut, scratch base: UnsafeMutableRawPointer
  ) {
    for team in 0..<cut.teams { progress(base, cut, team: team).begin(cut.blocks) }
    Team.run(threads) { worker in
      if worker >= cut.teams * cut.members { return }
      let (team, member) = worker.quotientAndRemainder(dividingBy: cut.members)
      let shared = TeamScratch(
        dQueries: self.scratch(base, worker: team * cut.members).dQueries,
        progress: self.progress(base, cut, team: team))
      let scratch = scratch(base, worker: worker)
      // Heads that the team has begun: what its counters count by.
      var begun = 0
      for group in Swift.stride(from: team, to: groups, by: cut.teams) {
        let (row, ofRow) = group.quotientAndRemainder(dividingBy: configuration.keyValueHeads)
        cut.eachBlock(of: member) { layOutKeys(all, row: row, group: ofRow, keys(of: $0), scratch) }
        for (place, number) in heads(ofGroup: ofRow).enumerated() {
          let head = head(number, row: row, of: all)
          cut.eachBlock(of: member) { block in
            backward(block, of: head, all, cut, shared, scratch, begun: begun, isFirstOfGroup: place == 0)
          }
          begun += 1
        }
        cut.eachBlock(of: member) { unloadKeys(all, row: row, group: ofRow, keys(of: $0), scratch) }
      }
    }
  }

  /// What the members of a team share.
  private struct TeamScratch {
    let dQueries: UnsafeMutablePointer<Float>  // [T, hs]
    /// Of each block: the tiles that are done, of all heads that the team has taken.
    let progress: TeamProgress
  }

  private func progress(_ base: UnsafeMutableRawPointer, _ cut: AttentionCut, team: Int) -> TeamProgress {
    TeamProgress(scratch(base, worker: team * cut.members).progress)
  }

  /// The positions of a block's keys.
  private func keys(of block: Int) -> Range<Int> {
    block * Self.blockKeys..<min((block + 1) * Self.blockKeys, configuration.context)
  }

  /// One block of keys of one head, over the tiles that see it.
  /// - Parameter begun: heads that the team has taken before this one.
  private func backward(
    _ block: Int, of head: HeadGradients, _ all: AttentionGradients, _ cut: AttentionCut, _ shared: TeamScratch,
    _ scratch: Scratch, begun: Int, isFirstOfGroup: Bool
  ) {
    for tile in (block * AttentionCut.tilesOfBlock..<cut.tiles).reversed() {
      // The tile's number in every block that sees it: the last tile comes first.
      let done = cut.tiles - tile
      layOutQueries(tile, of: head, scratch)
      if block > 0 {
        shared.progress.wait(for: block - 1, toReach: begun * cut.tiles(seeing: block - 1) + done)
      } else if begun > 0 {
        // The tile's place in dQ has still that of the head before.
        let last = cut.lastBlock(of: tile)
        shared.progress.wait(for: last, toReach: (begun - 1) * cut.tiles(seeing: last) + done)
      }
      let dQ = shared.dQueries + tile * tileRows * scratchLayout.headStride
      multiply(
        tile, from: block * Self.blockKeys, of: head, scratch, dropout: all.dropout, into: dQ, addsToSums: block > 0,
        addsToKeys: !isFirstOfGroup || tile < cut.tiles - 1)
      if block == cut.lastBlock(of: tile) { unloadQueries(tile, of: head, dQ, angles: all.angles) }
      shared.progress.set(block, to: begun * cut.tiles(seeing: block) + done)
    }
  }
}
