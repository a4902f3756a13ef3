// Teachers in training: what a weight of 0 is, what the teacher's steps are, and networks and n-grams as teachers.
import Corpus
import Foundation
import Kernels
import Run
import Support
import Testing
import Transformer

@testable import Training

struct TeacherTests {
  private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("foretop-\(UUID().uuidString)")

  private func recipe(_ file: String) -> Recipe {
    var recipe = Tiny.recipe
    recipe.objective.top = 0
    recipe.objective.teacher.file = file
    recipe.objective.teacher.top = 4
    return recipe
  }

  private func path(_ name: String) throws -> String {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    return folder.appendingPathComponent(name).path
  }

  /// The file of a 3-gram model.
  private func grams(_ corpus: Corpus, top: Int = 6) throws -> String {
    let path = try path("grams.teacher")
    let header = try TeacherHeader(teacher: "3-gram", corpus: corpus, top: top, temperature: 1)
    let model = try KneserNey(of: corpus.training, vocabulary: corpus.tokenizer.vocabulary, order: 3)
    try TeacherFile.write(to: path, header) {
      try $0(model.likeliest(after: 0..<corpus.training.count, top: top, temperature: 1))
    }
    return path
  }

  @Test func `a weight of 0 is next-token prediction to the bit, and so are steps after the teacher's`() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    var plain = Tiny.recipe
    plain.objective.top = 0
    let corpus = try Tiny.corpus(plain)
    let file = try grams(corpus)
    let expected = try Tiny.train(plain, on: corpus).log
    var zero = recipe(file)
    zero.objective.teacher.weight = 0
    #expect(try Tiny.train(zero, on: corpus).log.steps.map(\.losses) == expected.steps.map(\.losses))
    var taught = recipe(file)
    taught.objective.teacher.steps = 5
    let log = try Tiny.train(taught, on: corpus).log
    let losses = log.steps.map { $0.losses[0] }
    #expect(losses.map { $0.trained != nil } == (0..<12).map { $0 < 5 })
    // The first step's weights are those of the plain run: so is its plain cross-entropy.
    #expect(abs(losses[0].loss - expected.steps[0].losses[0].loss) < 1e-6)
    #expect(losses[1].loss != expected.steps[1].losses[0].loss)
    for step in log.steps { #expect(step.total == step.losses[0].trained ?? step.losses[0].loss) }
    #expect(log.evaluations.allSatisfy { $0.losses[0].trained == nil && $0.losses[0].gradientAtH ?? 0 > 0 })
  }

