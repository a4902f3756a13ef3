// A head that the program does not have: one row of the table takes it through training, files, screen, export and import.
import Corpus
import Dashboard
import Export
import Foundation
@testable import Run
import RunFile
import Support
import TerminalUI
import Testing
import Training
import Transformer

struct MadeUpHeadTests {
  /// Predicts the token after the next, like MTP's second head, but by an unembedding of its own on the trunk.
  private static let leap = HeadKind(
    onTrunk: "leap", target: .token(ahead: 2),
    look: HeadLook(colour: .fourth, symbol: "l", sign: "┄", heldOutSign: "l"))

  private static func recipe() throws -> Recipe {
    try Recipe(
      yaml: """
        tokenizer: {kind: bytes}
        model: {blocks: 1, width: 16, heads: 2, keyValueHeads: 1, inner: 24, context: 16}
        batch: {rows: 4}
        objective: {top: 0, leap: 0.5}
        schedule: {rate: 0.01, warmup: 3}
        data: {heldOut: 0.1}
        evaluate: {every: 20}
        save: {every: 0}
        sample: {every: 0}
        precision: fp32
        steps: 60
        """, source: "test")
  }

  private static func train(_ recipe: Recipe) throws -> (events: [Event], checkpoint: Checkpoint) {
    let words = ["the", "lookout", "sees", "a", "sail", "and", "calls", "down", "to", "deck"]
    var dice = Dice(1)
    let text = (0..<800).map { _ in words.randomElement(using: &dice)! }.joined(separator: " ")
    let trainer = try Trainer(
      recipe: recipe, corpus: Corpus(text: text, for: recipe), from: nil, threads: 1, name: "made-up")
    var events: [Event] = [.began(trainer.beginning)]
    let ending = trainer.run(
      obeying: Mailbox<Request>(), isAttended: false,
      to: Trainer.Outlets(report: { events.append($0) }, save: { _ in }))
    #expect(ending.reason == .finished)
    return (events, trainer.checkpoint)
  }

  @Test func `it is trained, stored, shown, exported and imported`() throws {
    try HeadKind.$further.withValue([Self.leap]) {
      let recipe = try Self.recipe()
      try recipe.validate(source: "test")
      let head = Head(Self.leap)
      #expect(recipe.heads == [.ntp, head] && recipe.weight(of: head) == 0.5)
      #expect(try Recipe(yaml: recipe.yaml, source: "test") == recipe)

      let (events, checkpoint) = try Self.train(recipe)
      let steps = events.compactMap { if case .stepped(let report) = $0 { report } else { nil } }
      let losses = steps.compactMap { step in step.losses.first { $0.head == head }?.loss }
      #expect(losses.count == 60)
      // A row of 16 tokens has its two next ones: all positions of the 4 rows count.
      #expect(steps.allSatisfy { step in step.losses.allSatisfy { $0.positions == 64 } })
      #expect(try #require(losses.last) < #require(losses.first) * 0.8)
      #expect(checkpoint.tensors.contains { $0.path == "leap_head/weight" })

      let room = try Room()
      defer { try? FileManager.default.removeItem(atPath: room.folder) }
      let folder = room.folder + "/made-up"
      guard case .began(let beginning) = events[0] else { preconditionFailure("a run begins") }
      let recorder = try Recorder(creating: folder, beginning: beginning)
      for event in events.dropFirst() { _ = try recorder.record(event) }
      _ = try recorder.save(checkpoint, isBest: true)
      try recorder.close(.finished)
      let run = try StoredRun(opening: folder)
      let stored = try run.events().compactMap { if case .stepped(let report) = $0 { report } else { nil } }
      #expect(stored.compactMap { step in step.losses.first { $0.head == head }?.loss } == losses)
      #expect(run.recipe == recipe)
      let saved = try run.checkpoint().checkpoint
      #expect(saved.tensors == checkpoint.tensors && saved.weights == checkpoint.weights)
      var lines: [String] = []
      try MetricLines.json(of: { try events.forEach($0) }) { lines.append($0) }
      #expect(lines.count { $0.contains(#""leap":"#) } == 63)

      var dashboard = Dashboard(.live)
      for event in events { dashboard.receive(event) }
      #expect(dashboard.draw(size: (120, 36), now: beginning.time + 10).text.contains("┄ leap "))
      _ = dashboard.press(.character("w"))
      #expect(dashboard.draw(size: (120, 36), now: beginning.time + 10).text.contains("leap"))

      let model = try HuggingFace(checkpoint, inner: 24, epsilon: 1e-6, addsSpaceBefore: false, withHeads: true)
      var file: [UInt8] = []
      SafeTensors.write(model.tensors, of: model.source, notes: [("format", "pt")]) { file += $0 }
      let tensors = try Room.tensors(file)
      #expect(tensors.has(Self.leap) && !tensors.has(.tokenOrder))
      let config = try #require(model.files.first { $0.name == "config.json" }).bytes
      let network = try ForeignConfiguration(config, source: "config.json")
      var imported = Recipe()
      tensors.setWeights(of: &imported, keepingOthers: false)
      imported.model.context = network.context
      try network.shape(&imported, source: "config.json")
      #expect(imported.heads == [.ntp, head])
      let back = try Room.imported(network, imported, file, checkpoint.tokenizer)
      #expect(back.tensors == checkpoint.tensors && back.weights == checkpoint.weights)
    }
  }

  @Test func `without its row its weight is a key that nobody knows`() {
    #expect(throws: UserError.self) { try Self.recipe() }
  }
}
