// How tables of memory layers are to be updated: what decides that, and the memory that it takes.
import Kernels
@testable import Run
import Support
import Testing

@testable import Transformer

@Suite struct TableUpdateTests {
  @Test func `updates become lazy below a share of picked rows, and are streamed again above a larger one`() {
    var choice = UpdateChoice()
    /// Counts a window of steps, each of which picks so many of a hundred rows.
    func isLazy(after picked: Int) -> Bool {
      for _ in 0..<UpdateChoice.window {
        choice.picked = picked
        choice.isLazy = choice.countStep(rows: 100)
      }
      return choice.isLazy
    }
    let decisions = [50, 10, 9, 12, 15, 16, 15, 10, 9].map { isLazy(after: $0) }
    #expect(decisions == [false, false, true, true, true, false, false, false, true])
    // A window is decided by its mean, and not before its end.
    choice = UpdateChoice()
    for step in 1...UpdateChoice.window {
      choice.picked = step == 1 ? 90 : 4
      choice.isLazy = choice.countStep(rows: 100)
      #expect(choice.isLazy == (step == UpdateChoice.window))
    }
  }

  @Test func `a plan counts the updates of each row, and whether a copy has it`() throws {
    func picks(keys: Int) throws -> Int {
      let c = NetworkCase(
        testDescription: "", blocks: 2, width: 16,
        memory: MemorySize(keys: keys, keyWidth: 16, top: 4, candidates: 4, valueWidth: 24, preWidth: 8))
      let plan = try NetworkPlan(c.configuration, rows: c.rows, precision: .fp32, threads: 1)
      return plan.memory.first { $0.part == .picks }?.bytes ?? 0
    }
    // Of each row, 4 bytes each: the end of its picks, how often and when it was picked, and its updates; one byte: whether a
    // copy has it; of 256 rows, 8 bytes of a norm, which all tables share.
    let rows = 128 * 128 - 64 * 64
    let difference = try picks(keys: 128) - picks(keys: 64)
    #expect(difference == 2 * (4 * 4 + 1) * rows + 8 * rows / 256)
  }
}
