// Targets of the next-token loss as the run goes on.
import Kernels
import Support
import Testing
import Transformer

@Suite struct StageTests {
  private static func weights(
    _ progress: Double, ahead: Int = 3, further: Float = 1, isMean: Bool = false,
    row: [Int32] = [0, 1, 2, 3, 4, 5, 6]
  ) -> [Float] {
    Transformer.targets(
      of: .nextToken(NextToken(ahead: ahead, isShaped: true)), in: row, at: 0,
      stage: TargetStage(progress: progress, further: further, isMean: isMean)
    ).map(\.weight)
  }

  @Test func `further targets fade out one after the other, and the last third has the next token alone`() {
    #expect(Self.weights(0) == [1, 0.5, 0.25])
    #expect(Self.weights(1.0 / 6) == [1, 0.5, 0.125])
    #expect(Self.weights(0.5) == [1, 0.25])
    for progress in [2.0 / 3, 0.7, 1] { #expect(Self.weights(progress) == [1]) }
    #expect(Self.weights(0, ahead: 5) == [1, 0.5, 0.25, 0.125, 0.0625])
    #expect(Self.weights(0.8, ahead: 5) == [1])
    #expect(abs(Self.weights(0, isMean: true).reduce(0, +) - 1) < 1e-6)
  }

  @Test func `a factor weights all targets but the next one`() {
    #expect(Self.weights(0, further: 0.5) == [1, 0.25, 0.125])
    #expect(Self.weights(1.0 / 6, further: 2) == [1, 1, 0.25])
    #expect(Self.weights(0, further: 0) == [1])
    #expect(Self.weights(0, further: 2, isMean: true) == [0.4, 0.4, 0.2])
    #expect(TargetStage(progress: 0, further: 0).isPlain(ahead: 3))
    #expect(!TargetStage(progress: 0, further: 0.1).isPlain(ahead: 3))
  }

  @Test func `evaluations have the next token alone`() {
    let shaped = Objective.nextToken(NextToken(ahead: 3, isShaped: true))
    let row: [Int32] = [0, 1, 2, 3, 4]
    for position in 0..<4 {
      #expect(
        Transformer.targets(of: shaped, in: row, at: position).map(\.token)
          == Transformer.targets(of: .nextToken(NextToken()), in: row, at: position).map(\.token))
    }
  }

  @Test func `targets end with document and text, and a token that comes twice has both weights`() {
    let shaped = Objective.nextToken(NextToken(ahead: 3, isShaped: true))
    func targets(_ row: [Int32], at position: Int, documents: [Int32]? = nil) -> [Int32: Float] {
      Dictionary(
        uniqueKeysWithValues: Transformer.targets(
          of: shaped, in: row, at: position, documents: documents, stage: TargetStage(progress: 0)))
    }
    #expect(targets([0, 1, 2, 3], at: 0, documents: [0, 0, 0, 1]) == [1: 1, 2: 0.5])
    #expect(targets([0, 1, 2, 3], at: 2, documents: [0, 0, 0, 1]).isEmpty)
    #expect(targets([0, 1, 2], at: 0) == [1: 1, 2: 0.5])
    #expect(targets([0, 1, -1, 3], at: 0) == [1: 1])
    #expect(targets([0, 1, 2, 1], at: 0) == [1: 1.25, 2: 0.5])
  }

  @Test func `the next token's prefix is a target until two thirds of the run`() {
    let shaped = Objective.nextToken(NextToken(isShaped: true))
    func targets(_ progress: Double) -> [Int32: Float] {
      Dictionary(
        uniqueKeysWithValues: Transformer.targets(
          of: shaped, in: [0, 2, 1], at: 0,
          stage: TargetStage(progress: progress, prefix: 0.25, prefixes: [-1, -1, 1])))
    }
    #expect(targets(0) == [2: 1, 1: 0.25])
    #expect(targets(1.0 / 3) == [2: 1, 1: 0.125])
    #expect(targets(2.0 / 3) == [2: 1])
    #expect(
      Transformer.targets(
        of: shaped, in: [0, 2, 1], at: 1, stage: TargetStage(progress: 0, prefix: 0.25, prefixes: [-1, -1, 1])
      ).map(\.token) == [1])
  }
}
