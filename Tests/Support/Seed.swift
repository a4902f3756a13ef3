// The seed of what tests draw at random, and how much of it they try.
import Foundation

package enum Trial {
  private static func setting(_ name: String) -> String? { ProcessInfo.processInfo.environment[name] }

  /// FORETOP_TEST_SEED, 1 without it.
  package static let seed = setting("FORETOP_TEST_SEED").flatMap { UInt64($0) } ?? 1

  /// Whether `make torture` runs these tests, at counts that take minutes: FORETOP_TORTURE=full.
  package static let isFull = setting("FORETOP_TORTURE") == "full"

  /// What a failure says, so that it can be had again.
  package static let note = "FORETOP_TEST_SEED=\(seed)"
}

extension Dice {
  /// Numbers of the tests' seed, other ones for every purpose.
  package init(for purpose: String) {
    self.init(purpose.utf8.reduce(Trial.seed) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 })
  }
}
