// Training with Muon: its update against the slow twin on whole networks, and everything that holds with AdamW.
import Foundation
import Kernels
import Run
import Support
import Testing
import Transformer

@testable import Training

@Suite struct MuonTrainingTests {
  private static var recipe: Recipe {
    var recipe = Tiny.recipe
    recipe.optimizer.kind = .muon
    return recipe
  }

  private func losses(_ log: Log) -> [Float] { log.steps.map(\.total) }

  /// Networks with every tensor that Muon treats in a way of its own.
  private static let changes: [String: @Sendable (inout Recipe) -> Void] = [
    "llama": { _ in },
    "gpt2": { $0.model.kind = .gpt2 },
    "sequential": {
      $0.objective.mtp.heads = 2
      $0.objective.mtp.kind = .sequential
    },
    "parallel, tied": {
      $0.model.blocks = 3
      $0.objective.mtp.heads = 2
      $0.model.tied = true
    },
  ]

  @Test(arguments: changes.keys.sorted(), [1, 2, 3, 8])
  func `an update is the twin's, tensor by tensor`(name: String, threads: Int) throws {
    var recipe = Self.recipe
    Self.changes[name]?(&recipe)
    recipe.optimizer.weightDecay = 0.3
    let model = try recipe.network(vocabulary: 256, rows: 2, threads: threads, isTrained: true, from: nil)
    let layout = model.parameters.layout
    let (weights, gradients) = (model.parameters.weights, model.parameters.gradients)
    let (firstMoments, secondMoments) = (model.parameters.firstMoments, model.parameters.secondMoments)
    var dice = Dice(for: "an update, \(name)")
    func fill(_ base: UnsafeMutablePointer<Float>, _ range: Range<Int>, _ low: Float) {
      for index in range { base[index] = Float.random(in: low...1, using: &dice) }
    }
    fill(weights, 0..<layout.count, -1)
    fill(gradients, 0..<layout.count, -1)
    fill(firstMoments, 0..<layout.count, -1)
    fill(secondMoments, 0..<layout.secondMoments, 0)
    func numbers(_ base: UnsafeMutablePointer<Float>, _ offset: Int, _ count: Int) -> [Double] {
      (0..<count).map { Double(base[offset + $0]) }
    }
    let before = layout.tensors.map { tensor in
      (
        w: numbers(weights, tensor.offset, tensor.count),
        g: numbers(gradients, tensor.offset, tensor.count),
        m: numbers(firstMoments, tensor.offset, tensor.count),
        v: tensor.secondMoment.map { numbers(secondMoments, $0, tensor.count) }
      )
    }
    let optimizer = try Optimizer(recipe.optimizer, for: model)
    let rate = 0.01
    optimizer.update(model, norm: 4, rate: rate, step: 6)
    #expect(optimizer.failure == nil)
    var updated = 0
    for (tensor, old) in zip(layout.tensors, before) {
      let decay = tensor.isMatrix ? 0.3 : 0
      let new = (
        w: numbers(weights, tensor.offset, tensor.count),
        m: numbers(firstMoments, tensor.offset, tensor.count)
      )
      var expected: (w: [Double], m: [Double])
      if let v = old.v {
        #expect(!tensor.description.isHidden)
        expected = ([], [])
        for i in old.w.indices {
          let g = old.g[i] / 4
          let m = 0.9 * old.m[i] + 0.1 * g
          let v = 0.95 * v[i] + 0.05 * g * g
          let step = m / (1 - pow(0.9, 7)) / ((v / (1 - pow(0.95, 7))).squareRoot() + 1e-8)
          expected.m.append(m)
          expected.w.append(old.w[i] - rate * (step + decay * old.w[i]))
        }
      } else {
        updated += 1
        let (rows, columns) = (tensor.shape[0], tensor.shape[1])
        // GPT-2's queries, keys and values are one tensor and three matrices.
        let isThree = tensor.path.hasSuffix("c_attn/weight")
        let width = recipe.model.width
        let (keys, queries) = (recipe.model.keyValueHeads * recipe.model.widthOfHead, width)
        let parts = isThree ? [queries, keys, keys] : [rows]
        expected = ([], [])
        for part in parts {
          let range = expected.w.count..<expected.w.count + part * columns
          let twin = Reference.muon(
            Array(old.w[range]), Array(old.g[range]), Array(old.m[range]), rows: part, columns: columns,
            momentum: 0.95, rate: rate, decay: decay, clip: 0.25)
          expected.w += twin.w
          expected.m += twin.m
        }
      }
      #expect(largestError(new.w.map { Float($0) }, expected.w) < 2e-5, "\(tensor.path), \(Trial.note)")
      #expect(largestError(new.m.map { Float($0) }, expected.m) < 1e-5, "\(tensor.path), \(Trial.note)")
    }
    #expect(updated == layout.tensors.count { $0.description.isHidden } && updated > 0)
  }