  @Test func `a taught run goes on from a checkpoint to the bit, and its weight is steered`() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let corpus = try Tiny.corpus(Tiny.recipe)
    let recipe = recipe(try grams(corpus))
    let whole = try Tiny.train(recipe, on: corpus)
    let half = try #require(whole.log.checkpoints.first { $0.state.step == 4 })
    let rest = try Tiny.train(recipe, on: corpus, from: half)
    #expect(rest.log.steps.map(\.losses) == whole.log.steps.dropFirst(4).map(\.losses))
    let asked = try [4: [Command(typed: "ntp teacher 0")]]
    let steered = try Tiny.train(recipe, on: corpus, after: asked).log
    #expect(steered.occurrences.map(\.key) == ["objective.teacher.weight"])
    #expect(steered.steps.map { $0.losses[0].trained != nil } == (0..<12).map { $0 < 4 })
    var shaped = Tiny.recipe
    shaped.objective.next.beta = 0.5
    #expect(try Tiny.train(shaped, on: corpus, after: asked).log.occurrences.map(\.kind) == [.refused])
  }

  @Test func `the teacher's steps are steered, and a weight that comes after them is taken with a remark`() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let corpus = try Tiny.corpus(Tiny.recipe)
    var recipe = recipe(try grams(corpus))
    recipe.objective.teacher.steps = 4
    #expect(recipe.shapedSteps == 4)
    let asked = try [6: ["ntp teacher 0.7", "ntp teacher steps 9"].map { try Command(typed: $0) }]
    let steered = try Tiny.train(recipe, on: corpus, after: asked).log
    #expect(steered.occurrences.map(\.key) == ["objective.teacher.weight", "objective.teacher.steps"])
    #expect(steered.occurrences[0].text.contains("no effect") && !steered.occurrences[1].text.contains("no effect"))
    #expect(
      steered.steps.map { $0.losses[0].trained != nil } == (0..<12).map { $0 < 4 || (6..<9).contains($0) })
    let edits = steered.occurrences.compactMap { ReplayedCommand($0) }
    let replayed = try Tiny.train(recipe, on: corpus, replaying: edits).log
    #expect(replayed.steps.map(\.losses) == steered.steps.map(\.losses))
    let plain = try Tiny.train(Tiny.recipe, on: corpus, after: asked).log
    #expect(plain.occurrences.map(\.kind) == [.refused, .refused])
    #expect(plain.occurrences.allSatisfy { $0.text.contains("objective.teacher.file=FILE") })
  }

  @Test func `a run that goes on after the teacher's steps needs no file, until a command gives it more`() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let corpus = try Tiny.corpus(Tiny.recipe)
    var recipe = recipe(try grams(corpus))
    recipe.objective.teacher.steps = 4
    let whole = try Tiny.train(recipe, on: corpus)
    let half = try #require(whole.log.checkpoints.first { $0.state.step == 4 })
    let asked = try [6: [Command(typed: "ntp teacher steps 8")]]
    let more = try Tiny.train(recipe, on: corpus, from: half, after: asked).log
    #expect(more.steps.map { $0.losses[0].trained != nil } == (4..<12).map { (6..<8).contains($0) })
    try FileManager.default.removeItem(atPath: recipe.objective.teacher.file)
    let rest = try Tiny.train(recipe, on: corpus, from: half)
    #expect(rest.log.steps.map(\.losses) == whole.log.steps.dropFirst(4).map(\.losses))
    let refused = try Tiny.train(recipe, on: corpus, from: half, after: asked).log
    #expect(refused.occurrences.map(\.kind) == [.refused] && refused.steps.count == 8)
    #expect(refused.occurrences[0].text.contains("objective.teacher.file: "))
    // A session that repeats such a command does not begin.
    let edits = more.occurrences.compactMap { ReplayedCommand($0) }
    let trainer = try Trainer(recipe: recipe, corpus: corpus, from: half, threads: 1, name: "a")
    #expect(throws: CorpusError.self) { try trainer.makeReady(toRepeat: edits) }
    try trainer.makeReady(toRepeat: [])
    recipe.objective.teacher.steps = 5
    #expect(throws: CorpusError.self) { try Tiny.train(recipe, on: corpus, from: half) }
  }

  @Test func `the plan measures how long a teacher's predictions are read`() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let corpus = try Tiny.corpus(Tiny.recipe)
    let recipe = recipe(try grams(corpus))
    let plan = try RunPlan(recipe, vocabulary: corpus.tokenizer.vocabulary, threads: 1)
    #expect(try #require(plan.secondsOfReadingTeacher) > 0)
    let missing = try RunPlan(
      self.recipe(folder.appendingPathComponent("none").path), vocabulary: corpus.tokenizer.vocabulary, threads: 1)
    #expect(missing.secondsOfReadingTeacher == nil)
    let plain = try RunPlan(Tiny.recipe, vocabulary: corpus.tokenizer.vocabulary, threads: 1)
    #expect(plain.secondsOfReadingTeacher == nil)
  }

  @Test func `a student of an n-gram model comes nearer to it than one that learns the text alone`() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let corpus = try Tiny.corpus(Tiny.recipe)
    var taught = recipe(try grams(corpus))
    taught.objective.teacher.weight = 1
    taught.steps = 120
    taught.schedule.rate = 1e-2
    let log = try Tiny.train(taught, on: corpus).log
    let (first, last) = (log.steps[0].losses[0], log.steps[119].losses[0])
    #expect(try #require(last.trained) < #require(first.trained) * 0.6)
    // It never sees a token of the text as a target, and predicts them all the same.
    #expect(last.loss < first.loss * 0.6)
  }

  @Test func `small probabilities are read by threads that flush subnormal numbers`() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let corpus = try Tiny.corpus(Tiny.recipe)
    let path = try path("small.teacher")
    let header = try TeacherHeader(teacher: "3-gram", corpus: corpus, top: 4, temperature: 1)
    let given: [Float] = [0.5, 3e-4, 3e-5, 1e-7].map { Float(Float16($0)) }
    try TeacherFile.write(to: path, header) { append in
      for _ in 0..<header.positions { try append(TeacherRows(tokens: [1, 2, 3, 4], weights: given)) }
    }
    let file = try TeacherFile(at: path)
    var tokens = [Int32](repeating: 0, count: 4)
    var weights = [Float](repeating: 0, count: 4)
    Team.flushSubnormals()
    defer { Team.keepSubnormals() }
    try file.read(0..<1, most: 4, tokens: &tokens, weights: &weights)
    #expect(weights == given && given[3] > 0)
  }

  @Test func `a network's predictions for a text are those of its heads`() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    var recipe = Tiny.recipe
    recipe.objective.top = 0
    let corpus = try Tiny.corpus(recipe)
    let checkpoint = try Tiny.train(recipe, on: corpus).checkpoint
    let network = try TrainedNetwork(checkpoint, threads: 2, rows: 3)
    let top = 256
    var rows = TeacherRows(tokens: [], weights: [])
    // A text that ends inside of a window.
    let part = corpus.training.part(0..<16 * 7 + 5)
    try network.teach(on: part, top: top, temperature: 1) {
      rows.tokens += $0.tokens
      rows.weights += $0.weights
    }
    #expect(rows.tokens.count == part.count * top)
    let text = try part.tokens(0..<part.count)
    for position in [0, 1, 15, 16, 50, 116] {
      let window = position / 16 * 16
      let expectation = try network.expectation(after: Array(text[window...position]), by: corpus.tokenizer)
      let choice = try #require(expectation.next.first)
      #expect(corpus.tokenizer.visible(rows.tokens[position * top]) == choice.token)
      #expect(abs(rows.weights[position * top] - choice.probability) < 1e-5)
      #expect(abs(rows.weights[position * top..<(position + 1) * top].reduce(0, +) - 1) < 1e-4)
    }
  }

  @Test func `a missing file, or one about another text, ends the run before it begins`() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let corpus = try Tiny.corpus(Tiny.recipe)
    let file = try grams(corpus)
    #expect(throws: CorpusError.self) { try Tiny.train(recipe(file + "x"), on: corpus) }
    var other = recipe(file)
    other.data.heldOut = 0.2
    #expect(throws: CorpusError.self) { try Tiny.train(other) }
    other = recipe(file)
    other.objective.next.beta = 0.5
    #expect(throws: UserError.self) { try other.validate(source: "test") }
  }
}
