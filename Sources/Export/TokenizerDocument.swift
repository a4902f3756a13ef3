// Reads tokenizer.json, the format of Hugging Face's tokenizers library, if one of foretop's tokenizers is equivalent.
import Corpus
import Run

/// A supported `tokenizer.json`.
struct TokenizerDocument {
  let record: TokenizerRecord

  /// The longest supported piece in bytes, since all places in a piece are checked. The longest pieces of real tokenizers are
  /// runs of spaces.
  private static let longestPiece = 512

  /// - Parameters:
  ///   - document: the file's JSON.
  ///   - bytes: the file's bytes.
  /// - Throws: `UserError` that names the unsupported feature.
  init(_ document: JSON, _ bytes: [UInt8], source: String) throws {
    func refuse(_ what: String) -> UserError {
      UserError(
        .data,
        "\(source): \(what); foretop supports SentencePiece models, byte-level BPE, bytes and characters: put a tokenizer.model beside the file, or import the network without a tokenizer, for token files, with --set tokenizer.kind=tokens --data FILE.bin"
      )
    }
    guard let model = document["model"] else { throw refuse("it has no model") }
    let kind = model["type"]?.string ?? (model["merges"] != nil ? "BPE" : "of no type")
    guard kind == "BPE", let vocabulary = model["vocab"]?.members else {
      throw refuse("its model is \(kind), which foretop does not have")
    }
    var texts = [[UInt8]?](repeating: nil, count: vocabulary.count)
    for member in vocabulary {
      guard let id = member.value.whole, texts.indices.contains(id), texts[id] == nil else {
        throw refuse("the ids of its tokens are not 0 to \(vocabulary.count - 1)")
      }
      texts[id] = Array(member.key.utf8)
    }
    let pieces = texts.compactMap { $0 }
    if let long = pieces.first(where: { $0.count > Self.longestPiece }) {
      throw refuse(
        "it has a token of \(long.count) bytes, more than the \(Self.longestPiece) that a word piece may have")
    }
    let merges = model["merges"]?.elements ?? []
    if document.tokenizerSteps("pre_tokenizer", "pretokenizers").contains(where: { $0["type"]?.string == "ByteLevel" })
    {
      guard merges.isEmpty, pieces == BytePairFile.byteNames.map({ Array(String($0).utf8) }) else {
        record = try Self.pairs(bytes, source: source)
        return
      }
      record = TokenizerRecord(kind: "bytes", model: [], vocabulary: 256)
      return
    }
    if merges.isEmpty, document["pre_tokenizer"] == nil, document["normalizer"] == nil,
      let text = Self.characters(pieces)
    {
      record = TokenizerRecord(kind: "characters", model: text, vocabulary: pieces.count)
      return
    }
    guard model["byte_fallback"]?.isTrue == true, pieces.count(where: Self.isByte) == 256,
      model["ignore_merges"]?.isTrue != true, model["dropout"] == nil
    else {
      throw refuse("its BPE is not one that was made from a SentencePiece model with byte_fallback")
    }
    guard let spaces = Spaces(document) else {
      throw refuse("it treats spaces differently from SentencePiece")
    }
    guard let scores = Self.scores(pieces, merges) else {
      throw refuse("its merges differ from those of a SentencePiece model, which merges every pair that makes a piece")
    }
    record = TokenizerRecord(
      kind: "sentencepiece", model: Self.model(pieces, scores, document, addsSpaceBefore: spaces.areAddedBefore),
      vocabulary: pieces.count)
  }

  private static func pairs(_ bytes: [UInt8], source: String) throws -> TokenizerRecord {
    do {
      return TokenizerRecord(kind: "bpe", model: bytes, vocabulary: try BytePairFile(bytes).tokens.count)
    } catch {
      throw UserError(
        .data,
        "\(source): \(error); --set tokenizer.kind=tokens --data FILE.bin imports the network without a tokenizer, for token files"
      )
    }
  }

  /// The text of all characters, if each token is one character in order of code points, plus one token for all others.
  private static func characters(_ pieces: [[UInt8]]) -> [UInt8]? {
    guard pieces.count > 1, pieces.last == Array("<unk>".utf8) else { return nil }
    let scalars = pieces.dropLast().map { String(decoding: $0, as: UTF8.self).unicodeScalars }
    guard scalars.allSatisfy({ $0.count == 1 }) else { return nil }
    let values = scalars.compactMap(\.first?.value)
    return zip(values, values.dropFirst()).allSatisfy(<) ? pieces.dropLast().flatMap { $0 } : nil
  }

  // MARK: SentencePiece

  /// The treatment of spaces, if SentencePiece has it.
  private struct Spaces {
    var areAddedBefore = false

