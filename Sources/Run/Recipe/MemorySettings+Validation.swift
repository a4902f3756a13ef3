// What must hold between the numbers of memory layers.

extension Recipe.MemorySettings {
  /// Every rule that is broken: names of keys below `model.memory`, and a sentence.
  /// - Parameter blocks: of the network, those of MTP heads included.
  func brokenRules(blocks count: Int) -> [(keys: [String], sentence: String)] {
    guard keys > 0 else { return [] }
    var rules: [(keys: [String], sentence: String)] = []
    if candidateCount > keys {
      rules.append(
        (
          ["candidates", "keys"],
          "model.memory.candidates \(candidates) is above model.memory.keys \(keys): a side has no more keys than that"
        ))
    }
    if candidateCount * candidateCount < top {
      rules.append(
        (
          ["top", "candidates", "keys"],
          "model.memory.top is \(top), but \(candidateCount) candidates a side make \(candidateCount * candidateCount) "
            + "pairs: make model.memory.keys or model.memory.candidates larger, or top smaller"
        ))
    }
    if valueWidth % max(1, cores) != 0 {
      rules.append(
        (
          ["valueWidth", "cores"],
          "model.memory.cores \(cores) must divide model.memory.valueWidth \(valueWidth): each core weighs a part of a value"
        ))
    }
    if cores == 0, rank != 1 {
      rules.append(
        (
          ["rank", "cores"],
          "model.memory.rank is \(rank), but product keys (model.memory.cores 0) have one score a side: set "
            + "model.memory.rank 1"
        ))
    }
    let isOrdered = zip(blocks, blocks.dropFirst()).allSatisfy { $0 < $1 }
    if !isOrdered || blocks.contains(where: { $0.rounded() != $0 || $0 >= Double(count) }) {
      rules.append(
        (
          ["blocks"],
          "model.memory.blocks must be whole numbers from 0 to \(count - 1), each larger than the one before: the network "
            + "has \(count) blocks"
        ))
    }
    return rules
  }
}
