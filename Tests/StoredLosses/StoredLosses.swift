// The suite's last test: 20 steps of tiny networks of every kind, objective, precision and option, compared with what they
// lost when the tables were made. A refactor changes none of these numbers. `make test` runs it.
//
// A table (Tables/*.txt) belongs to a kind of CPU. Cases that are in the table of this machine's kind must be equal to the bit.
// Others must be near those of the first table that has them: a CPU without bf16 has a part of the cases, and newer cases are
// stored for few kinds.
//
// To make this machine's table anew, after a change that is meant to change the losses:
//
//     FORETOP_STORE_LOSSES=1 .build/release/StoredLosses
import Foundation

@main
struct StoredLosses {
  static func main() throws {
    let isStoring = ProcessInfo.processInfo.environment["FORETOP_STORE_LOSSES"] == "1"
    let processor = Processor.present
    let results = try TrainedCase.all.map { Result(name: $0.name, curve: try $0.train()) }
    let faults = Sense.faults(of: results)
    for fault in faults { print("✘ \(fault)") }
    if isStoring {
      guard faults.isEmpty else { exit(1) }
      let table = LossTable(processor: processor, results: results)
      let old = LossTable.stored.first { $0.processor == processor }
      let changes = old?.changes(to: results) ?? "there was no table of this kind of CPU"
      print("\(results.count) cases written to \(try table.write()); \(changes)")
      return
    }
    let tables = LossTable.stored
    guard !tables.isEmpty else {
      print("✘ there is no table of losses in \(LossTable.folder.path)")
      exit(1)
    }
    let comparison = TableComparison(of: results, with: tables, on: processor)
    for difference in comparison.differences { print("✘ \(difference)") }
    let bad = faults.count + comparison.differences.count
    print("stored losses: \(max(0, results.count - bad)) passed, \(bad) failed: \(comparison.words)")
    exit(bad > 0 ? 1 : 0)
  }
}

/// What a case lost at each step, and the norm of its last gradient.
struct LossCurve: Equatable {
  var losses: [Float]
  var norm: Float
}

struct Result {
  var name: String
  var curve: LossCurve
}

/// What must hold of the numbers themselves: a table of NaNs, or of networks that are all one, would guard nothing.
enum Sense {
  static func faults(of results: [Result]) -> [String] {
    var faults: [String] = []
    /// Another number of threads may come to the same sums.
    struct LossKey: Hashable {
      let losses: [Float]
      let threads: Character?
    }
    var seen: [LossKey: String] = [:]
    for result in results {
      let losses = result.curve.losses
      let key = LossKey(losses: losses, threads: result.name.last)
      if !(losses.allSatisfy(\.isFinite) && result.curve.norm.isFinite) {
        faults.append("\(result.name): a number is not finite")
      } else if !(losses[losses.count - 1] < TrainedCase.bound(of: result.name) * losses[0]) {
        faults.append("\(result.name): it learns nothing, its losses are \(losses)")
      }
      // What is computed again is computed to the bit; nothing else is the same twice.
      let isRepeated = result.name.contains(TrainedCase.recomputed)
      if let other = seen[key], !isRepeated { faults.append("\(result.name) loses what \(other) loses") }
      if isRepeated, seen[key] == nil { faults.append("\(result.name): blocks computed again lose something else") }
      if !isRepeated { seen[key] = result.name }
    }
    return faults
  }
}
