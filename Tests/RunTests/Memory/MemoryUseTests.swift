// What is said of the use of a memory layer's table: numbers and coarse maps, and both as JSON.
import Foundation
import Support
import Testing

@testable import Run

@Suite struct MemoryUseTests {
  private func counts(_ picks: [UInt32], last: [UInt32]? = nil, steps: Int = 5, counted: Int = 5) -> TableCounts {
    let keys = Int(Double(picks.count).squareRoot())
    return TableCounts(keys: keys, picks: picks, last: last ?? picks, steps: steps, counted: counted)
  }

  @Test func `even use is 1, and one row with all picks is 0`() throws {
    let even = counts([UInt32](repeating: 7, count: 16))
    let entropy = try #require(even.entropy)
    #expect(even.used == 1 && abs(entropy - 1) < 1e-6 && even.most == 1 / 16)
    var one = [UInt32](repeating: 0, count: 16)
    one[5] = 9
    #expect(counts(one).used == 1 / 16 && counts(one).entropy == 0 && counts(one).most == 1)
    #expect(counts(one).first(3) == [MemoryMap.UsedRow(row: 1, column: 1, share: 1)])
    let half = counts([4, 4, 0, 0])
    let halfEntropy = try #require(half.entropy)
    #expect(abs(halfEntropy - 0.5) < 1e-6 && half.used == 0.5)
  }

  @Test func `nothing is said where nothing was counted`() {
    let none = counts([0, 0, 0, 0], steps: 0, counted: 0)
    #expect(none.used == nil && none.entropy == nil && none.most == nil && none.dead == nil)
    #expect(none.cells(side: 2).isEmpty && none.ranks(parts: 2).isEmpty && none.first(5).isEmpty)
  }

  @Test func `rows are dead that a thousand steps did not pick, and not before there were so many`() {
    let last: [UInt32] = [0, 1, 499, 500, 501, 1500, 1499, 3, 800]
    #expect(counts(last, last: last, counted: 999).dead == nil)
    #expect(counts(last, last: last, counted: 1000).dead == Float(1) / 9)
    #expect(counts(last, last: last, counted: 1500).dead == Float(5) / 9)
  }

  @Test func `cells and ranks share out all picks`() {
    var dice = Dice(for: "cells and ranks")
    for keys in [1, 3, 7, 33, 50] {
      let picks = (0..<keys * keys).map { _ in UInt32.random(in: 0...20, using: &dice) + 1 }
      let all = counts(picks)
      for side in [1, 2, 5, 32] where side <= keys {
        let cells = all.cells(side: side)
        // In per cent of even use, over cells of nearly the same size.
        var (sum, rows) = (0.0, 0)
        for a in 0..<side {
          for b in 0..<side {
            let size =
              (0..<keys).count { $0 * side / keys == a } * (0..<keys).count { $0 * side / keys == b }
            sum += Double(cells[a * side + b] * size)
            rows += size
          }
        }
        #expect(rows == keys * keys && abs(sum / Double(rows) - 100) < 1, "\(Trial.note)")
      }
      let ranks = all.ranks(parts: min(20, picks.count))
      #expect(abs(ranks.reduce(0, +) - 1) < 1e-5)
      if picks.count % ranks.count == 0 { #expect(ranks == ranks.sorted(by: >)) }
      let first = all.first(5)
      let sorted = picks.indices.sorted { (picks[$1], $0) < (picks[$0], $1) }.prefix(5)
      #expect(first.map { $0.row * keys + $0.column } == Array(sorted))
    }
  }

  @Test func `a map stays small however many tables there are, and however large`() {
    for (layers, keys) in [(1, 400), (12, 400), (100, 64), (5000, 2), (1, 1)] {
      let table = counts([UInt32](repeating: 3, count: keys * keys))
      let map = MemoryMap(
        step: 9, counts: Array(repeating: table, count: layers), of: (0..<layers).map(TensorGroup.block))
      #expect(map.layers.count == layers)
      #expect(map.layers.reduce(0) { $0 + $1.cells.count } <= max(4096, layers))
      #expect(map.layers.allSatisfy { $0.side <= 32 && $0.cells.count == $0.side * $0.side })
    }
  }

  private func evaluation() -> Evaluation {
    var evaluation = Evaluation(
      step: 3, tokens: 9, time: 2.5, losses: [HeadLoss(head: .ntp, loss: 3, positions: 40)], isBest: false, seconds: 0.5
    )
    evaluation.memories = [TensorGroup.block(0), .block(11), .furtherHead(1)].enumerated().map { index, group in
      var use = MemoryUse(group: group)
      for (place, number) in MemoryUse.numbers.enumerated() { use[keyPath: number.place] = Float(place + index) / 8 }
      return use
    }
    return evaluation
  }

  @Test func `numbers and maps are read back from JSON as they were`() throws {
    let picks = (0..<UInt32(100)).map { $0 * $0 }
    let events: [Event] = [
      .evaluated(evaluation()), .mapped(MemoryMap(step: 3, counts: [counts(picks)], of: [.block(11)])),
    ]
    var reader = EventReader()
    for event in events {
      let line = NumberedEvent(4, event).json
      #expect(try reader.read(JSON.read(Array(line.utf8))) == NumberedEvent(4, event), "\(line)")
    }
    #expect(NumberedEvent(4, events[0]).json.contains(#""memory":{"used":{"block-0":"#))
  }

  @Test func `a number that is not known is left out`() throws {
    var evaluation = evaluation()
    for index in evaluation.memories.indices { evaluation.memories[index].dead = .nan }
    let line = NumberedEvent(1, .evaluated(evaluation)).json
    #expect(!line.contains("dead") && line.contains("entropy"))
    var reader = EventReader()
    guard case .evaluated(let read)? = try reader.read(JSON.read(Array(line.utf8)))?.event else {
      Issue.record("no evaluation was read")
      return
    }
    #expect(read.memories.map(\.group) == evaluation.memories.map(\.group))
    #expect(read.memories.allSatisfy { $0.dead.isNaN && !$0.entropy.isNaN })
  }

  @Test(arguments: ["\"side\":2", "\"cells\":[1,2,3]", "\"keys\":\"a\"", "\"first\":[{}]"])
  func `a map that is wrong is refused with its key`(change: String) throws {
    let key = change.split(separator: "\"")[0]
    let parts = [
      "\"name\":\"block-0\"", "\"keys\":1", "\"side\":1", "\"cells\":[100]", "\"ranks\":[1]", "\"first\":[]",
    ].map { $0.hasPrefix("\"\(key)\"") ? change : $0 }
    let line =
      "{\"event\":\"memory\",\"step\":1,\"steps\":1,\"layers\":[{\(parts.joined(separator: ","))}],\"number\":1}"
    var reader = EventReader()
    #expect(throws: UserError.self) { try reader.read(JSON.read(Array(line.utf8))) }
  }
}
