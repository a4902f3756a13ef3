// The text that a SentencePiece tokenizer is trained on: all of a small corpus, blocks spread evenly over a large one.
import CSentencePiece
import Foundation

/// Collects a sample of a corpus and trains a tokenizer on it. The same files in the same order give the same
/// tokenizer.
struct TrainingSample {
  /// A part of a trained tokenizer's cache key: increase it when a change in this file changes results.
  static let version = 1
  /// Corpora up to this many bytes are used completely.
  static let limit = 16 << 20
  /// The trainer's time grows with the bytes of all distinct words, which is most of a text that has no spaces.
  static let wordLimit = 1 << 20
  private static let block = 1 << 16
  /// Pieces that every model has: ⟨unk⟩ ⟨s⟩ ⟨/s⟩ as in Llama's models, and the 256 bytes.
  static let fixedPieces = 3 + 256

  private let total: Int
  private let limit: Int
  private let wordLimit: Int
  private var seen = 0
  private(set) var text: [UInt8] = []
  /// The end of the file so far, which is not divided into blocks yet.
  private var rest: [UInt8] = []

  /// - Parameter total: bytes of the whole corpus.
  init(total: Int, limit: Int = TrainingSample.limit, wordLimit: Int = TrainingSample.wordLimit) {
    self.total = total
    self.limit = limit
    self.wordLimit = wordLimit
  }

  /// Adds the next piece of a file, or those of its blocks that belong to the sample.
  /// - Parameter isLast: whether the file ends with it.
  mutating func add(_ piece: UnsafeRawBufferPointer, isLast: Bool = true) {
    var whole = rest
    rest = []
    whole.append(contentsOf: piece)
    let used = whole.withUnsafeBytes { addBlocks($0, isLast: isLast) }
    whole.removeFirst(used)
    rest = whole
  }

  /// Ends a file whose pieces were added.
  mutating func endFile() { add(UnsafeRawBufferPointer(start: nil, count: 0)) }

  /// - Returns: how many bytes were divided into blocks: all, or as many as do not depend on what follows.
  private mutating func addBlocks(_ bytes: UnsafeRawBufferPointer, isLast: Bool) -> Int {
    var start = 0
    while start < bytes.count, isLast || start + 2 * Self.block <= bytes.count {
      var end = min(start + Self.block, bytes.count)
      // Up to a line's end, if there is one near.
      let farthest = min(end + Self.block, bytes.count)
      if let lineEnd = bytes[(end - 1)..<farthest].firstIndex(of: UInt8(ascii: "\n")) { end = lineEnd + 1 }
      let (before, after) = (seen, seen + (end - start))
      if total <= limit || after * limit / total / Self.block > before * limit / total / Self.block {
        text.append(contentsOf: bytes[start..<end])
        if text.last != UInt8(ascii: "\n") { text.append(UInt8(ascii: "\n")) }
      }
      seen = after
      start = end
    }
    return start
  }

  /// Trains byte-pair encoding (Sennrich et al. 2016) with byte fallback, keeping every space and character as it is.
  /// - Parameter progress: receives now and then how many pieces there are.
  /// - Returns: the bytes of a SentencePiece model file.
  /// - Throws: `CorpusError.usage` when the text yields fewer pieces, or `vocabulary` leaves no room for any.
  func model(vocabulary: Int, progress: (Int) -> Void = { _ in }) throws(CorpusError) -> [UInt8] {
    let room = vocabulary - Self.fixedPieces
    guard room > 0 else {
      throw CorpusError(
        .usage,
        """
        tokenizer.vocabulary is \(vocabulary), and a sentencepiece tokenizer needs at least \(Self.fixedPieces + 1): \
        256 bytes, 3 special pieces and one of the text's; set it higher, or set tokenizer.kind to bytes
        """)
    }
    let characters = commonCharacters()
    // Half of the room is for longer pieces, unless the text does not make that many.
    var largest = Self.fixedPieces
    for share in [(room + 1) / 2, room] where largest < vocabulary && !characters.isEmpty {
      var sentences = Sentences(of: text, keeping: Set(characters.prefix(share)))
      sentences.thin(text, to: wordLimit)
      guard !sentences.starts.isEmpty else { continue }
      let model = try sentences.trained(text, vocabulary: vocabulary, progress: progress)
      guard let pieces = SentencePieceFile(model)?.pieces else {
        throw CorpusError(
          .badTokenizer, "SentencePiece trained a tokenizer and wrote an invalid model file: report this with the text")
      }
      if pieces >= vocabulary { return model }
      largest = max(largest, pieces)
      if characters.count <= share { break }
    }
    throw CorpusError(
      .usage,
      """
      tokenizer.vocabulary is \(vocabulary), and this text makes at most \(largest) pieces; \
      \(largest > Self.fixedPieces ? "set it to \(largest) or less, or " : "")set tokenizer.kind to bytes
      """)
  }

  /// The characters that get a piece of their own, the most frequent first. The rarest, one in 20 000 of the text taken
  /// together, go through bytes (the share that Llama's tokenizer was made with).
  private func commonCharacters() -> [UInt32] {
    var counts = [Int](repeating: 0, count: 0x11_0000)
    var total = 0
    text.withUnsafeBytes { bytes in
      var index = 0
      while index < bytes.count {
        let decoded = bytes.scalar(at: index)
        if let value = decoded.value, !Sentences.isBoundary(value) {
          counts[Int(value)] += 1
          total += 1
        }
        index += decoded.length
      }
    }
    let byCount = counts.indices.filter { counts[$0] > 0 }.sorted { (counts[$0], $1) > (counts[$1], $0) }
    var uncovered = total
    var common: [UInt32] = []
    for value in byCount where uncovered > total / 20_000 {
      common.append(UInt32(value))
      uncovered -= counts[value]
    }
    return common
  }
}

