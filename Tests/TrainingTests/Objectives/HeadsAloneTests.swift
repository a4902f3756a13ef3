// Stages of a run: MTP heads that learn alone, their weights over the run, and a part of the text that is used.
import Corpus
import Foundation
import Run
import Support
import Testing

@testable import Training

struct HeadsAloneTests {
  private static var recipe: Recipe {
    var recipe = Tiny.recipe
    recipe.objective.top = 0
    recipe.model.blocks = 3
    recipe.objective.mtp.heads = 2
    recipe.objective.mtp.weights = [0.5]
    recipe.objective.mtp.alone = 4
    recipe.objective.mtp.schedule = .sine
    recipe.save.every = 4
    return recipe
  }

  private func tensors(_ checkpoint: Checkpoint) -> [String: [Float]] {
    Dictionary(
      uniqueKeysWithValues: checkpoint.tensors.map { tensor in
        (tensor.path, Array(checkpoint.weights[tensor.offset..<tensor.offset + tensor.shape.reduce(1, *)]))
      })
  }

  @Test(arguments: [false, true])
  func `heads learn alone at first, and nothing else moves until then`(hasMemory: Bool) throws {
    var recipe = Self.recipe
    if hasMemory {
      recipe.model.memory.keys = 12
      (recipe.model.memory.keyWidth, recipe.model.memory.top) = (8, 6)
      (recipe.model.memory.valueWidth, recipe.model.memory.preWidth) = (12, 4)
    }
    try recipe.validate(source: "test")
    let (log, ending, _) = try Tiny.train(recipe)
    #expect(ending.reason == .finished)
    let first = try recipe.firstCheckpoint(
      tokenizer: TokenizerRecord(kind: "bytes", model: [], vocabulary: 256), threads: 2)
    let start = tensors(first)
    let saved = try #require(log.checkpoints.first { $0.state.step == 4 })
    let alone = tensors(saved)
    let end = tensors(try #require(log.checkpoints.last { $0.state.step == 12 }))
    for (path, weights) in start {
      let isHead = path.hasPrefix("mtp/")
      #expect((alone[path]! != weights) == isHead, "\(path) after the heads' own steps")
      #expect(end[path]! != alone[path]!, "\(path) at the end")
    }
    // What stays has no moments either: its first update is as small as that of a new network.
    for tensor in saved.tensors where !tensor.path.hasSuffix("/filter/weight") {
      for block in [saved.firstMoments, saved.secondMoments] {
        let moments = block[tensor.offset..<tensor.offset + tensor.count]
        #expect(moments.contains { $0 != 0 } == tensor.path.hasPrefix("mtp/"), "\(tensor.path)")
      }
    }
    #expect(start.keys.count { $0.hasSuffix("/memory/table/weight") } == (hasMemory ? 3 : 0))
    let weights = log.steps.map { step in step.losses.map { Double($0.weight) } }
    for step in 0..<4 { #expect(weights[step] == [0, 1]) }
    for step in 4..<12 {
      let expected = 0.5 * sin(Double.pi / 2 * (1 - Double(step - 4) / 8))
      #expect(weights[step][0] == 1 && abs(weights[step][1] - expected) < 1e-6, "step \(step)")
    }
    for step in log.steps { #expect(abs(step.total - step.losses.reduce(0) { $0 + $1.weight * $1.loss }) < 1e-5) }
    // What was updated is measured as such: nothing but the heads.
    let early = try Tiny.train(recipe, after: [2: [.evaluate]]).log.evaluations.first
    for group in try #require(early).gradients {
      if case .furtherHead = group.group {
        #expect(group.update > 0 && group.norm > 0)
      } else {
        #expect(group.update == 0)
      }
    }
  }

  @Test(arguments: [0, 12])
  func `a run with such stages goes on from a checkpoint as if it had not stopped`(keys: Int) throws {
    var recipe = Self.recipe
    recipe.objective.mtp.alone = 6
    recipe.model.memory.keys = keys
    (recipe.model.memory.keyWidth, recipe.model.memory.top) = (8, 6)
    (recipe.model.memory.valueWidth, recipe.model.memory.preWidth) = (12, 4)
    let whole = try Tiny.train(recipe)
    for step in [4, 8] {
      let half = try #require(whole.log.checkpoints.first { $0.state.step == step })
      #expect(
        try Tiny.train(recipe, from: half).log.steps.map(\.losses) == whole.log.steps.dropFirst(step).map(\.losses))
    }
  }

  @Test func `windows of a text are used from its beginning, over and over`() throws {
    var recipe = Tiny.recipe
    recipe.data.windows = 3
    let corpus = try Tiny.corpus(recipe)
    #expect(recipe.trained(of: corpus).count == 48)
    let (log, ending, _) = try Tiny.train(recipe, on: corpus)
    #expect(ending.reason == .finished && log.steps.count == 12)
    let windows = DataWindows(recipe, of: corpus)
    #expect(windows.count == 3)
    let seen = Set(try (0..<3).map { Array(try windows.window($0).tokens.prefix(16)) })
    #expect(seen == Set(try (0..<3).map { try corpus.training.tokens($0 * 16..<$0 * 16 + 16) }))
    recipe.data.windows = 1_000_000
    #expect(recipe.trained(of: corpus).count == corpus.training.count)
  }

  @Test func `Muon, which cannot hold parameters still, is refused`() throws {
    var recipe = Self.recipe
    recipe.optimizer.kind = .muon
    let error = #expect(throws: UserError.self) { try recipe.validate(source: "test") }
    #expect(error?.message.contains("which optimizer.kind muon cannot: use adamw") == true, "\(error?.message ?? "")")
  }

  @Test(arguments: ["objective.mtp.alone=3", "objective.mtp.schedule=sine"])
  func `stages of heads that there are not are refused`(assignment: String) throws {
    var recipe = Tiny.recipe
    try recipe.set(assignment, source: "--set")
    #expect(throws: UserError.self) { try recipe.validate(source: "test") }
  }
}
