// The format of a token file, from its header. The header must agree with the file's size; what a file without a header
// does not say must be given in the recipe and is not guessed.
import Foundation

/// The layout of a token file.
struct TokenFormat {
  /// Bytes of a token: 2, 4 or 8.
  let width: Int
  let count: Int
  /// The place of the first token, in bytes.
  let start: Int

  private static let headerSize = 1024

  /// The kinds of llm.c's files, by their first word (`dev/data/data_common.py`, `train_gpt2.py`, `train_llama3.py` and
  /// `train_gpt2.cu` there): kinds with tokens, and descriptions of the others.
  private static let tokens = [20_240_520: (version: 1, width: 2), 20_240_801: (version: 7, width: 4)]
  private static let others = [
    20_240_326: "the weights of a GPT-2", 20_240_327: "a state to test GPT-2 with", 20_240_328: "a tokenizer",
    20_240_522: "questions with answers to choose from (such as HellaSwag)", 20_240_527: "the state of an optimizer",
    20_240_803: "the weights of a Llama 3",
  ]

  /// - Parameter width: bytes per token of a file without a header; nil takes 2, and refuses a file that looks wider.
  /// - Throws: `CorpusError` with the path, for a file that has no tokens, is truncated, or is ambiguous.
  init(of file: WatchedFile, width asked: Int?) throws(CorpusError) {
    let path = file.path
    let first = try file.bytes(0..<min(file.size, Self.headerSize))
    let last = try file.bytes(file.size - 1..<file.size)
    if path.hasSuffix(".pkl") || FileKind.isPickle(first, last: last[0]) {
      throw CorpusError(
        .badText,
        """
        \(path) is a pickle, which can run a program when it is loaded, and is not opened; name token files in \
        data.paths, and set tokenizer.ids to the size of their vocabulary
        """)
    }
    func word(_ index: Int) -> Int {
      Int(first.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: index * 4, as: Int32.self) })
    }
    if first.count >= 4, let what = Self.others[word(0)] {
      throw CorpusError(
        .badText,
        "\(path) is an llm.c file (\(word(0))) with \(what), not with tokens; name a file that llm.c's dev/data makes")
    }
    if first.count >= 4, let format = Self.tokens[word(0)] {
      guard first.count >= Self.headerSize else {
        throw CorpusError(.badText, "\(path) is truncated: llm.c's header alone has \(Self.headerSize) bytes")
      }
      guard word(1) == format.version else {
        throw CorpusError(
          .badText,
          "\(path) has version \(word(1)) of llm.c's format \(word(0)), and foretop reads version \(format.version)")
      }
      let count = word(2)
      guard count > 0, file.size == Self.headerSize + count * format.width else {
        throw CorpusError(
          .badText,
          """
          \(path) is damaged or truncated: its header says \(count) tokens of \(format.width) bytes, and \
          \(file.size - Self.headerSize) bytes follow the header
          """)
      }
      (self.width, self.count, start) = (format.width, count, Self.headerSize)
      return
    }
    if let kind = FileKind.amongNumbers(Array(first)) {
      throw CorpusError(.badText, "\(path) is \(kind.refusal(of: path))")
    }
    if asked == nil, let what = Self.otherNumbers(first, of: file.size) {
      throw CorpusError(
        .badText,
        "\(path) looks like \(what), and not like tokens; set tokenizer.width where it does have tokens and no header")
    }
    if asked == nil, Self.hasHeader(first) {
      throw CorpusError(
        .badText,
        """
        \(path) begins with a header like those of llm.c's files, of a kind that foretop does not know (\(word(0))); name a file \
        that llm.c's dev/data makes, or set tokenizer.width where the file has tokens and no header
        """)
    }
    let width = asked ?? 2
    guard file.size % width == 0 else {
      throw CorpusError(
        .badText,
        width == 2
          ? "\(path) has \(file.size) bytes, an odd number, but nanoGPT's token files have 2 bytes a token: "
            + "this is not a token file, or it is truncated"
          : "\(path) has \(file.size) bytes, not a multiple of the \(width) bytes of a token (tokenizer.width): "
            + "this is not a token file, or it is truncated"
      )
    }
    if asked == nil, let wide = try Self.widthOfIntegers(in: file) {
      throw CorpusError(
        .badText,
        """
        \(path) looks like integers of \(wide) bytes each, and not of 2 as nanoGPT writes tokens: set tokenizer.width to \
        \(wide), or to 2 where it does have tokens of 2 bytes
        """)
    }
    (self.width, count, start) = (width, file.size / width, 0)
  }

  /// What else the first bytes of a file look like, in words; nil for integers.
  private static func otherNumbers(_ first: [UInt8], of size: Int) -> String? {
    func word(_ index: Int) -> UInt32 {
      first.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self) }
    }
    let words = first.count / 4
    if words > 0, tokens[Int(word(0).byteSwapped)] != nil || others[Int(word(0).byteSwapped)] != nil {
      return "a file of llm.c with its bytes in the other order"
    }
    // A length, and as much of JSON.
    if first.count > 9, first[8] == UInt8(ascii: "{"), first[4..<8].allSatisfy({ $0 == 0 }), Int(word(0)) < size {
      return "a model in safetensors"
    }
    let isPlain = first.allSatisfy { (0x20..<0x7F).contains($0) || $0 == 0x0A || $0 == 0x0D || $0 == 0x09 }
    if first.count >= 16, isPlain { return "text (for tokenizer.kind sentencepiece, bpe, bytes or characters)" }
    // Tokens of two bytes would have to be from 12 800 to 19 711, or 32 768 more, at every second place.
    let isReal = (0..<words).allSatisfy { (1e-8...1e8).contains(abs(Float(bitPattern: word($0)))) }
    return words >= 64 && isReal ? "numbers in fp32" : nil
  }

  /// True if a file of an unknown kind begins as llm.c's files do: 256 words, of which the first is a date (20240520) and the last
  /// 240 are zero.
  private static func hasHeader(_ first: [UInt8]) -> Bool {
    guard first.count == headerSize, first[64...].allSatisfy({ $0 == 0 }) else { return false }
    return (20_200_101...20_991_231).contains(first.withUnsafeBytes { $0.load(as: Int32.self) })
  }

  /// The width that a file's integers seem to have, if that is not 2: the upper halves of wide integers, at every
  /// second 16-bit word (or at three of four), are zero or small, and the lower halves are not.
  private static func widthOfIntegers(in file: WatchedFile) throws(CorpusError) -> Int? {
    let most = 1 << 15
    var words: [UInt16] = []
    // From the beginning, the middle and the end, at places that any width divides.
    for start in [0, file.size / 2 / 8 * 8, max(0, file.size - most) / 8 * 8] {
      let bytes = try file.bytes(start..<min(file.size, start + most) / 8 * 8)
      words += bytes.withUnsafeBytes { bytes in
        (0..<bytes.count / 2).map { bytes.loadUnaligned(fromByteOffset: 2 * $0, as: UInt16.self) }
      }
    }
    return widthOfIntegers(words)
  }

  /// The same for the 16-bit words of a file; nil if there are too few words.
  static func widthOfIntegers(_ words: [UInt16]) -> Int? {
    guard words.count >= 48 else { return nil }
    let words = words.withoutSigns
    /// The largest word at each of four places.
    var most: [UInt16] = [0, 0, 0, 0]
    for (index, word) in words.enumerated() { most[index % 4] = max(most[index % 4], word) }
    // No vocabulary has 2^20 tokens. Tokens of 2 bytes stand at odd places as at even ones.
    func isUpper(_ upper: UInt16, of lower: UInt16) -> Bool { upper < 16 && (lower > 255 || (upper == 0 && lower > 0)) }
    if most[2] == 0, most[3] == 0, isUpper(most[1], of: most[0]) { return 8 }
    if isUpper(max(most[1], most[3]), of: max(most[0], most[2])) { return 4 }
    return nil
  }
}

extension [UInt16] {
  /// The 16-bit words of a file where the upper words of negative integers, of 64 or 32 bits, are 0.
  fileprivate var withoutSigns: [UInt16] {
    var words = self
    let sign = UInt16.max
    // A file that was overwritten with ones has no integers at all.
    guard contains(0) else { return words }
    for index in stride(from: 0, to: words.count - 1, by: 2) where words[index + 1] == sign && words[index] >= 1 << 15 {
      let isWide = index % 4 == 0 && index + 3 < words.count && words[index + 2] == sign && words[index + 3] == sign
      words[index + 1] = 0
      if isWide { (words[index + 2], words[index + 3]) = (0, 0) }
    }
    return words
  }
}
