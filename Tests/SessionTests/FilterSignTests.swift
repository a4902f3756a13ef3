// The sign of the vectors by which a memory layer finds candidates: a part of the state, which a file keeps.
import Corpus
import Run
import RunFile
import Testing
import Training

extension SessionTests {
  /// What a trainer came to.
  private struct TrainedSteps {
    var losses: [Float] = []
    var saved: [Checkpoint] = []
  }

  /// Of the specification's eleven tests the sixth: the sign survives saving, loading and going on.
  @Test func `the sign of the vectors that find candidates survives a file, and the run goes on with it`() throws {
    var recipe = folder.recipe(steps: 12)
    recipe.model.memory.keys = 12
    (recipe.model.memory.keyWidth, recipe.model.memory.top) = (8, 4)
    (recipe.model.memory.valueWidth, recipe.model.memory.preWidth) = (12, 4)
    recipe.schedule.rate = 1e-2
    recipe.save.every = 6
    let corpus = try Corpus(opening: folder.source(recipe), tokenizer: nil) { _ in }
    let start = try recipe.firstCheckpoint(
      tokenizer: TokenizerRecord(kind: "bytes", model: [], vocabulary: 256), threads: 1)
    let filter = try #require(start.tensors.first { $0.path.hasSuffix("/memory/filter/weight") })
    let place = filter.offset..<filter.offset + filter.count
    func turned(_ checkpoint: Checkpoint) -> Checkpoint {
      var other = checkpoint
      for i in place { other.weights[i].negate() }
      return other
    }
    func trainer(from checkpoint: Checkpoint) throws -> Trainer {
      try Trainer(recipe: recipe, corpus: corpus, from: checkpoint, threads: 1, name: "signs")
    }
    func trained(from checkpoint: Checkpoint) throws -> TrainedSteps {
      var result = TrainedSteps()
      _ = try trainer(from: checkpoint).run(
        obeying: Mailbox<Request>(), isAttended: false,
        to: Trainer.Outlets(
          report: { if case .stepped(let report) = $0 { result.losses.append(report.total) } },
          save: { checkpoint in result.saved.append(checkpoint) }))
      return result
    }

    // A run that begins with the sign that a new one does not have.
    let whole = try trained(from: turned(start))
    #expect(try whole.losses.count == 12 && whole.losses != trained(from: start).losses)
    let half = try #require(whole.saved.first { $0.state.step == 6 })
    // Updates move the vectors, and keep their sign.
    let products = place.map { half.weights[$0] * start.weights[$0] }
    #expect(products.reduce(0, +) < -0.5 && half.weights[place] != turned(start).weights[place])

    let recorder = try Recorder(creating: "\(folder.path)/signs", beginning: trainer(from: turned(start)).beginning)
    _ = try recorder.save(half, isBest: false)
    try recorder.close(.stopped)
    let read = try StoredRun(opening: "\(folder.path)/signs").checkpoint(step: 6).checkpoint
    #expect(place.map { read.weights[$0].bitPattern } == place.map { half.weights[$0].bitPattern })
    let rest = try trained(from: read)
    #expect(rest.losses == Array(whole.losses[6...]))
    let (end, expected) = (try #require(rest.saved.last), try #require(whole.saved.last))
    #expect(end.state.step == 12 && end.weights == expected.weights)
    // With the other sign it goes on otherwise.
    #expect(try trained(from: turned(read)).losses != rest.losses)
  }
}
