// Tokenizes texts on all cores: several small files at a time, large files in parts, so that memory is bounded for any corpus.
// The tokens are those of each file tokenized whole.
import Foundation
import Run

/// The progress of tokenizing a corpus: the number of whole files, and the bytes of the next file's text.
struct TokenizingPlace: Sendable, Equatable {
  var file = 0
  var offset = 0
}

/// The tokens of a part of the texts.
struct TokenizedPart: Sendable {
  var tokens: [Int32] = []
  /// The indices of the tokens at which documents begin.
  var starts: [Int] = []
  /// The place after this part.
  var next = TokenizingPlace()
  /// Bytes of the part's text.
  var bytes = 0
}

extension TextFiles {
  /// Bytes of text tokenized at a time. A file of up to a sixteenth of that is tokenized whole by one thread.
  static let partSize = 1 << 24

  /// Calls `body` with the tokens of all files in order, part by part. If a file other than the last does not end with a line
  /// end, one is added.
  /// - Parameters:
  ///   - documents: how the texts are divided into documents; nil treats all as one text.
  ///   - place: where to begin: one that came out as `next` before.
  ///   - size: bytes of a part, about.
  ///   - done: receives after each part the number of bytes so far.
  func forEach(
    by tokenizer: Tokenizer, in documents: DocumentBounds?, from place: TokenizingPlace = TokenizingPlace(),
    size: Int = TextFiles.partSize, done: (Int) -> Void = { _ in }, _ body: (TokenizedPart) throws(CorpusError) -> Void
  ) throws(CorpusError) {
    var before = files[..<place.file].reduce(place.offset) { $0 + $1.size }
    func hand(_ part: TokenizedPart) throws(CorpusError) {
      try body(part)
      before += part.bytes
      done(before)
    }
    var (index, offset) = (place.file, place.offset)
    while index < files.count {
      let group = offset == 0 ? smallFiles(from: index, size) : index..<index
      if group.isEmpty {
        try TextParts(texts: self, index: index, tokenizer: tokenizer, documents: documents, size: size).forEach(
          from: offset, hand)
        (index, offset) = (index + 1, 0)
        continue
      }
      for result in tokens(of: group, by: tokenizer, in: documents) { try hand(try result.get()) }
      index = group.upperBound
    }
  }

  /// The longest range of small files from `first` on that is tokenized at a time.
  private func smallFiles(from first: Int, _ most: Int) -> Range<Int> {
    var (end, size) = (first, 0)
    while end < files.count, files[end].size <= most / 16, size < most {
      size += files[end].size
      end += 1
    }
    return first..<end
  }

  private func tokens(
    of group: Range<Int>, by tokenizer: Tokenizer, in documents: DocumentBounds?
  ) -> [Result<TokenizedPart, CorpusError>] {
    WorkerThread.map(group.count) { number in
      Result { () throws(CorpusError) in
        let index = group.lowerBound + number
        var all = TokenizedPart()
        let parts = TextParts(
          texts: self, index: index, tokenizer: tokenizer, documents: documents, size: Self.partSize, threads: 1)
        try parts.forEach { part throws(CorpusError) in
          all.starts += part.starts.map { all.tokens.count + $0 }
          all.tokens += part.tokens
          all.bytes += part.bytes
        }
        all.next = TokenizingPlace(file: index + 1)
        return all
      }
    }
  }

  /// The parts of one file.
  private struct TextParts {
    let texts: TextFiles
    let index: Int
    let tokenizer: Tokenizer
    let documents: DocumentBounds?
    let size: Int
    var threads = Processors.helpers

    var file: TextFile { texts.files[index] }
    private var isLast: Bool { index + 1 == texts.files.count }

    /// Reads the file from its beginning, and tokenizes it from `offset` on, which is where a part ended: what comes before is passed
    /// over uncut, since a cut may depend on the pieces that are read.
    /// - Throws: `CorpusError`, also where the file is not what it was when it was looked at.
    func forEach(
      from offset: Int = 0, _ body: (TokenizedPart) throws(CorpusError) -> Void
    ) throws(CorpusError) {
      var text: [UInt8] = []
      /// Bytes before `text`.
      var before = offset
      /// Of these, those that are still to be passed over.
      var unread = offset
      let areChecked = tokenizer.kind == .characters
      var characters = CharacterPlace()
      var enough = size + 64
      var ends: [Int] = []
      func takeParts(isAtEnd: Bool) throws(CorpusError) {
        while text.count >= enough || isAtEnd && !text.isEmpty {
          guard let end = cut(text, ends, isAtEnd: isAtEnd) else {
            // Checked again once the text is twice as long, so that a text without places to cut costs little more.
            enough = 2 * text.count
            return
          }
          enough = size + 64
          let part = Array(text[..<end])
          if areChecked { try characters.check(part, of: file.path) }
          var made = tokens(of: part, isFirst: before == 0, ends: ends)
          made.bytes = end
          let isWhole = isAtEnd && end == text.count
          made.next = isWhole ? TokenizingPlace(file: index + 1) : TokenizingPlace(file: index, offset: before + end)
          try body(made)
          before += end
          text.removeFirst(end)
          ends = ends.filter { $0 > end }.map { $0 - end }
        }
      }
      try file.forEachPiece { piece, newEnds throws(CorpusError) in
        let passed = min(unread, piece.count)
        unread -= passed
        if areChecked { characters.pass(piece[..<passed]) }
        ends += newEnds.filter { $0 > offset }.map { $0 - before }
        text.append(contentsOf: piece[passed...])
        if text.count >= enough { try takeParts(isAtEnd: false) }
      }
      if !isLast, let last = text.last, last != UInt8(ascii: "\n") { text.append(UInt8(ascii: "\n")) }
      try takeParts(isAtEnd: true)
    }

    /// True if every text of JSON lines is a document.
    private var hasRecords: Bool { documents?.separator.isEmpty == true && TextReader.isJSONLines(file.path) }

    /// The end of the next part; nil if more text must be read first.
    private func cut(_ text: [UInt8], _ ends: [Int], isAtEnd: Bool) -> Int? {
      if isAtEnd && text.count <= size { return text.count }
      let end: Int?
      if hasRecords {
        end = ends.last { $0 <= text.count }
      } else if let documents, !documents.separator.isEmpty {
        end = text.withUnsafeBytes { documents.lastEnd(in: $0) }
      } else {
        // The text after a cut decides whether the cut is allowed.
        end = tokenizer.blocks(of: text, size: size).first.flatMap {
          $0.upperBound + 32 <= text.count ? $0.upperBound : nil
        }
      }
      return end ?? (isAtEnd ? text.count : nil)
    }

    private func tokens(of part: [UInt8], isFirst: Bool, ends: [Int]) -> TokenizedPart {
      var made = TokenizedPart()
      if hasRecords || documents?.separator.isEmpty == false, let documents {
        let bounds = hasRecords ? ends.filter { $0 <= part.count } : nil
        (made.tokens, made.starts) = documents.tokens(of: part, endedAt: bounds, by: tokenizer, threads: threads)
      } else {
        made.tokens = part.withUnsafeBytes { tokenizer.tokens(of: $0, continuing: !isFirst, threads: threads) }
        made.starts = documents != nil && isFirst && !made.tokens.isEmpty ? [0] : []
      }
      return made
    }
  }
}