  @Test(arguments: changes.keys.sorted())
  func `the same bits come again, and after a resumption`(name: String) throws {
    var recipe = Self.recipe
    Self.changes[name]?(&recipe)
    let whole = try Tiny.train(recipe)
    #expect(losses(try Tiny.train(recipe).log) == losses(whole.log))
    #expect(losses(whole.log).last! < losses(whole.log)[0])
    let atFour = try #require(whole.log.checkpoints.first)
    let rest = try Tiny.train(recipe, from: atFour)
    #expect(losses(rest.log) == Array(losses(whole.log).dropFirst(4)))
    #expect(rest.checkpoint.weights == whole.checkpoint.weights)
    #expect(rest.checkpoint.firstMoments == whole.checkpoint.firstMoments)
    #expect(rest.checkpoint.secondMoments == whole.checkpoint.secondMoments)
    // The momentum is a part of the state.
    var changed = atFour
    let hidden = try #require(atFour.tensors.first { $0.path.contains("mlp") && $0.path.hasSuffix("weight") })
    changed.firstMoments[hidden.offset] += 0.5
    #expect(losses(try Tiny.train(recipe, from: changed).log) != losses(rest.log))
    // Second moments are there for what AdamW updates alone.
    #expect(atFour.secondMoments[hidden.offset..<hidden.offset + hidden.count].allSatisfy { $0 == 0 })
    #expect(atFour.firstMoments[hidden.offset..<hidden.offset + hidden.count].contains { $0 != 0 })
    let tables = ["embed_tokens/weight", "wte/weight"]
    let table = try #require(atFour.tensors.first { tensor in tables.contains { tensor.path.hasSuffix($0) } })
    #expect(atFour.secondMoments[table.offset..<table.offset + table.count].contains { $0 != 0 })
  }

  @Test func `threads that have matrices of their own come to the same bits`() throws {
    let shape = Self.recipe.shape(vocabulary: 256)
    #expect(MuonPlan(shape, precision: .fp32, threads: 2).shares.count == 2)
    // Seven matrices cannot be shared out among eight threads.
    #expect(MuonPlan(shape, precision: .fp32, threads: 8).shares.count == 1)
    #expect(MuonPlan(shape, precision: .fp32, threads: 8).threadsOfShare == 8)
    let updates = try [1, 2].map { threads in
      let model = try Self.recipe.network(vocabulary: 256, rows: 2, threads: threads, isTrained: true, from: nil)
      model.parameters.initialize(seed: 1, deviation: 0.02, threads: threads)
      let (count, gradients) = (model.parameters.layout.count, model.parameters.gradients)
      var dice = Dice(1)
      for index in 0..<count { gradients[index] = Float.random(in: -1...1, using: &dice) }
      let optimizer = try Optimizer(Self.recipe.optimizer, for: model)
      optimizer.update(model, norm: 1, rate: 0.01, step: 0)
      return Array(UnsafeBufferPointer(start: model.parameters.weights, count: count))
    }
    #expect(updates[0] == updates[1])
  }

  @Test func `gradients of zero change nothing but what decays`() throws {
    let model = try Self.recipe.network(vocabulary: 256, rows: 2, threads: 2, isTrained: true, from: nil)
    model.parameters.initialize(seed: 1, deviation: 0.02, threads: 2)
    let count = model.parameters.layout.count
    let before = Array(UnsafeBufferPointer(start: model.parameters.weights, count: count))
    var settings = Self.recipe.optimizer
    settings.weightDecay = 0
    try Optimizer(settings, for: model).update(model, norm: 0, rate: 0.01, step: 0)
    #expect(Array(UnsafeBufferPointer(start: model.parameters.weights, count: count)) == before)
  }

  @Test func `rate, clip, decay and undo act, and a replay does the same`() throws {
    var recipe = Self.recipe
    recipe.schedule.kind = .constant
    let asked: [Int: [Command]] = [
      3: [.rate(.times(0.5))], 5: [try Command(typed: "clip 0.01")], 7: [try Command(typed: "decay 5")], 9: [.undo],
    ]
    let plain = try Tiny.train(recipe)
    let changed = try Tiny.train(recipe, after: asked)
    #expect(losses(changed.log).prefix(4) == losses(plain.log).prefix(4))
    #expect(losses(changed.log).last != losses(plain.log).last)
    let edits = changed.log.occurrences.compactMap { ReplayedCommand($0) }
    #expect(edits.count == 4)
    #expect(losses(try Tiny.train(recipe, replaying: edits).log) == losses(changed.log))
  }

  @Test func `a run goes from AdamW to Muon, and not back`() throws {
    let adam = try Tiny.train(Tiny.recipe)
    let atFour = try #require(adam.log.checkpoints.first)
    let onward = try Tiny.train(Self.recipe, from: atFour)
    #expect(onward.log.steps.count == 8 && losses(onward.log).allSatisfy(\.isFinite))
    let muon = try #require(try Tiny.train(Self.recipe).log.checkpoints.first)
    let error = #expect(throws: UserError.self) { try Tiny.train(Tiny.recipe, from: muon) }
    #expect(error?.message.contains("optimizer.kind") == true)
  }

  @Test(arguments: [Precision.fp32, .bf16])
  func `a plan knows what Muon saves and takes`(precision: Precision) throws {
    var (adam, muon) = (Tiny.recipe, Self.recipe)
    if precision == .bf16 && !Machine.hasBF16 { try Test.cancel("this processor has no bf16") }
    (adam.precision, muon.precision) = (precision == .bf16 ? .bf16 : .fp32, precision == .bf16 ? .bf16 : .fp32)
    let plans = try [adam, muon].map { try RunPlan($0, vocabulary: 256, threads: 2) }
    func bytes(_ plan: RunPlan, _ name: String) -> Int { plan.memory.first { $0.name == name }?.bytes ?? 0 }
    let hidden = plans[1].network.parameters.tensors.filter(\.description.isHidden).reduce(0) { $0 + $1.count }
    #expect(hidden > 0 && bytes(plans[0], "moments") - bytes(plans[1], "moments") == 4 * hidden)
    #expect(bytes(plans[0], "muon") == 0 && bytes(plans[1], "muon") > 0)
    #expect(plans[0].muon == nil && plans[1].muon?.bytes == bytes(plans[1], "muon"))
    let model = try muon.network(vocabulary: 256, rows: 4, threads: 2, isTrained: true, from: nil)
    let plan = plans[1].network
    #expect((plan.bytes...plan.bytes + 8 * 4096).contains(model.bytes))
  }
}
