// Reading texts on, one token or many at a time, with what branches keep of all tokens before: what generation does. Only the
// trunk and one head are used; the others are not even looked at.
import Kernels

/// Texts being read, one or several beside each other. The network is lent for each call and may be trained in between; then
/// begin a new decoder.
package struct Decoder: ~Copyable {
  /// Rows of the products that many tokens go through, where the context is as long: many tokens are read in pieces of the
  /// first size, the last of them in pieces of the second, and fewer than `fewest` without oneDNN, each as it were alone.
  package static let pieces = (large: 128, small: 16)
  static let fewest = 8

  /// One text.
  private struct ReadText {
    /// What is kept, oldest first: at most T.
    var tokens: [Int32] = []
    /// Of the tokens that were read last, up to a large piece: [count, d] after the final norm.
    var hidden: [Float] = []
  }

  private let c: Configuration
  private var cache: Storage
  private var hasCache = false
  private var pass: ReadingPass
  private var texts: [ReadText]
  /// Where the stream is looked at, and what it was at the tokens that the last call read: [n, d].
  private let tap: Int?
  private(set) var stream: [Float] = []
  private var firstRead = 0

  /// - Parameter texts: how many are read beside each other.
  /// - Throws: `TransformerError.memory`.
  package init(_ configuration: Configuration, texts: Int = 1) throws {
    try self.init(configuration, texts: texts, tap: nil)
  }

  /// - Parameter tap: the block before which `stream` is kept; the number of blocks keeps it after the last.
  init(_ configuration: Configuration, texts: Int = 1, tap: Int?) throws {
    let cache = try Storage(bytes: 0)
    let pass = try ReadingPass(configuration)
    c = configuration
    self.cache = cache
    self.pass = pass
    self.texts = Array(repeating: ReadText(), count: texts)
    self.tap = tap
  }

  /// How many tokens of the first text are kept.
  package var count: Int { texts[0].tokens.count }
  /// The tokens of the first text that are kept.
  package var tokens: [Int32] { texts[0].tokens }

  /// Reads a token. Where the context is full, its older half is forgotten first.
  /// - Throws: `TransformerError` when memory is short or oneDNN refuses.
  package mutating func read(_ token: Int32, by model: borrowing Transformer) throws {
    try read([token], by: model)
  }

  /// Reads tokens, with one matrix product a layer for many of them. They come to what they come to one after the other;
  /// where the context is full, its older half is forgotten.
  /// - Throws: `TransformerError` when memory is short or oneDNN refuses.
  package mutating func read(_ new: [Int32], of text: Int = 0, by model: borrowing Transformer) throws {
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

  /// Reads one token more of each of some texts, in passes that all of them go through together. Each comes to the bits that it
  /// comes to alone.
  /// - Throws: `TransformerError` when memory is short or oneDNN refuses.
  package mutating func read(_ next: [(text: Int, token: Int32)], by model: borrowing Transformer) throws {
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

  /// Makes all texts what the first one is.
  package mutating func copyFirst(of model: borrowing Transformer) throws {
    try reserve(model)
    let stride = stride(model)
    for text in 1..<max(1, texts.count) {
      texts[text] = texts[0]
      (cache.floats + text * stride).update(from: cache.floats, count: stride)
    }
  }

  /// The positions of the first text that `stream` is of, without what was forgotten since.
  var lastRead: Range<Int> { min(firstRead, count)..<count }

  /// Forgets the tokens that were read last. `logits` needs another token first where as many were forgotten as were read
  /// at a time, or more.
  /// - Parameter n: at most `count`.
  package mutating func forget(last n: Int) {
    precondition(n >= 0 && n <= count, "\(count) tokens are kept, and \(n) cannot be forgotten")
    texts[0].tokens.removeLast(n)
    texts[0].hidden.removeLast(min(texts[0].hidden.count, n * c.width))
  }

  /// The logits of a head for the token that follows what was read.
  /// - Returns: [V].
  package func logits(of model: borrowing Transformer, head: Int = 0, text: Int = 0) -> [Float] {
    model.logits(head: head, hidden: lastHidden(of: text))
  }

  /// The logits of a head for the tokens that follow what was read of some texts.
  /// - Returns: [V] a text.
  package func logits(of model: borrowing Transformer, head: Int = 0, texts: [Int]) -> [[Float]] {
    model.logits(head: head, each: texts.flatMap { lastHidden(of: $0) })
  }

  /// After the final norm, of the token that was read last: [d].
  func lastHidden(of text: Int = 0) -> [Float] {
    let hidden = texts[text].hidden
    precondition(!hidden.isEmpty, "nothing was read yet, or since something was forgotten")
    return Array(hidden.suffix(c.width))
  }

  /// Reads tokens that the context still holds, and says after each which logits a head has for the next one.
  /// - Parameter alone: whether every token comes to the bits that `read` of it alone comes to; else many are read faster.
  /// - Returns: [V] a token.
  /// - Throws: `TransformerError` when memory is short or oneDNN refuses.
  package mutating func logits(
    reading new: [Int32], alone: Bool = false, by model: borrowing Transformer, head: Int = 0
  ) throws -> [[Float]] {
    precondition(count + new.count <= c.context, "the context has no room for \(new.count) tokens more")
    var all: [[Float]] = []
    try take(new[...], of: 0, alone: alone, model) { all += model.logits(head: head, each: $0) }
    return all
  }

  // MARK: Through the network

  /// Takes tokens of one text through that the context has room for; `hidden` is of the last of them, up to a large piece.
  /// - Parameter each: is given the hidden states of each piece.
  private mutating func take(
    _ new: ArraySlice<Int32>, of text: Int, alone: Bool = false, _ model: borrowing Transformer,
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

  private func stride(_ model: borrowing Transformer) -> Int { model.trunk.blocks.reduce(0) { $0 + $1.cacheSize } }

  private mutating func reserve(_ model: borrowing Transformer) throws {
    guard !hasCache else { return }
    cache = try Storage(bytes: 4 * texts.count * stride(model))
    hasCache = true
  }

  private mutating func run(
    _ tokens: ArraySlice<Int32>, _ places: [ReadingPlace], _ piece: ReadingPiece, _ model: borrowing Transformer
  ) throws -> ReadingOutput {
    precondition(model.configuration == c, "a decoder reads for the network that it was made for")
    try reserve(model)
    let path = ReadingBlocks(blocks: model.trunk.blocks, cache: cache.floats, stride: stride(model), tap: tap)
    return try pass.checked { try $0.run(.tokens(tokens), at: places, piece, through: path, of: model) }
  }
}

extension ReadingPass {
  /// What a body does with the pass; where oneDNN refuses, the error is the network's.
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
