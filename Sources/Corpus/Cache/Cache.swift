// The cache of trained tokenizers and token files. Each file is found by the hash of everything that determines its
// content.
import Foundation

/// The cache folder, and a second one to use if the first cannot be written. Files are named by SHA-256 over the
/// contents of the texts (not over their paths or times) and over everything else that determines the result.
final class Cache {
  private let folders: [String]
  /// The folders that could not be written, and why.
  private var refusals: [(folder: String, reason: CorpusError)] = []

  init(folder: String, spare: String? = nil) { folders = [folder] + (spare.map { [$0] } ?? []) }

  /// A sentence about the folders that cannot be written; nil if there are none.
  var notice: String? {
    guard let first = refusals.first else { return nil }
    let instead = folders.dropFirst(refusals.count).first
    return "\(first.reason): "
      + (instead.map { "\($0) is used instead" }
        ?? "tokens stay in memory, and are made again at the next start")
      + "; XDG_CACHE_HOME chooses another folder"
  }

  /// Opens the cached file of a key.
  private func file(_ key: [UInt8], _ ending: String) -> CacheFile? {
    for folder in folders {
      if let file = CacheFile(at: Self.path(in: folder, key, ending), key: key) { return file }
    }
    return nil
  }

  /// Opens the cached token file of a key, and counts its tokens in the same reading.
  private func tokens(
    _ key: [UInt8], below vocabulary: Int, before boundary: (Int) -> Int
  ) -> (file: CacheFile, census: TokenCensus)? {
    for folder in folders {
      var census: TokenCensus?
      let file = CacheFile(at: Self.path(in: folder, key, "tokens"), key: key) { piece, width, count in
        if census == nil { census = TokenCensus(before: boundary(count)) }
        if width > 1 { census?.add(piece, width: width) }
      }
      guard let file, let census, file.width > 1, census.largest.map({ $0.token < vocabulary }) ?? true else {
        continue
      }
      return (file, census)
    }
    return nil
  }

  /// Writes a file into the first folder that can be written.
  /// - Returns: true if a folder could be written.
  private func keep(
    _ key: [UInt8], _ ending: String, width: Int, content: (CacheFile.Append) throws(CorpusError) -> Void
  ) throws(CorpusError) -> Bool {
    for folder in folders.dropFirst(refusals.count) {
      do throws(CorpusError) {
        try CacheFile.write(Self.path(in: folder, key, ending), key: key, width: width, content: content)
        return true
      } catch {
        guard error.kind == .cannotWriteCache else { throw error }
        refusals.append((folder, error))
      }
    }
    return false
  }

  /// The tokenizer that `source` describes.
  func tokenizer(
    for texts: TextFiles, _ source: Corpus.Source, _ report: (String) -> Void
  ) throws(CorpusError) -> Tokenizer {
    switch source.kind {
    case .bytes: return try Tokenizer(kind: .bytes, model: [])
    case .tokens: preconditionFailure("token files are opened without a text")
    case .graph: throw Corpus.noGraphs
    case .characters: return try Tokenizer(kind: .characters, model: try characters(of: texts))
    case .sentencepiece where source.model.isEmpty: return try trained(on: texts, vocabulary: source.vocabulary, report)
    case .bpe where source.model.isEmpty:
      throw CorpusError(
        .usage,
        "tokenizer.kind is bpe, but tokenizer.model is empty: name a tokenizer.json there (foretop cannot train a byte-level BPE)"
      )
    case .sentencepiece, .bpe:
      let tokenizer = try Self.named(source.model)
      guard tokenizer.kind == source.kind else {
        throw CorpusError(
          .badTokenizer,
          "\(source.model) is a tokenizer of kind \(tokenizer.kind.rawValue): set tokenizer.kind to \(tokenizer.kind.rawValue)"
        )
      }
      return tokenizer
    }
  }

