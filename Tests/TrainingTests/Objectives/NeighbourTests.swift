// Objectives beside NTP and TOP, trained: what steps report, what commands change, and that runs go on as they were.
import Corpus
import Foundation
import Run
import Support
import Testing
import Transformer

@testable import Training

struct NeighbourTests {
  private static var recipe: Recipe {
    var recipe = Tiny.recipe
    recipe.objective.top = 0
    return recipe
  }

  private func ntp(_ log: Log) throws -> [HeadLoss] { try log.steps.map { try #require($0.losses.first) } }

  @Test func `further targets train at first, and steps and evaluations report plain cross-entropy`() throws {
    var recipe = Self.recipe
    recipe.objective.next.ahead = 3
    let (log, ending, _) = try Tiny.train(recipe)
    #expect(ending.reason == .finished)
    let losses = try ntp(log)
    // The last third of 12 steps has the next token alone.
    #expect(losses.map { $0.trained != nil } == (0..<12).map { $0 < 8 })
    // At first all tokens are about as likely: weights of 1.75 lose 1.75 times as much.
    let first = losses[0]
    #expect(abs(try #require(first.trained) / first.loss - 1.75) < 0.05)
    #expect(abs(try #require(first.entropy) - first.loss) < 0.1)
    for step in log.steps { #expect(step.total == step.losses[0].trained ?? step.losses[0].loss) }
    #expect(log.evaluations.allSatisfy { $0.losses[0].trained == nil && $0.losses[0].accuracy != nil })
    // Evaluating the final weights as those of a plain network gives the same number.
    var plain = Self.recipe
    plain.steps = 13
    let again = try Tiny.train(plain, from: log.checkpoints.last, asking: [.evaluate])
    #expect(again.log.evaluations.first?.losses[0].loss == log.evaluations.last?.losses[0].loss)
  }

  @Test func `a shaped run goes on from a checkpoint as if it had not stopped`() throws {
    var recipe = Self.recipe
    recipe.objective.next.ahead = 2
    recipe.objective.next.beta = 0.5
    recipe.objective.next.tail = -0.1
    recipe.objective[other: "future"] = 0.3
    recipe.objective[other: "bag"] = 0.2
    let whole = try Tiny.train(recipe)
    let half = try #require(whole.log.checkpoints.first { $0.state.step == 4 })
    let rest = try Tiny.train(recipe, from: half)
    #expect(rest.log.steps.map(\.losses) == whole.log.steps.dropFirst(4).map(\.losses))
  }

  @Test func `numbers of the shaped loss act from the next step on, and are replayed to the bit`() throws {
    var recipe = Self.recipe
    recipe.objective.next.beta = -0.25
    let plain = try Tiny.train(recipe)
    let asked = try ["ntp beta 0.5", "ntp tail 0.1"].map { try Command(typed: $0) }
    let changed = try Tiny.train(recipe, after: [4: asked])
    #expect(changed.log.occurrences.map(\.key) == ["objective.next.beta", "objective.next.tail"])
    #expect(try ntp(changed.log).prefix(4) == ntp(plain.log).prefix(4))
    #expect(try ntp(changed.log)[5] != ntp(plain.log)[5])
    let edits = changed.log.occurrences.compactMap { ReplayedCommand($0) }
    #expect(try ntp(Tiny.train(recipe, replaying: edits).log) == ntp(changed.log))
    let undone = try Tiny.train(recipe, after: [4: asked + [.undo, .undo]])
    #expect(try ntp(undone.log) == ntp(plain.log))
  }

  @Test func `a run that began with plain cross-entropy refuses them`() throws {
    let log = try Tiny.train(Self.recipe, after: [3: [try Command(typed: "ntp beta 0.5")]]).log
    #expect(log.occurrences.map(\.kind) == [.refused])
    #expect(log.occurrences[0].text.contains("train --set objective.next.beta=0.5"))
  }

  @Test func `a lower beta makes predictions more certain`() throws {
    let entropies = try [-0.25, 0.5].map { beta in
      var recipe = Self.recipe
      recipe.steps = 80
      recipe.schedule.rate = 1e-2
      recipe.objective.next.beta = beta
      return try #require(ntp(Tiny.train(recipe).log).last?.entropy)
    }
    #expect(entropies[0] < entropies[1], "\(entropies)")
  }

  @Test func `the future and the bag learn, their weights are steered, and NTP stays the first head`() throws {
    var recipe = Self.recipe
    recipe.steps = 60
    recipe.schedule.rate = 1e-2
    recipe.objective[other: "future"] = 0.5
    recipe.objective[other: "bag"] = 0.5
    let log = try Tiny.train(recipe, after: [50: [try Command(typed: "weight bag 0.1")]]).log
    let last = try #require(log.steps.last)
    #expect(last.losses.map(\.head.name) == ["ntp", "future", "bag"])
    for index in 1...2 { #expect(last.losses[index].loss < log.steps[0].losses[index].loss * 0.85) }
    #expect(last.losses[2].weight == 0.1)
    // At first about 1 + n/11 · log(256/11), with the n = 7 or so different bytes of eleven places.
    #expect(abs(log.steps[0].losses[2].loss - 3.1) < 0.3)
    #expect(try #require(log.evaluations.last).losses.allSatisfy { $0.loss.isFinite })
    #expect(log.evaluations.last?.losses[1].accuracy == nil)
  }

  private func pieces(_ text: String) throws -> Tokenizer {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("foretop-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appendingPathComponent("text.txt")
    try Data(text.utf8).write(to: file)
    return try Corpus(
      opening: Corpus.Source(
        paths: [file.path], kind: .sentencepiece, vocabulary: 290, heldOut: 0, context: 16,
        cache: folder.appendingPathComponent("cache").path)
    ).tokenizer
  }

  @Test func `each token's prefix is the longest token that it begins with`() throws {
    let text = (0..<400).map { _ in "the lookout looks out and the look is long" }.joined(separator: "\n")
    let tokenizer = try pieces(text)
    let prefixes = tokenizer.prefixes
    var found = 0
    for (token, prefix) in prefixes.enumerated() {
      let bytes = tokenizer.isSpecial(Int32(token)) ? [] : tokenizer.bytes(of: [Int32(token)], continuing: true)
      let shorter = prefixes.indices.filter { other in
        guard !tokenizer.isSpecial(Int32(other)) else { return false }
        let begin = tokenizer.bytes(of: [Int32(other)], continuing: true)
        return !begin.isEmpty && begin.count < bytes.count && bytes.starts(with: begin)
      }
      let longest = shorter.map { tokenizer.bytes(of: [Int32($0)], continuing: true).count }.max()
      #expect((prefix >= 0 ? tokenizer.bytes(of: [prefix], continuing: true).count : nil) == longest)
      if prefix >= 0 { found += 1 }
      // Letters of the text have pieces, and so their bytes' tokens are in no text.
      #expect(prefix < 0 || !tokenizer.isByteOfUnknown(prefix), "\(token)")
    }
    #expect(prefixes.indices.count { tokenizer.isByteOfUnknown(Int32($0)) } == 256)
    #expect(found > 5)
    let bytes = try Tokenizer(kind: .bytes, model: [])
    #expect(bytes.prefixes.allSatisfy { $0 == -1 })
  }
}
