// Star graphs as a source of tokens. Sample i is a function of the seed and i: samples are not stored, a run can continue at
// any sample, and a pass may be endless.
import Foundation
import Run

/// The samples of one part (training or test), one per window.
///
/// A sample is `a,b|c,d|…/source,goal=path` with one token per node and none for the comma. Token n is node n; the next tokens are
/// `|`, `=`, `/` and a filler for the rest of the window. Losses count on the path alone: at the positions from `=` on whose next
/// token belongs to the path (Bachmann & Nagarajan 2024).
package struct StarGraphs: Sendable, Equatable {
  package enum GraphUse: Sendable, Equatable { case training, test }

  package let shape: StarGraphTask
  package let part: GraphUse
  /// Number of samples.
  package let count: Int
  /// T, the tokens of a window; at least those of a sample.
  package let context: Int
  private let seed: UInt64

  /// The number of samples of a part without repetition, more than any run takes.
  package static let endless = 1 << 40

  /// One graph of this many is for testing. The graph alone decides, not the seed, so that no test graph is in any training
  /// set.
  private static let testShare: UInt64 = 64

  init(_ shape: StarGraphTask, part: GraphUse, count: Int, context: Int, seed: UInt64) {
    precondition(context >= shape.sampleLength && shape.labels <= shape.nodes && shape.degree >= 1 && shape.length >= 2)
    self.shape = shape
    self.part = part
    self.count = count
    self.context = context
    self.seed = mixed(seed &+ (part == .test ? 0xA5A5_F00D_0000_0001 : 0))
  }

  package var bar: Int32 { Int32(shape.nodes) }
  package var equals: Int32 { Int32(shape.nodes + 1) }
  package var slash: Int32 { Int32(shape.nodes + 2) }
  package var filler: Int32 { Int32(shape.nodes + 3) }

  /// The positions in a window whose losses count.
  package var scored: Range<Int> { shape.prefix - 1..<shape.sampleLength - 1 }

  /// The tokens of a sample without filler.
  package func sample(_ index: Int) -> [Int32] {
    [Int32](unsafeUninitializedCapacity: context) { buffer, count in
      fill(index, buffer.baseAddress!)
      count = shape.sampleLength
    }
  }

  /// Writes the window of a sample: T tokens.
  func fill(_ index: Int, _ window: UnsafeMutablePointer<Int32>) {
    var random = Draws(state: mixed(seed &+ (UInt64(index) &+ 1) &* 0x9E37_79B9_7F4A_7C15))
    withUnsafeTemporaryAllocation(of: Int32.self, capacity: shape.nodes + shape.edges) { room in
      let labels = room.baseAddress!
      let order = labels + shape.nodes
      repeat {
        for label in 0..<shape.nodes { labels[label] = Int32(label) }
        for place in 0..<shape.labels { random.exchange(labels, place, upTo: shape.nodes) }
      } while isTest(labels) != (part == .test)
      for edge in 0..<shape.edges { order[edge] = Int32(edge) }
      for place in 0..<shape.edges { random.exchange(order, place, upTo: shape.edges) }
      write(labels, order, window)
    }
  }

  /// - Parameters:
  ///   - labels: the source, then the nodes of one branch after the other; the first branch ends in the goal.
  ///   - order: the order of the edges in the sample; edge e ends in node e + 1.
  private func write(
    _ labels: UnsafePointer<Int32>, _ order: UnsafePointer<Int32>, _ window: UnsafeMutablePointer<Int32>
  ) {
    let steps = shape.length - 1
    var place = 0
    func put(_ token: Int32) {
      window[place] = token
      place += 1
    }
    for index in 0..<shape.edges {
      let edge = Int(order[index])
      put(labels[edge % steps == 0 ? 0 : edge])
      put(labels[edge + 1])
      put(index + 1 < shape.edges ? bar : slash)
    }
    put(labels[0])
    put(labels[steps])
    put(equals)
    for node in 0...steps { put(labels[shape.reverse ? steps - node : node]) }
    while place < context { put(filler) }
  }

  /// True if a graph is for testing; the order of the branches that do not lead to the goal does not matter.
  private func isTest(_ labels: UnsafePointer<Int32>) -> Bool {
    let steps = shape.length - 1
    func hash(_ branch: Int) -> UInt64 {
      (1...steps).reduce(UInt64(steps)) { mixed($0 &+ UInt64(labels[branch * steps + $1]) &+ 0x9E37_79B9_7F4A_7C15) }
    }
    var identity = mixed(hash(0) ^ mixed(UInt64(labels[0]) &+ 1))
    for branch in 1..<max(1, shape.degree) { identity &+= mixed(hash(branch) &+ UInt64(labels[0])) }
    return mixed(identity) % Self.testShare == 0
  }

  /// Random numbers from a state (SplitMix64).
  private struct Draws {
    var state: UInt64

    /// Swaps the value at a place with a random one at this place or later.
    mutating func exchange(_ values: UnsafeMutablePointer<Int32>, _ place: Int, upTo count: Int) {
      state &+= 0x9E37_79B9_7F4A_7C15
      let other = place + Int(mixed(state).multipliedFullWidth(by: UInt64(count - place)).high)
      (values[place], values[other]) = (values[other], values[place])
    }
  }
}

extension Corpus {
  /// The settings of star graphs as a corpus: keys of the recipe.
  package struct StarGraphSource: Sendable, Equatable {
    /// `data.graph`.
    package var task: StarGraphTask
    /// `seed`.
    package var seed: UInt64

    package init(_ task: StarGraphTask, seed: UInt64) {
      (self.task, self.seed) = (task, seed)
    }
  }

  /// The error for a text given to the tokenizer of graphs.
  static var noGraphs: CorpusError {
    CorpusError(
      .usage, "tokenizer.kind graph belongs to data.kind stargraph: set data.kind, or choose another tokenizer")
  }

  static func open(_ graphs: StarGraphSource, context: Int, _ restored: Tokenizer?) throws(CorpusError) -> Opened {
    let shape = graphs.task
    let tokenizer =
      if let restored { restored } else { try Tokenizer(kind: .graph, model: Array(String(shape.nodes).utf8)) }
    guard tokenizer.vocabulary == shape.vocabulary else {
      throw CorpusError(
        .usage,
        "data.graph.nodes is \(shape.nodes), which makes \(shape.vocabulary) tokens, but the network has "
          + "\(tokenizer.vocabulary): give it the nodes that it was trained on")
    }
    func part(_ part: StarGraphs.GraphUse, _ count: Int) -> TokenRange {
      TokenRange(StarGraphs(shape, part: part, count: count, context: context, seed: graphs.seed))
    }
    return Opened(
      tokenizer: tokenizer, training: part(.training, shape.samples > 0 ? shape.samples : StarGraphs.endless),
      heldOut: part(.test, shape.test), bytes: 0, files: 0, documents: 0, entropy: log(Double(shape.nodes)),
      counts: [], notices: [])
  }

  /// One line about star graphs: `star graphs G(2,4) of 8 nodes · 28 tokens each · never repeated · 1 000 to test`.
  static func summary(of graphs: StarGraphSource) -> String {
    let shape = graphs.task
    return [
      "star graphs \(shape.name) of \(shape.nodes) nodes\(shape.reverse ? ", reversed" : "")",
      "\(shape.sampleLength) tokens each",
      shape.samples > 0 ? "\(quantity(shape.samples)) to train on" : "never repeated",
      "\(quantity(shape.test)) to test",
    ].joined(separator: " · ")
  }
}