  /// The tokenizer of a model file: a SentencePiece model or a `tokenizer.json`.
  static func named(_ path: String) throws(CorpusError) -> Tokenizer {
    let model = try TextFiles(at: [path])
    guard let file = model.files.first, file.path == path else {
      throw CorpusError(
        .badTokenizer, "\(path) is a folder; tokenizer.model must name a SentencePiece model or a tokenizer.json")
    }
    let bytes = try file.bytes()
    do throws(CorpusError) {
      return try Tokenizer(kind: Tokenizer.kind(ofModelFile: bytes), model: bytes)
    } catch {
      guard error.kind == .badTokenizer else { throw error }
      throw CorpusError(
        .badTokenizer,
        """
        \(path) is not a tokenizer: \(error); set tokenizer.model to a SentencePiece file (tokenizer.model) or to the \
        tokenizer.json of a byte-level BPE, or leave tokenizer.model empty to train a tokenizer
        """)
    }
  }

  /// The tokens of all texts in order.
  /// - Parameters:
  ///   - documents: how the texts are divided into documents; nil treats all as one text.
  ///   - boundary: returns how many of so many tokens belong to the training part; only these are counted.
  ///   - progress: receives how many bytes of the texts are done.
  func tokens(
    of texts: TextFiles, by tokenizer: Tokenizer, in documents: DocumentBounds?, before boundary: (Int) -> Int,
    _ report: (String) -> Void, progress: (Int) -> Void
  ) throws(CorpusError) -> (all: TokenRange, census: TokenCensus) {
    var key = Digest()
    key.add(field: "tokens")
    key.add(number: Tokenizer.version)
    key.add(field: tokenizer.kind.rawValue)
    key.add(field: tokenizer.model)
    key.add(texts)
    if let documents {
      key.add(field: "documents")
      key.add(field: documents.separator)
    }
    let hash = key.finished()
    func kept() -> (file: CacheFile, census: TokenCensus)? {
      self.tokens(hash, below: tokenizer.vocabulary, before: boundary)
    }
    func part(_ file: CacheFile, _ starts: [Int]?) -> TokenRange {
      TokenRange(TokenFiles([TokenFile(file)], vocabulary: tokenizer.vocabulary), documents: starts)
    }
    if let (file, census) = kept() {
      guard documents != nil else { return (part(file, nil), census) }
      if let starts = starts(hash, tokens: file.count) { return (part(file, starts), census) }
    }

    report("tokenizing \(quantity(texts.size, spaced: false))B (\(tokenizer.summary))")
    let isNarrow = tokenizer.vocabulary <= 1 << 16
    var starts: [Int] = []
    let isKept = try keep(hash, "tokens", width: isNarrow ? 2 : 4) { append throws(CorpusError) in
      // A second folder may be tried.
      starts = []
      var count = 0
      try texts.forEach(by: tokenizer, in: documents, done: progress) {
        (tokens: [Int32], places: [Int]) throws(CorpusError) in
        starts += places.map { count + $0 }
        count += tokens.count
        if isNarrow {
          try tokens.map { UInt16($0) }.withUnsafeBufferPointer { elements throws(CorpusError) in
            try append(UnsafeRawBufferPointer(elements))
          }
        } else {
          try tokens.withUnsafeBufferPointer { elements throws(CorpusError) in
            try append(UnsafeRawBufferPointer(elements))
          }
        }
      }
    }
    if isKept, let (file, census) = kept() {
      guard documents != nil else { return (part(file, nil), census) }
      _ = try keep(hash, "documents", width: 8) { append throws(CorpusError) in
        try starts.withUnsafeBufferPointer { elements throws(CorpusError) in
          try append(UnsafeRawBufferPointer(elements))
        }
      }
      return (part(file, starts), census)
    }
    let all = try Corpus.tokens(of: texts, by: tokenizer, in: documents)
    var census = TokenCensus(before: boundary(all.count))
    let tokens = try all.tokens(0..<all.count)
    tokens.withUnsafeBytes { census.add($0, width: 4) }
    return (all, census)
  }

  /// Where documents begin, from the cache; nil if the cache does not have it, or has impossible values.
  private func starts(_ key: [UInt8], tokens: Int) -> [Int]? {
    guard let file = file(key, "documents"), file.width == 8, let bytes = try? file.elements() else { return nil }
    let starts = bytes.withUnsafeBytes { Array($0.assumingMemoryBound(to: Int.self)) }
    let isRising = zip(starts, starts.dropFirst()).allSatisfy { $0 < $1 }
    return starts.first == 0 && isRising && (starts.last ?? 0) < tokens ? starts : nil
  }

