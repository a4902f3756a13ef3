// A SentencePiece model in memory. The only owner of the library's handles.
import CSentencePiece

/// A loaded model. Reading from several threads at once is safe.
///
/// Bytes that are not UTF-8, and U+2581, which SentencePiece uses for the space, are encoded as byte pieces, if the
/// model has these.
final class SentencePieceModel: @unchecked Sendable {
  // Unchecked: nothing changes after `init`, and the library's reading functions may be called from any thread.

  /// Where text may be cut so that the parts have the same tokens as the whole.
  enum Cut { case words, lines, nowhere }

  let vocabulary: Int
  let cut: Cut
  /// Whether the model puts a space before every text.
  let addsSpaceBefore: Bool
  /// The token of every byte value; empty if the model has no byte pieces.
  let byteTokens: [Int32]

  private let startHandle: OpaquePointer
  /// The same model without a space before the text, for text that continues.
  private let followingHandle: OpaquePointer
  /// The bytes of all pieces, concatenated.
  private let pieceBytes: [UInt8]
  /// Where each piece starts in `pieceBytes`; one more entry for the end of the last.
  private let pieceStarts: [Int]
  /// The names of special pieces, which do not stand for text.
  private let specials: [Int32: [UInt8]]

  /// Loads a model file's bytes.
  /// - Throws: `CorpusError.badTokenizer` if they are not a SentencePiece model.
  init(_ model: [UInt8]) throws(CorpusError) {
    guard let file = SentencePieceFile(model) else {
      throw CorpusError(.badTokenizer, "these \(model.count) bytes are not a SentencePiece model, or are damaged")
    }
    let start = try Self.load(model)
    var following = start
    if file.addsSpaceBefore {
      do throws(CorpusError) {
        following = try Self.load(model + SentencePieceFile.withoutSpaceBefore)
      } catch {
        sentencepiece_close(start)
        throw error
      }
    }
    let pieces = Pieces(start, marksSpaces: file.writesSpacesAsMarks)
    startHandle = start
    followingHandle = following
    vocabulary = Int(sentencepiece_vocabulary(start))
    addsSpaceBefore = file.addsSpaceBefore
    byteTokens = pieces.byteTokens
    pieceBytes = pieces.bytes
    pieceStarts = pieces.starts
    specials = pieces.specials
    let changesText = file.changesCharacters || file.removesSpaces || file.putsSpaceAfterWords
    if byteTokens.isEmpty || changesText || !file.writesSpacesAsMarks || pieces.crossLines {
      cut = .nowhere
    } else {
      // Unigram models weigh a whole line: only merges can be proved to stay inside of a word.
      cut = file.algorithm == SentencePieceFile.Algorithm.bpe.rawValue && !pieces.crossWords ? .words : .lines
    }
  }

  deinit {
    if followingHandle != startHandle { sentencepiece_close(followingHandle) }
    sentencepiece_close(startHandle)
  }

  private static func load(_ model: [UInt8]) throws(CorpusError) -> OpaquePointer {
    var handle: OpaquePointer?
    let message = taken(model.withUnsafeBytes { sentencepiece_load($0.baseAddress!, $0.count, &handle) })
    guard let handle, message == nil, sentencepiece_vocabulary(handle) > 0 else {
      if let handle { sentencepiece_close(handle) }
      throw CorpusError(
        .badTokenizer,
        "these \(model.count) bytes are not a SentencePiece model, or are damaged (\(message ?? "no pieces"))")
    }
    return handle
  }

  // MARK: Pieces

  /// The bytes that a token stands for: empty for control pieces, U+FFFD for the unknown piece.
  func bytes(of token: Int32) -> ArraySlice<UInt8> {
    pieceBytes[pieceStarts[Int(token)]..<pieceStarts[Int(token) + 1]]
  }

  func bytes(of tokens: [Int32], continuing: Bool) -> [UInt8] {
    var text: [UInt8] = []
    for token in tokens { text += bytes(of: token) }
    if addsSpaceBefore, !continuing, text.first == 0x20, let first = tokens.first, !byteTokens.contains(first) {
      text.removeFirst()
    }
    return text
  }

  /// The name of a special piece; nil for a piece of text.
  func special(_ token: Int32) -> [UInt8]? { specials[token] }

  // MARK: Encoding

  /// The tokens of UTF-8 text that is not cut any further.
  func encode(_ text: Slice<UnsafeRawBufferPointer>, isStart: Bool, into tokens: inout [Int32]) {
    guard !text.isEmpty else { return }
    var ids: UnsafeMutablePointer<Int32>?
    var count = 0
    let message = taken(
      UnsafeRawBufferPointer(rebasing: text).withMemoryRebound(to: CChar.self) {
        sentencepiece_encode(isStart ? startHandle : followingHandle, $0.baseAddress!, $0.count, &ids, &count)
      })
    precondition(message == nil, "SentencePiece did not encode with a loaded model: \(message ?? "")")
    tokens.append(contentsOf: UnsafeBufferPointer(start: ids, count: count))
    sentencepiece_free(ids)
  }
}

/// Converts a message of the library to a String and frees it; nil if there is no message.
func taken(_ message: UnsafeMutablePointer<CChar>?) -> String? {
  guard let message else { return nil }
  defer { sentencepiece_free(message) }
  return String(cString: message)
}

/// Information about all pieces of a model, read once.
private struct Pieces {
  var bytes: [UInt8] = []
  var starts: [Int] = [0]
  var byteTokens: [Int32] = []
  var specials: [Int32: [UInt8]] = [:]
  /// True if a piece extends across a line end.
  var crossLines = false
  /// True if a piece extends from one word into the next.
  var crossWords = false

  init(_ handle: OpaquePointer, marksSpaces: Bool) {
    let vocabulary = sentencepiece_vocabulary(handle)
    var byteTokens = [Int32](repeating: -1, count: 256)
    for id in 0..<vocabulary {
      var count = 0
      let start = sentencepiece_piece(handle, id, &count)
      let name = Array(UnsafeRawBufferPointer(start: start, count: count))
      if sentencepiece_is_unknown(handle, id) || sentencepiece_is_control(handle, id) {
        specials[id] = name
        if sentencepiece_is_unknown(handle, id) { bytes += Array("\u{FFFD}".utf8) }
      } else if sentencepiece_is_byte(handle, id), let byte = Self.byte(name) {
        byteTokens[Int(byte)] = id
        bytes.append(byte)
      } else {
        add(marksSpaces ? Self.withSpaces(name) : name)
      }
      starts.append(bytes.count)
    }
    if !byteTokens.contains(-1) { self.byteTokens = byteTokens }
  }

  private mutating func add(_ piece: [UInt8]) {
    bytes += piece
    for (before, after) in zip(piece, piece.dropFirst()) {
      if before == UInt8(ascii: "\n") { crossLines = true }
      if after == UInt8(ascii: " ") && before != UInt8(ascii: " ") { crossWords = true }
    }
  }

  /// The value of a piece such as `<0x0A>`.
  private static func byte(_ name: [UInt8]) -> UInt8? {
    UInt8(String(decoding: name.dropFirst(3).dropLast(), as: UTF8.self), radix: 16)
  }

  private static func withSpaces(_ name: [UInt8]) -> [UInt8] {
    var text: [UInt8] = []
    var index = 0
    while index < name.count {
      if name[index...].starts(with: [0xE2, 0x96, 0x81]) {
        text.append(UInt8(ascii: " "))
        index += 3
      } else {
        text.append(name[index])
        index += 1
      }
    }
    return text
  }
}
