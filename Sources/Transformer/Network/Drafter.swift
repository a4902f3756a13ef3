// Guesses at the tokens that follow, by the heads that a network was trained with beside NTP: what self-speculative decoding
// verifies. Guesses decide how fast a text is written and never what is written.
//   MTP, parallel    head n reads the stream below the trunk's last block, its own keys and values before it, guesses x[t+n]
//   MTP, sequential  depth k reads the stream of depth k − 1 at t and the token x[t+k], which may be a guess itself
//   TOP              the best of the ranking at t, in its order
import Kernels

/// Guesses the next tokens of one text. Call `guess` after the decoder has read.
package struct Drafter: ~Copyable {
  /// Which heads guess.
  package enum DraftHeads: Sendable, Equatable {
    case multiToken
    case tokenOrder
  }

  private let c: Configuration
  private let source: DraftHeads
  /// The number of tokens guessed after the next one.
  package let count: Int
  /// The indices of the further heads that guess.
  private let heads: [Int]
  private var pass: ReadingPass
  /// The cache of keys and values of each head's block, one head after the other.
  private let cache: Storage
  private let cacheSize: Int
  /// With sequential heads, the stream of each depth at every cached position, the trunk's first: [T, d] each.
  private var streams: [[Float]]
  /// For each head's block, the number of positions that it has read with certain tokens.
  private var certain: [Int]

  /// The largest number of tokens that these heads can guess after the next one; 0 if the network lacks the heads.
  package static func most(_ c: Configuration, _ source: DraftHeads) -> Int {
    switch source {
    case .multiToken: chain(c).count
    case .tokenOrder:
      c.objectives.contains(where: \.ranks) ? max(0, min(ReadingShape.mostAlone, c.vocabulary) - 1) : 0
    }
  }

  /// The heads, without a gap, that guess the second, third, … token.
  private static func chain(_ c: Configuration) -> [Int] {
    var heads: [Int] = []
    for (index, stream) in c.streams.dropFirst().enumerated() {
      guard case .nextToken(let next) = c.objectives[stream[0]], next.distance == heads.count + 2 else { continue }
      heads.append(index)
    }
    return heads
  }

  /// - Parameter count: from 1 to `most`.
  /// - Throws: `TransformerError.memory`.
  package init(of model: Transformer, source: DraftHeads, count: Int) throws {
    let c = model.configuration
    precondition((1...Self.most(c, source)).contains(count), "these heads cannot guess \(count) tokens")
    let heads = source == .multiToken ? Array(Self.chain(c).prefix(count)) : []
    let cacheSize = heads.isEmpty ? 0 : model.furtherHeads[0].block.cacheSize
    let cache = try Storage(bytes: 4 * heads.count * cacheSize)
    let pass = try ReadingPass(c)
    self.c = c
    self.source = source
    self.count = count
    self.heads = heads
    self.cache = cache
    self.cacheSize = cacheSize
    self.pass = pass
    let isSequential = !heads.isEmpty && c.multiToken == .sequential
    streams = Array(
      repeating: Array(repeating: 0, count: isSequential ? c.context * c.width : 0),
      count: isSequential ? heads.count + 1 : 0)
    certain = Array(repeating: 0, count: heads.count)
  }

  /// The block before which a decoder must keep the stream for these guesses.
  private static func tap(_ c: Configuration, _ source: DraftHeads) -> Int? {
    guard source == .multiToken else { return nil }
    return c.multiToken == .parallel ? c.blocks - 1 : c.blocks
  }

  /// A decoder that also keeps the stream that guesses need.
  /// - Throws: `TransformerError.memory`.
  package func decoder() throws -> Decoder { try Decoder(c, tap: Self.tap(c, source)) }

  /// Guesses the tokens after the next one.
  /// - Parameters:
  ///   - decoder: a decoder made by `decoder()` that has read the text, and has forgotten wrong guesses.
  ///   - next: the next token, which is certain: NTP's choice.
  /// - Returns: at least `count` tokens: with MTP those after `next`, with TOP the `count` + 1 best of the ranking, which may
  ///   include
  ///   `next` (see `drafts`).
  /// - Throws: `TransformerError` when memory is short or oneDNN refuses.
  package mutating func guess(
    after decoder: borrowing Decoder, next: Int32, of model: Transformer
  ) throws -> [Int32] {
    switch source {
    case .tokenOrder:
      guard let head = c.objectives.firstIndex(where: \.ranks) else { preconditionFailure("a TOP head is needed") }
      return decoder.logits(of: model, head: head).largest(count + 1)
    case .multiToken:
      // The position at which the decoder's last tokens begin; cached positions from here on are out of date.
      let read = decoder.stream.count / c.width
      let first = decoder.lastRead
      let isNew = first.count < read ? decoder.stream[..<(first.count * c.width)] : decoder.stream[...]
      return c.multiToken == .parallel
        ? try parallel(isNew, at: first.lowerBound, of: model)
        : try sequential(isNew, at: first.lowerBound, decoder.tokens, next: next, of: model)
    }
  }

  /// The tokens to verify after the certain one: of a ranking, without `next` and without any token twice.
  package func drafts(from guess: [Int32], next: Int32) -> [Int32] {
    Array((source == .tokenOrder ? guess.filter { $0 != next } : guess).prefix(count))
  }

  /// The draft of the published count: the guess from the next token on. TOP's first guess may differ from that token.
  package func published(from guess: [Int32], next: Int32) -> [Int32] {
    Array((source == .tokenOrder ? guess : [next] + guess).prefix(count + 1))
  }

  // MARK: MTP

  /// Reads positions through one head's block and its cache.
  /// - Parameter stream: [n, d] at positions from `first` on.
  private mutating func read(
    _ head: Int, _ stream: ArraySlice<Float>, at first: Int, of model: Transformer
  ) throws -> ReadingOutput {
    var path = ReadingBlocks(
      blocks: [model.furtherHeads[heads[head]].block], cache: cache.floats + head * cacheSize, stride: 0)
    // Only sequential heads read the stream of another head.
    path.tap = c.multiToken == .sequential ? 1 : nil
    var output = ReadingOutput()
    var rest = stream
    var position = first
    while !rest.isEmpty {
      let piece = ReadingPiece.first(of: rest.count / c.width, context: c.context, alone: false)
      let part = rest.prefix(piece.count * c.width)
      let places = (0..<piece.count).map { ReadingPlace(text: 0, position: position + $0) }
      let one = try pass.checked { try $0.run(.stream(part), at: places, piece, through: path, of: model) }
      output.hidden = one.hidden
      output.stream += one.stream
      rest = rest.dropFirst(part.count)
      position += piece.count
    }
    return output
  }

  private func likeliest(_ hidden: ArraySlice<Float>, of model: Transformer) -> Int32 {
    model.logits(head: 0, hidden: hidden).largest
  }

  private mutating func parallel(
    _ stream: ArraySlice<Float>, at first: Int, of model: Transformer
  ) throws -> [Int32] {
    var hidden: [Float] = []
    for head in 0..<count { hidden += try read(head, stream, at: first, of: model).hidden.suffix(c.width) }
    return model.logits(head: 0, each: hidden).map(\.largest)
  }

  private mutating func sequential(
    _ stream: ArraySlice<Float>, at first: Int, _ tokens: [Int32], next: Int32, of model: Transformer
  ) throws -> [Int32] {
    let d = c.width
    streams[0].replaceSubrange(first * d..<first * d + stream.count, with: stream)
    // The certain tokens, then the guesses: each depth takes in the token that the depth before it guesses.
    var known = tokens + [next]
    var guesses: [Int32] = []
    for depth in 0..<count {
      let begin = min(certain[depth], first)
      var last: [Float] = []
      var position = begin
      while position < tokens.count {
        let end = min(position + ReadingShape.mostAlone, tokens.count)
        let ahead = (position..<end).map { known[$0 + depth + 1] }
        guard let joint = model.furtherHeads[heads[depth]].joint else {
          preconditionFailure("a sequential head has a projection")
        }
        let before = streams[depth][position * d..<end * d]
        let joined = try pass.checked { try $0.join(before, ahead, by: joint, of: model) }
        let output = try read(depth, joined[...], at: position, of: model)
        streams[depth + 1].replaceSubrange(position * d..<end * d, with: output.stream)
        last = output.hidden.suffix(d)
        position = end
      }
      // Position i takes in the token at i + depth + 1, which is certain up to `next`.
      certain[depth] = max(0, tokens.count - depth)
      guesses.append(likeliest(last[...], of: model))
      known.append(guesses[depth])
    }
    return guesses
  }
}

extension [Float] {
  /// The index of the largest number; of equal ones the first.
  package var largest: Int32 {
    withUnsafeBufferPointer { values in
      var best = 0
      for index in 0..<values.count where values[index] > values[best] { best = index }
      return Int32(best)
    }
  }

  /// The indices of the n largest numbers, the largest first; of equal ones the lower index comes first.
  package func largest(_ n: Int) -> [Int32] {
    var best: [Int] = []
    for index in indices where best.count < n || self[index] > self[best[best.count - 1]] {
      let place = best.firstIndex { self[index] > self[$0] } ?? best.count
      best.insert(index, at: place)
      if best.count > n { best.removeLast() }
    }
    return best.map(Int32.init)
  }
}