/// Stretches of a text that SentencePiece can be trained on: no control character, nothing that it reserves for itself.
private struct Sentences {
  var starts: [Int] = []
  var lengths: [Int] = []

  /// SentencePiece leaves out sentences beyond 4192 bytes.
  private static let longest = 4000

  /// Whether a character is never part of a piece: control characters (newline and tab are byte pieces, as in Llama), and
  /// those that SentencePiece's trainer uses inside, U+2581 for the space and U+2585 for the unknown.
  static func isBoundary(_ value: UInt32) -> Bool {
    value < 0x20 || value == 0x7F || value == 0x2581 || value == 0x2585
  }

  init(of text: [UInt8], keeping characters: Set<UInt32>) {
    var isKept = [Bool](repeating: false, count: 0x11_0000)
    for value in characters { isKept[Int(value)] = true }
    text.withUnsafeBytes { bytes in
      var start = 0
      var lastSpace = 0
      var index = 0
      while index < bytes.count {
        let decoded = bytes.scalar(at: index)
        if let value = decoded.value, isKept[Int(value)] {
          if value == 0x20 { lastSpace = index }
          if index - start >= Self.longest {
            let end = lastSpace > start ? lastSpace : index
            add(start, end)
            start = end
          }
        } else {
          add(start, index)
          start = index + decoded.length
        }
        index += decoded.length
      }
      add(start, index)
    }
  }

  private mutating func add(_ start: Int, _ end: Int) {
    guard end > start else { return }
    starts.append(start)
    lengths.append(end - start)
  }

  /// Leaves out stretches, evenly, until the distinct words of the others have about `limit` bytes or less.
  mutating func thin(_ text: [UInt8], to limit: Int) {
    let distinct = text.withUnsafeBytes { bytes in
      var words: Set<Word> = []
      var size = 0
      for (start, length) in zip(starts, lengths) {
        var first = start
        for index in start + 1...start + length
        where index == start + length || (bytes[index] == UInt8(ascii: " ") && bytes[index - 1] != UInt8(ascii: " ")) {
          if words.insert(Word(bytes: UnsafeRawBufferPointer(rebasing: bytes[first..<index]))).inserted {
            size += index - first
          }
          first = index
        }
      }
      return size
    }
    let step = (distinct + limit - 1) / limit
    guard step > 1 else { return }
    let kept = Swift.stride(from: 0, to: starts.count, by: step)
    starts = kept.map { starts[$0] }
    lengths = kept.map { lengths[$0] }
  }

  /// Trains on these stretches of `text`. Where they make fewer pieces than `vocabulary`, the model has fewer.
  /// - Parameter progress: receives now and then how many pieces there are.
  func trained(_ text: [UInt8], vocabulary: Int, progress: (Int) -> Void) throws(CorpusError) -> [UInt8] {
    let model = withoutActuallyEscaping(progress) { progress in
      Result { () throws(CorpusError) in
        try trained(text, vocabulary: vocabulary, listener: PieceListener(progress))
      }
    }
    return try model.get()
  }

  private func trained(_ text: [UInt8], vocabulary: Int, listener: PieceListener) throws(CorpusError) -> [UInt8] {
    let options = [
      ("model_type", "bpe"), ("vocab_size", String(vocabulary)), ("hard_vocab_limit", "false"),
      ("byte_fallback", "true"), ("character_coverage", "1.0"), ("split_digits", "true"),
      ("normalization_rule_name", "identity"), ("add_dummy_prefix", "false"), ("remove_extra_whitespaces", "false"),
      ("allow_whitespace_only_pieces", "true"), ("num_threads", "1"),
    ]
    // The library reads C strings: owned copies that live as long as the call.
    let keys = options.map { strdup($0.0) }
    let values = options.map { strdup($0.1) }
    defer { (keys + values).forEach { free($0) } }
    defer { withExtendedLifetime(listener) {} }
    var model: UnsafeMutableRawPointer?
    var count = 0
    let message = text.withUnsafeBytes { bytes in
      keys.map { UnsafePointer($0!) }.withUnsafeBufferPointer { keys in
        values.map { UnsafePointer($0!) }.withUnsafeBufferPointer { values in
          taken(
            sentencepiece_train(
              keys.baseAddress!, values.baseAddress!, options.count,
              bytes.baseAddress!.assumingMemoryBound(to: CChar.self), starts, lengths, starts.count,
              { context, pieces in
                Unmanaged<PieceListener>.fromOpaque(context).takeUnretainedValue().take(Int(clamping: pieces))
              }, Unmanaged.passUnretained(listener).toOpaque(), &model, &count))
        }
      }
    }
    defer { sentencepiece_free(model) }
    guard let model, message == nil else {
      throw CorpusError(
        .badTokenizer, "SentencePiece could not train a tokenizer on this text: \(message ?? "no model")")
    }
    return Array(UnsafeRawBufferPointer(start: model, count: count))
  }
}

/// Who hears of the pieces, as the library's C function can pass it on.
private final class PieceListener {
  let take: (Int) -> Void
  init(_ take: @escaping (Int) -> Void) { self.take = take }
}
