// What can be made again, kept: trained tokenizers and token files, each under the hash of all it was made from.
import Foundation

/// The cache folder, and another one for where it cannot be written. Files are named by SHA-256 over the contents of the texts (not
/// their paths or times: a changed file is another text, whatever its date says) and over whatever else decides the result.
final class Cache {
  private let folders: [String]
  /// The folders that took nothing, and why.
  private var refusals: [(folder: String, reason: CorpusError)] = []

  init(folder: String, spare: String? = nil) { folders = [folder] + (spare.map { [$0] } ?? []) }

  /// What became of a folder that cannot be written, in a sentence; nil where all is well.
  var notice: String? {
    guard let first = refusals.first else { return nil }
    let instead = folders.dropFirst(refusals.count).first
    return "\(first.reason): "
      + (instead.map { "\($0) is used instead" }
        ?? "tokens stay in memory, and are made again at the next start")
      + "; XDG_CACHE_HOME chooses another folder"
  }

  /// Opens what was kept under a key.
  private func file(_ key: [UInt8], _ ending: String) -> CacheFile? {
    for folder in folders {
      if let file = CacheFile(at: Self.path(in: folder, key, ending), key: key) { return file }
    }
    return nil
  }

  /// Opens a token file that was kept under a key, and counts its tokens in the same reading.
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

  /// Keeps what can be made again, in the first folder that takes it.
  /// - Returns: whether one did.
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
    case .characters: return try Tokenizer(kind: .characters, model: try characters(of: texts))
    case .sentencepiece where source.model.isEmpty: return try trained(on: texts, vocabulary: source.vocabulary, report)
    case .bpe where source.model.isEmpty:
      throw CorpusError(
        .usage,
        "tokenizer.kind is bpe, but tokenizer.model is empty: name a tokenizer.json there (foretop trains no BPE)"
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

  /// The tokenizer that a model file is: a SentencePiece model or a `tokenizer.json`.
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
  ///   - documents: how the texts are divided; nil takes them as one.
  ///   - boundary: how many of so many tokens are for training, which are counted.
  ///   - progress: told how many bytes of the texts are done.
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

    report("making tokens of \(quantity(texts.size, spaced: false))B (\(tokenizer.summary))")
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

  /// Where documents begin, as they were kept beside a token file; nil where that is not there or cannot be right.
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
  /// Part of what identifies token files in the cache: a change in encoding that changes tokens changes this.
  static let version = 1
}

extension Digest {
  fileprivate mutating func add(_ texts: TextFiles) {
    add(number: texts.files.count)
    for file in texts.files { add(field: file.digest) }
  }
}

extension TextFiles {
  /// Hands on the tokens of each file, a part of a long one at a time, and where documents begin among them. A file that others follow gets a line's end if
  /// it has none.
  /// - Parameters:
  ///   - documents: how the texts are divided; nil takes them as one.
  ///   - done: told after each part how many bytes were handed on so far.
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
  /// - Throws: `CorpusError.badText` where there is a byte that is part of no character.
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