    init?(_ document: JSON) {
      var isReplaced = false
      for step in document.tokenizerSteps("normalizer", "normalizers") {
        switch step["type"]?.string {
        case "Prepend" where step["prepend"]?.string == "▁": areAddedBefore = true
        case "Replace" where step["pattern"]?["String"]?.string == " " && step["content"]?.string == "▁":
          isReplaced = true
        default: return nil
        }
      }
      for step in document.tokenizerSteps("pre_tokenizer", "pretokenizers") {
        guard step["type"]?.string == "Metaspace", step["replacement"]?.string ?? "▁" == "▁",
          step["split"]?.isTrue == false
        else { return nil }
        isReplaced = true
        let scheme = step["prepend_scheme"]?.string ?? (step["add_prefix_space"]?.isTrue == false ? "never" : "always")
        areAddedBefore = areAddedBefore || scheme != "never"
      }
      guard isReplaced else { return nil }
    }
  }

  private struct Pair: Hashable {
    let left: [UInt8]
    let right: [UInt8]
  }

  /// Scores with which SentencePiece makes the merges of the list: minus the index of a piece's first merge.
  /// - Returns: nil if SentencePiece would make other merges, or merge in another order.
  private static func scores(_ pieces: [[UInt8]], _ merges: [JSON]) -> [Float]? {
    var ranks: [Pair: Int] = [:]
    var scores: [[UInt8]: Float] = [:]
    var last: [UInt8]?
    for (rank, merge) in merges.enumerated() {
      let words =
        merge.elements?.compactMap { $0.string.map { Array($0.utf8) } }
        ?? merge.string.map { $0.split(separator: " ", omittingEmptySubsequences: false).map { Array($0.utf8) } } ?? []
      guard words.count == 2 else { return nil }
      let piece = words[0] + words[1]
      ranks[Pair(left: words[0], right: words[1])] = rank
      // All merges that make a piece must be adjacent, since a piece has one score.
      if piece != last {
        guard scores[piece] == nil else { return nil }
        scores[piece] = -Float(scores.count)
      }
      last = piece
    }
    let known = Set(pieces)
    guard scores.keys.allSatisfy(known.contains) else { return nil }
    for piece in pieces where !isNamed(piece) {
      for cut in piece.indices.dropFirst() where piece[cut] & 0xC0 != 0x80 {
        let pair = Pair(left: Array(piece[..<cut]), right: Array(piece[cut...]))
        if known.contains(pair.left), known.contains(pair.right), ranks[pair] == nil { return nil }
      }
    }
    return pieces.map { scores[$0] ?? -Float(scores.count) }
  }

  /// True for pieces that are not text: `<unk>`, `<s>`, `</s>`, `<0x0A>`.
  private static func isNamed(_ piece: [UInt8]) -> Bool {
    [Array("<unk>".utf8), Array("<s>".utf8), Array("</s>".utf8)].contains(piece) || isByte(piece)
  }

  private static func isByte(_ piece: [UInt8]) -> Bool {
    let text = String(decoding: piece, as: UTF8.self)
    return text.utf8.count == 6 && text.hasPrefix("<0x") && text.hasSuffix(">")
      && UInt8(text.dropFirst(3).dropLast(), radix: 16) != nil
  }

  /// A SentencePiece model file (`ModelProto` in sentencepiece_model.proto).
  private static func model(
    _ pieces: [[UInt8]], _ scores: [Float], _ document: JSON, addsSpaceBefore: Bool
  ) -> [UInt8] {
    let unknown = Array((document["model"]?["unk_token"]?.string ?? "<unk>").utf8)
    let special = Set(
      (document["added_tokens"]?.elements ?? []).filter { $0["special"]?.isTrue == true }
        .compactMap { $0["content"]?.string.map { Array($0.utf8) } })
    var bytes: [UInt8] = []
    for (piece, score) in zip(pieces, scores) {
      let kind: SentencePiece.Category =
        piece == unknown ? .unknown : isByte(piece) ? .byte : special.contains(piece) ? .control : .normal
      bytes += SentencePiece(text: piece, score: kind == .normal ? score : 0, kind: kind).field
    }
    var trainer = ProtocolBuffer()
    trainer.add(3, whole: SentencePieceFile.Algorithm.bpe.rawValue)
    trainer.add(4, whole: UInt64(pieces.count))
    trainer.add(35, whole: 1)
    var normalizer = ProtocolBuffer()
    normalizer.add(1, bytes: Array("identity".utf8))
    normalizer.add(3, whole: addsSpaceBefore ? 1 : 0)
    normalizer.add(4, whole: 0)
    normalizer.add(5, whole: 1)
    var file = ProtocolBuffer()
    file.add(2, bytes: trainer.bytes)
    file.add(3, bytes: normalizer.bytes)
    return bytes + file.bytes
  }
}
