// Rows against a brute-force reading of the text.
import Testing

@testable import Corpus

struct BatchesTests {
  /// What a row must be: the window's tokens and those that follow, −1 past the end.
  private func row(_ tokens: [Int32], window: Int, context: Int, lookahead: Int) -> [Int32] {
    (0..<(context + lookahead)).map { place in
      let index = window * context + place
      return index < tokens.count ? tokens[index] : -1
    }
  }

  private func rows(_ batch: Batch) -> [[Int32]] {
    (0..<batch.rows).map { row in (0..<batch.stride).map { batch.tokens[row * batch.stride + $0] } }
  }

  private let shapes = [
    (count: 100, rows: 4, context: 10, lookahead: 5), (count: 103, rows: 3, context: 10, lookahead: 25),
    (count: 8, rows: 5, context: 8, lookahead: 1), (count: 50, rows: 1, context: 7, lookahead: 0),
    (count: 65, rows: 16, context: 4, lookahead: 100),
  ]

  @Test func `each window comes once a pass with what follows it`() throws {
    for (count, rowCount, context, lookahead) in shapes {
      let tokens = (0..<Int32(count)).map { $0 &* 7 % 1000 }
      var batches = Batches(of: TokenRange(tokens), rows: rowCount, context: context, lookahead: lookahead, seed: 9)
      let windows = count / context
      #expect(batches.windows == windows)
      var seen: [[Int32]] = []
      while seen.count < 3 * windows { seen += rows(try batches.next()) }
      let all = Set((0..<windows).map { row(tokens, window: $0, context: context, lookahead: lookahead) })
      for pass in 0..<3 { #expect(Set(seen[(pass * windows)..<((pass + 1) * windows)]) == all) }
    }
  }

  @Test func `they go on from any window`() throws {
    let part = TokenRange((0..<120).map { Int32($0) })
    var whole = Batches(of: part, rows: 1, context: 10, lookahead: 3, seed: 5)
    let expected = try (0..<40).map { _ in rows(try whole.next())[0] }
    for start in 0..<30 {
      var resumed = Batches(of: part, rows: 3, context: 10, lookahead: 3, seed: 5, window: start)
      #expect(try rows(resumed.next()) == Array(expected[start..<(start + 3)]))
      #expect(resumed.window == start + 3)
      #expect(try rows(resumed.next()) == Array(expected[(start + 3)..<(start + 6)]))
    }
  }

  @Test func `a part is never looked out of`() throws {
    let all = TokenRange((0..<100).map { Int32($0) })
    var training = Batches(of: all.part(0..<80), rows: 8, context: 10, lookahead: 50, seed: 1)
    let seen = rows(try training.next()).joined()
    #expect(seen.max() == 79)
    #expect(seen.contains(-1))
    var heldOut = OrderedBatches(of: all.part(80..<100), rows: 2, context: 10, lookahead: 50)
    let batch = try heldOut.next()
    #expect(batch.map { rows($0).joined().filter { $0 >= 0 }.min() } == 80)
  }

  @Test func `in order each window comes once and the short one is left out`() throws {
    for (count, rowCount, context, lookahead) in shapes {
      let tokens = (0..<Int32(count)).map { $0 &* 3 % 500 }
      var batches = OrderedBatches(of: TokenRange(tokens), rows: rowCount, context: context, lookahead: lookahead)
      var seen: [[Int32]] = []
      while let batch = try batches.next() {
        let all = rows(batch)
        seen += all[..<batch.filledRows]
        #expect(all[batch.filledRows...].joined().allSatisfy { $0 == -1 })
      }
      #expect(seen == (0..<(count / context)).map { row(tokens, window: $0, context: context, lookahead: lookahead) })
    }
  }

  @Test func `of some windows each comes once, evenly spread, the same every time`() throws {
    func first(_ part: TokenRange, most: Int) throws -> [Int32] {
      var batches = OrderedBatches(of: part, rows: 3, context: 10, lookahead: 5, most: most)
      #expect(batches.windows == min(most, 40))
      var starts: [Int32] = []
      while let batch = try batches.next() { starts += rows(batch)[..<batch.filledRows].map { $0[0] } }
      return starts
    }
    let part = TokenRange((0..<405).map { Int32($0) })
    #expect(try first(part, most: 4) == [0, 100, 200, 300])
    #expect(try first(part, most: 1) == [0])
    #expect(try first(part, most: 7) == [0, 50, 110, 170, 220, 280, 340])
    #expect(try first(part, most: 40) == first(part, most: .max))
  }

  @Test func `a text shorter than a window has no batch`() throws {
    var batches = OrderedBatches(of: TokenRange([1, 2, 3]), rows: 2, context: 4, lookahead: 1)
    let batch = try batches.next()
    #expect(batch == nil)
  }
}
