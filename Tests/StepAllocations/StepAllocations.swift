// Counts what a training step allocates after the first, for networks of every kind: the report's list of losses, nothing else. Run it with counter.c's
// library before it (LD_PRELOAD), as `make test` does.
import Corpus
import Foundation
import Run
import Support
import Training

@main
struct StepAllocations {
  static func main() throws {
    guard let counter = AllocationCounter() else {
      FileHandle.standardError.write(Data("LD_PRELOAD names no library that counts allocations: make test\n".utf8))
      exit(2)
    }
    // What cannot count would find nothing.
    let seen = counter.count { keep = (0..<CommandLine.arguments.count * 100).map { $0 } }
    guard seen.own > 0 else {
      FileHandle.standardError.write(Data("an array was allocated, and nothing was counted\n".utf8))
      exit(2)
    }
    var bad = 0
    for (name, recipe) in networks {
      let corpus = try Corpus(text: text, for: recipe)
      let trainer = try Trainer(recipe: recipe, corpus: corpus, from: nil, threads: 2, name: name)
      // Threads start, and lists get their size, in the first.
      for _ in 0..<2 { _ = trainer.step() }
      let steps = 3
      let allocations = counter.count { for _ in 0..<steps { _ = trainer.step() } }
      let isBad = allocations.own > steps
      if isBad { bad += 1 }
      print(
        "\(isBad ? "✘" : "✔") \(name): \(allocations.own) allocations in \(steps) steps, "
          + "and \(allocations.others) inside oneDNN")
    }
    print("allocations: \(networks.count - bad) passed, \(bad) failed")
    exit(bad > 0 ? 1 : 0)
  }

  nonisolated(unsafe) private static var keep: [Int] = []

  /// What counter.c offers.
  private struct AllocationCounter {
    private let start: @convention(c) () -> Void
    private let stop: @convention(c) (UnsafeMutablePointer<Int>, UnsafeMutablePointer<Int>) -> Void

    init?() {
      guard let program = dlopen(nil, RTLD_NOW), let start = dlsym(program, "allocations_start"),
        let stop = dlsym(program, "allocations_stop")
      else { return nil }
      self.start = unsafeBitCast(start, to: (@convention(c) () -> Void).self)
      self.stop = unsafeBitCast(
        stop, to: (@convention(c) (UnsafeMutablePointer<Int>, UnsafeMutablePointer<Int>) -> Void).self)
    }

    func count(_ body: () -> Void) -> (own: Int, others: Int) {
      var (own, others) = (0, 0)
      start()
      body()
      stop(&own, &others)
      return (own, others)
    }
  }

  private static var networks: [(String, Recipe)] {
    func network(_ change: (inout Recipe) -> Void) -> Recipe {
      var recipe = Recipe.tiny(blocks: 2, width: 32, heads: 4, keyValueHeads: 2, inner: 48, context: 80)
      recipe.batch.rows = 2
      recipe.steps = 100
      recipe.data.heldOut = 0
      recipe.objective.window = 16
      change(&recipe)
      return recipe
    }
    return [
      ("NTP and TOP", network { _ in }),
      (
        "NTP and TOP in fp32, accumulated",
        network {
          $0.precision = .fp32
          $0.batch.accumulation = 3
          // Not one for each of two threads: the whole team takes all of them.
          $0.batch.rows = 3
        }
      ),
      (
        "parallel MTP-3 and TOP",
        network {
          $0.model.blocks = 4
          $0.objective.mtp.heads = 3
        }
      ),
      (
        "sequential MTP-3, blocks computed again",
        network {
          $0.objective.top = 0
          $0.objective.mtp.heads = 3
          $0.objective.mtp.kind = .sequential
          $0.model.recompute = .block
        }
      ),
      (
        "gpt2 with dropout, tied",
        network {
          $0.model.kind = .gpt2
          $0.model.dropout = 0.1
          $0.model.tied = true
        }
      ),
      (
        "normed queries and keys, documents apart",
        network {
          $0.model.qkNorm = true
          $0.data.documents = .separate
          $0.data.separator = "\n"
        }
      ),
    ]
  }

  private static let text = (0..<2000).map { "line \($0 * 7919 % 613) of a text that is long enough" }
    .joined(separator: "\n")
}
