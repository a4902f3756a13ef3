// Decoding: reads texts one token or many at a time, with the branches' caches of earlier tokens. Only the trunk and one head
// are used.
import Kernels

/// One or several texts that are read with a network. The network is borrowed for each call; after an update of its weights, a
/// new decoder is needed.
package struct Decoder: ~Copyable {
  /// Rows of oneDNN's products, unless the context is shorter. Many tokens are read in pieces of the first size, the remaining
  /// ones in pieces of the second. Fewer than `fewest` tokens are read without oneDNN, each with the bits of a pass alone.
  package static let pieces = (large: 128, small: 16)
  static let fewest = 8

  /// One text.
  private struct ReadText {
    /// The tokens in the context, oldest first: at most T.
    var tokens: [Int32] = []
    /// The hidden states of the tokens read last, at most a large piece: [count, d] after the final norm.
    var hidden: [Float] = []
  }

  private let c: Configuration
  private var cache: Storage
  private var hasCache = false
  private var pass: ReadingPass
  private var texts: [ReadText]
  /// The block before which the stream is kept, and the stream of the last call's tokens: [n, d].
  private let tap: Int?
  private(set) var stream: [Float] = []
  private var firstRead = 0

  /// - Parameter texts: the number of texts.
  /// - Throws: `TransformerError.memory`.
  package init(_ configuration: Configuration, texts: Int = 1) throws {
    try self.init(configuration, texts: texts, tap: nil)
  }

  /// - Parameter tap: the block before which `stream` is kept; the number of blocks stands for the stream after the last block.
  init(_ configuration: Configuration, texts: Int = 1, tap: Int?) throws {
    let cache = try Storage(bytes: 0)
    let pass = try ReadingPass(configuration)
    c = configuration
    self.cache = cache
    self.pass = pass
    self.texts = Array(repeating: ReadText(), count: texts)
    self.tap = tap
  }

  /// The number of the first text's tokens in the context.
  package var count: Int { texts[0].tokens.count }
  /// The first text's tokens in the context.
  package var tokens: [Int32] { texts[0].tokens }

  /// Reads a token. If the context is full, its older half is forgotten first.
  /// - Throws: `TransformerError` when memory is short or oneDNN refuses.
  package mutating func read(_ token: Int32, by model: Transformer) throws {
    try read([token], by: model)
  }

  /// Reads tokens, many of them with one matrix product per layer. The result is that of one token after the other, but for
  /// rounding. If the context is full, its older half is forgotten.
  /// - Throws: `TransformerError` when memory is short or oneDNN refuses.
  package mutating func read(_ new: [Int32], of text: Int = 0, by model: Transformer) throws {
    var kept = texts[text].tokens.count
    var isFull = false
    for _ in new {
      if kept == c.context {
        kept = c.context / 2
        isFull = true
      }
      kept += 1
    }
    if isFull {
      let all = Array((texts[text].tokens + new).suffix(kept))
      texts[text].tokens = []
      try take(all[...], of: text, model)
    } else {
      try take(new[...], of: text, model)
    }
  }

  /// Reads one more token of each of some texts in common passes. Each has the bits of a pass alone.
  /// - Throws: `TransformerError` when memory is short or oneDNN refuses.
  package mutating func read(_ next: [(text: Int, token: Int32)], by model: Transformer) throws {
    var rest = next[...]
    while !rest.isEmpty {
      var together: [(text: Int, token: Int32)] = []
      while let one = rest.first, together.count < ReadingShape.mostAlone {
        rest.removeFirst()
        if texts[one.text].tokens.count < c.context {
          together.append(one)
        } else {
          try read([one.token], of: one.text, by: model)
        }
      }
      guard !together.isEmpty else { continue }
      let places = together.map { ReadingPlace(text: $0.text, position: texts[$0.text].tokens.count) }
      let piece = ReadingPiece.first(of: together.count, context: c.context, alone: true)
      let hidden = try run(together.map(\.token)[...], places, piece, model).hidden
      for (row, one) in together.enumerated() {
        texts[one.text].tokens.append(one.token)
        texts[one.text].hidden = Array(hidden[row * c.width..<(row + 1) * c.width])
      }
    }
  }

  /// Copies the first text to all others.
  package mutating func copyFirst(of model: Transformer) throws {
    try reserve(model)
    let stride = stride(model)
    for text in 1..<max(1, texts.count) {
      texts[text] = texts[0]
      (cache.floats + text * stride).update(from: cache.floats, count: stride)
    }
  }

  /// The positions of `stream` in the first text, without those forgotten since.
  var lastRead: Range<Int> { min(firstRead, count)..<count }

  /// Forgets the last n tokens. If these are all tokens of the last piece or more, another token must be read before `logits`.
  /// - Parameter n: at most `count`.
  package mutating func forget(last n: Int) {
    precondition(n >= 0 && n <= count, "\(count) tokens are kept, and \(n) cannot be forgotten")
    texts[0].tokens.removeLast(n)
    texts[0].hidden.removeLast(min(texts[0].hidden.count, n * c.width))
  }

  /// The logits of a head for the next token of a text.
  /// - Returns: [V].
  package func logits(of model: Transformer, head: Int = 0, text: Int = 0) -> [Float] {
    model.logits(head: head, hidden: lastHidden(of: text))
  }

  /// The logits of a head for the next token of each of some texts.
  /// - Returns: [V] per text.
  package func logits(of model: Transformer, head: Int = 0, texts: [Int]) -> [[Float]] {
    model.logits(head: head, each: texts.flatMap { lastHidden(of: $0) })
  }

  /// The hidden state of a text's last token after the final norm: [d].
  func lastHidden(of text: Int = 0) -> [Float] {
    let hidden = texts[text].hidden
    precondition(!hidden.isEmpty, "nothing was read yet, or since something was forgotten")
    return Array(hidden.suffix(c.width))
  }

  /// Reads tokens, for which the context must have room, and returns a head's logits for the token after each.
  /// - Parameter alone: true if every token must have the bits of a pass alone; false reads many tokens faster.
  /// - Returns: [V] per token.
  /// - Throws: `TransformerError` when memory is short or oneDNN refuses.
  package mutating func logits(
    reading new: [Int32], alone: Bool = false, by model: Transformer, head: Int = 0
  ) throws -> [[Float]] {
    precondition(count + new.count <= c.context, "the context has no room for \(new.count) tokens more")
    var all: [[Float]] = []
    try take(new[...], of: 0, alone: alone, model) { all += model.logits(head: head, each: $0) }
    return all
  }

  // MARK: Through the network

  /// Computes tokens of one text, for which the context must have room, and sets `hidden` to the last piece's hidden states.
  /// - Parameter each: receives the hidden states of each piece.
  private mutating func take(
    _ new: ArraySlice<Int32>, of text: Int, alone: Bool = false, _ model: Transformer,
    each: ([Float]) -> Void = { _ in }
  ) throws {
    var rest = new
    var seen: [Float] = []
    stream = []
    firstRead = texts[text].tokens.count
    while !rest.isEmpty {
      let piece = ReadingPiece.first(of: rest.count, context: c.context, alone: alone)
      let tokens = rest.prefix(piece.count)
      let first = texts[text].tokens.count
      let output = try run(
        tokens, (0..<piece.count).map { ReadingPlace(text: text, position: first + $0) }, piece, model)
      texts[text].tokens += tokens
      stream += output.stream
      each(output.hidden)
      seen += output.hidden
      seen.removeFirst(max(0, seen.count - Self.pieces.large * c.width))
      rest = rest.dropFirst(piece.count)
    }
    texts[text].hidden = seen
  }

  private func stride(_ model: Transformer) -> Int { model.trunk.blocks.reduce(0) { $0 + $1.cacheSize } }

  private mutating func reserve(_ model: Transformer) throws {
    guard !hasCache else { return }
    cache = try Storage(bytes: 4 * texts.count * stride(model))
    hasCache = true
  }

  private mutating func run(
    _ tokens: ArraySlice<Int32>, _ places: [ReadingPlace], _ piece: ReadingPiece, _ model: Transformer
  ) throws -> ReadingOutput {
    precondition(model.configuration == c, "a decoder reads for the network that it was made for")
    try reserve(model)
    let path = ReadingBlocks(blocks: model.trunk.blocks, cache: cache.floats, stride: stride(model), tap: tap)
    return try pass.checked { try $0.run(.tokens(tokens), at: places, piece, through: path, of: model) }
  }
}

extension ReadingPass {
  /// Runs `body` with the pass, and turns an error of oneDNN into a `TransformerError`.
  mutating func checked<Result>(_ body: (inout ReadingPass) throws -> Result) throws -> Result {
    do {
      let result = try body(&self)
      if let failure = products?.failure { throw TransformerError.kernels("\(failure)") }
      return result
    } catch let error as ProductError {
      throw TransformerError.kernels("\(error)")
    }
  }
}
