// An order that leaves nothing out.
import Testing

@testable import Corpus

struct PermutationTests {
  @Test(arguments: [1, 2, 3, 4, 5, 7, 16, 17, 64, 100, 1000, 4097])
  func `every index comes once`(count: Int) {
    for pass in 0..<3 {
      let order = Permutation(count: count, seed: 42, pass: pass)
      #expect(Set((0..<count).map { order[$0] }) == Set(0..<count))
    }
  }

  @Test func `passes and seeds have orders of their own`() {
    let orders = [(1, 0), (1, 1), (2, 0), (2, 1), (0, 0)].map { seed, pass in
      let order = Permutation(count: 500, seed: UInt64(seed), pass: pass)
      return (0..<500).map { order[$0] }
    }
    #expect(Set(orders).count == orders.count)
    #expect(!orders.contains(Array(0..<500)))
  }

  @Test func `the order looks shuffled`() {
    // Of 1000 places about one holds its own number, and neighbours are about a third of the whole apart.
    let order = Permutation(count: 1000, seed: 3, pass: 0)
    #expect((0..<1000).count { order[$0] == $0 } < 10)
    let distance = (1..<1000).reduce(0) { $0 + abs(order[$1] - order[$1 - 1]) } / 999
    #expect((250...420).contains(distance))
  }

  @Test func `three windows come in all six orders`() {
    let orders = (0..<200).map { pass in
      let order = Permutation(count: 3, seed: 1, pass: pass)
      return (0..<3).map { order[$0] }
    }
    #expect(Set(orders).count == 6)
  }

  @Test func `the order of a seed never changes`() {
    let order = Permutation(count: 10, seed: 1, pass: 0)
    #expect((0..<10).map { order[$0] } == [0, 2, 6, 5, 9, 1, 7, 3, 8, 4])
  }
}
