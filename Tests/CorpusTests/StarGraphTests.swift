// Star graphs against an independent reading of the definition: what a sample is, what is scored, and which graphs are kept for
// testing.
import Foundation
import Run
import Support
import Testing

@testable import Corpus

@Suite struct StarGraphTests {
  private static func shape(_ degree: Int, _ length: Int, _ nodes: Int, reversed: Bool = false) -> StarGraphTask {
    var shape = StarGraphTask()
    (shape.degree, shape.length, shape.nodes, shape.reverse) = (degree, length, nodes, reversed)
    return shape
  }

  private static let shapes = [
    shape(2, 4, 8), shape(3, 3, 12), shape(5, 5, 30), shape(2, 4, 40, reversed: true), shape(1, 6, 20), shape(4, 2, 24),
  ]

  /// A sample, read from its tokens.
  private struct PathReading: Hashable {
    var edges: Set<[Int32]>
    var source, goal: Int32
    var path: [Int32]
  }

  private func read(_ tokens: [Int32], _ graphs: StarGraphs) throws -> PathReading {
    let slash = try #require(tokens.firstIndex(of: graphs.slash))
    let edges = tokens[..<slash].split(separator: graphs.bar).map(Array.init)
    #expect(edges.allSatisfy { $0.count == 2 })
    #expect(tokens[slash + 3] == graphs.equals)
    return PathReading(
      edges: Set(edges), source: tokens[slash + 1], goal: tokens[slash + 2], path: Array(tokens[(slash + 4)...]))
  }

  @Test(arguments: shapes)
  func `a sample is a star with one way to its goal`(shape: StarGraphTask) throws {
    let graphs = StarGraphs(shape, part: .training, count: 1000, context: shape.sampleLength + 3, seed: 5)
    for index in 0..<300 {
      let tokens = graphs.sample(index)
      #expect(tokens.count == shape.sampleLength && tokens.count == 3 * shape.edges + 3 + shape.length)
      let graph = try read(tokens, graphs)
      #expect(graph.edges.count == shape.edges)
      #expect(graph.edges.filter { $0[0] == graph.source }.count == shape.degree)
      // Every node but the source has one edge that leads to it, and all but source and ends have one that leaves.
      #expect(Set(graph.edges.map { $0[1] }).count == shape.edges && !graph.edges.contains { $0[1] == graph.source })
      let path = shape.reverse ? graph.path.reversed() : graph.path
      #expect(path.count == shape.length && path.first == graph.source && path.last == graph.goal)
      #expect(zip(path, path.dropFirst()).allSatisfy { graph.edges.contains([$0, $1]) })
      #expect(!graph.edges.contains { $0[0] == graph.goal })
      #expect(tokens.allSatisfy { (0..<graphs.filler).contains($0) })
    }
  }

  @Test func `samples follow from seed and number alone`() {
    let shape = Self.shape(3, 3, 12)
    func graphs(_ seed: UInt64, _ part: StarGraphs.GraphUse = .training) -> [[Int32]] {
      let graphs = StarGraphs(shape, part: part, count: 50, context: 30, seed: seed)
      return (0..<50).map(graphs.sample)
    }
    #expect(graphs(1) == graphs(1))
    #expect(Set(graphs(1) + graphs(2) + graphs(1, .test)).count == 150)
  }

  @Test func `edges come in any order, and the goal says nothing of it`() throws {
    let shape = Self.shape(2, 4, 8)
    let graphs = StarGraphs(shape, part: .training, count: 1, context: 25, seed: 1)
    // How often the first edge that is written lies on the path: as often as edges do, a half of the time.
    var onPath = 0
    for index in 0..<4000 {
      let tokens = graphs.sample(index)
      let graph = try read(tokens, graphs)
      if zip(graph.path, graph.path.dropFirst()).contains(where: { [$0, $1] == Array(tokens[..<2]) }) { onPath += 1 }
    }
    #expect(abs(onPath - 2000) < 4 * 32)
  }

  @Test func `no test graph is trained on, whatever the seeds`() throws {
    let isFull = ProcessInfo.processInfo.environment["FORETOP_TORTURE"] == "full"
    let shape = Self.shape(2, 4, 8)
    let test = StarGraphs(shape, part: .test, count: 1000, context: 25, seed: 1)
    let tests = Set(try (0..<1000).map { try read(test.sample($0), test) })
    // So few graphs exist that every one of them is drawn many times.
    #expect(tests.count > 300)
    let training = StarGraphs(shape, part: .training, count: 1, context: 25, seed: 9)
    var seen: Set<PathReading> = []
    for index in 0..<(isFull ? 1_000_000 : 60_000) { seen.insert(try read(training.sample(index), training)) }
    #expect(seen.isDisjoint(with: tests))
    #expect(seen.count > 30_000 && Double(seen.count) <= exp(shape.logGraphs).rounded())
  }

  @Test func `a batch has a sample a row, scored from the sign before the path`() throws {
    let shape = Self.shape(2, 4, 8)
    let graphs = StarGraphs(shape, part: .training, count: 64, context: 28, seed: 3)
    let part = TokenRange(graphs)
    var batches = Batches(of: part, rows: 4, context: 28, lookahead: 8, seed: 3)
    #expect(batches.windows == 64)
    var seen: [[Int32]] = []
    for _ in 0..<16 {
      let batch = try batches.next()
      let mask = try #require(batch.mask)
      let documents = try #require(batch.documents)
      for row in 0..<4 {
        let tokens = (0..<36).map { batch.tokens[row * 36 + $0] }
        seen.append(Array(tokens[..<25]))
        #expect(tokens[25..<28].allSatisfy { $0 == graphs.filler } && tokens[28...].allSatisfy { $0 == -1 })
        #expect((0..<36).filter { mask[row * 36 + $0] == 1 } == [20, 21, 22, 23])
        #expect((0..<28).map { documents[row * 36 + $0] } == Array(repeating: 0, count: 25) + [1, 1, 1])
      }
    }
    // Every sample once a pass.
    #expect(Set(seen) == Set((0..<64).map(graphs.sample)))
  }

  @Test func `tokens have a text that leads back to them`() throws {
    let tokenizer = try Tokenizer(kind: .graph, model: Array("8".utf8))
    let graphs = StarGraphs(Self.shape(2, 4, 8), part: .test, count: 1, context: 25, seed: 3)
    let sample = graphs.sample(0)
    let text = tokenizer.text(of: sample)
    #expect(tokenizer.tokens(of: text) == sample && tokenizer.vocabulary == 12)
    #expect(tokenizer.tokens(of: "3,5|3 1/0,7=") == [3, 5, 8, 3, 1, 10, 0, 7, 9])
    #expect(!tokenizer.takesAll(of: "3,9|") && !tokenizer.takesAll(of: "x") && tokenizer.takesAll(of: " 7 ."))
    #expect(throws: CorpusError.self) { try Tokenizer(kind: .graph, model: Array("-1".utf8)) }
  }
}