  private func trained(
    on texts: TextFiles, vocabulary: Int, _ report: (String) -> Void
  ) throws(CorpusError) -> Tokenizer {
    var key = Digest()
    key.add(field: "sentencepiece")
    key.add(number: TrainingSample.version)
    key.add(number: vocabulary)
    key.add(texts)
    let hash = key.finished()
    if let file = file(hash, "model"), file.width == 1, let model = try? file.elements(),
      let tokenizer = try? Tokenizer(kind: .sentencepiece, model: model)
    {
      return tokenizer
    }

    report("training a tokenizer of \(vocabulary) pieces on \(quantity(texts.size, spaced: false))B")
    var sample = TrainingSample(total: texts.size)
    for file in texts.files { try file.bytes().withUnsafeBytes { sample.add($0) } }
    let model = try sample.model(vocabulary: vocabulary)
    _ = try keep(hash, "model", width: 1) { append throws(CorpusError) in
      try model.withUnsafeBufferPointer { elements throws(CorpusError) in try append(UnsafeRawBufferPointer(elements)) }
    }
    return try Tokenizer(kind: .sentencepiece, model: model)
  }

  private func characters(of texts: TextFiles) throws(CorpusError) -> [UInt8] {
    var census = CharacterCensus()
    for file in texts.files {
      let bytes = try file.bytes()
      try file.checkCharacters(bytes)
      bytes.withUnsafeBytes { census.add($0) }
    }
    return census.model
  }

  private static func path(in folder: String, _ key: [UInt8], _ ending: String) -> String {
    (folder as NSString).appendingPathComponent("\(hexadecimal(key)).\(ending)")
  }
}

extension Tokenizer {
  /// A part of a token file's cache key: increase it when a change of the encoding changes tokens.
  static let version = 1
}

extension Digest {
  fileprivate mutating func add(_ texts: TextFiles) {
    add(number: texts.files.count)
    for file in texts.files { add(field: file.digest) }
  }
}

extension TextFiles {
  /// Calls `body` with the tokens of each file and the places where documents begin; a long file comes in parts. If a
  /// file other than the last does not end with a line end, one is added.
  /// - Parameters:
  ///   - documents: how the texts are divided into documents; nil treats all as one text.
  ///   - done: receives after each part the number of bytes so far.
  func forEach(
    by tokenizer: Tokenizer, in documents: DocumentBounds?, done: (Int) -> Void = { _ in },
    _ body: (_ tokens: [Int32], _ starts: [Int]) throws(CorpusError) -> Void
  ) throws(CorpusError) {
    var before = 0
    for (index, file) in files.enumerated() {
      var bytes = try file.bytes()
      defer { before += bytes.count }
      if tokenizer.kind == .characters { try file.checkCharacters(bytes) }
      if index + 1 < files.count, bytes.last != UInt8(ascii: "\n") { bytes.append(UInt8(ascii: "\n")) }
      if let documents {
        let (tokens, starts) = documents.tokens(of: bytes, by: tokenizer)
        try body(tokens, starts)
        done(before + bytes.count)
      } else {
        for block in tokenizer.blocks(of: bytes) {
          let tokens = bytes.withUnsafeBytes {
            tokenizer.tokens(of: UnsafeRawBufferPointer(rebasing: $0[block]), continuing: block.lowerBound > 0)
          }
          try body(tokens, [])
          done(before + block.upperBound)
        }
      }
    }
  }
}

extension TextFile {
  /// - Throws: `CorpusError.badText` if the bytes are not UTF-8.
  fileprivate func checkCharacters(_ bytes: [UInt8]) throws(CorpusError) {
    guard let place = bytes.withUnsafeBytes({ $0.firstInvalidByte }) else { return }
    let line = 1 + bytes[..<place].count { $0 == UInt8(ascii: "\n") }
    throw CorpusError(
      .badText,
      """
      \(path), line \(line): byte \(place) is not valid UTF-8, so that the text cannot be split into characters; save \
      it as UTF-8, or set tokenizer.kind to sentencepiece or bytes
      """)
  }
}
