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

  /// The folders that can be written, as far as is known.
  var writableFolders: ArraySlice<String> { folders.dropFirst(refusals.count) }

  /// Opens the cached file of a key.
  func file(_ key: [UInt8], _ ending: String) -> CacheFile? {
    for folder in folders {
      if let file = CacheFile(at: Self.path(in: folder, key, ending), key: key) { return file }
    }
    return nil
  }

  /// Opens the cached token file of a key, and counts its tokens in the same reading. If they were counted before, nothing but
  /// the file's header is read.
  private func tokens(
    _ key: [UInt8], below vocabulary: Int, before boundary: (Int) -> Int
  ) -> (file: CacheFile, census: TokenCensus)? {
    for folder in folders {
      var (known, counted): (TokenCensus?, TokenCensus?)
      let file = CacheFile(
        at: Self.path(in: folder, key, "tokens"), key: key,
        isKnown: { stamp, count in
          known = knownCensus(of: [stamp], before: boundary(count))
          return known?.count == count
        },
        visit: { piece, width, count in
          if counted == nil { counted = TokenCensus(before: boundary(count)) }
          if width > 1 { counted?.add(piece, width: width) }
        })
      guard let file, let census = counted ?? known, file.width > 1,
        census.largest.map({ $0.token < vocabulary }) ?? true
      else {
        continue
      }
      // The file has its own inode: nobody writes to it once it has its name.
      if let counted { keep(counted, of: [file.file.stamp]) }
      return (file, census)
    }
    return nil
  }

  /// Writes a file into the first folder that can be written.
  /// - Parameter files: of the text, where a draft is kept of what is written; nil for what is soon made again.
  /// - Returns: true if a folder could be written.
  func keep(
    _ key: [UInt8], _ ending: String, width: Int, filesOfText files: Int? = nil,
    content: (CacheFile.Append, TokenDraft?) throws(CorpusError) -> Void
  ) throws(CorpusError) -> Bool {
    for folder in writableFolders {
      do throws(CorpusError) {
        let path = Self.path(in: folder, key, ending)
        try CacheFile.write(path, key: key, width: width, draftOf: files, content: content)
        return true
      } catch {
        guard error.kind == .cannotWriteCache else { throw error }
        refusals.append((folder, error))
      }
    }
    return false
  }

  /// The tokenizer that `source` describes.
  /// - Parameters:
  ///   - reading: receives how many bytes of the texts are read, where they are read for it.
  ///   - pieces: receives how many pieces of how many are trained.
  func tokenizer(
    for texts: TextFiles, _ source: Corpus.Source, _ report: (String) -> Void, reading: (_ done: Int) -> Void,
    pieces: (_ done: Int, _ total: Int) -> Void
  ) throws(CorpusError) -> Tokenizer {
    switch source.kind {
    case .bytes: return try Tokenizer(kind: .bytes, model: [])
    case .tokens: preconditionFailure("token files are opened without a text")
    case .graph: throw Corpus.noGraphs
    case .characters: return try Tokenizer(kind: .characters, model: try characters(of: texts, reading))
    case .sentencepiece where source.model.isEmpty:
      return try trained(on: texts, vocabulary: source.vocabulary, report, reading, pieces)
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
    let isKept = try keep(hash, "tokens", width: isNarrow ? 2 : 4, filesOfText: texts.files.count) {
      append, draft throws(CorpusError) in
      // A second folder may be tried, and a draft may have a part already.
      starts = draft?.starts ?? []
      var count = draft?.tokens ?? 0
      try texts.forEach(by: tokenizer, in: documents, from: draft?.place ?? TokenizingPlace(), done: progress) {
        part throws(CorpusError) in
        starts += part.starts.map { count + $0 }
        count += part.tokens.count
        if isNarrow {
          try part.tokens.map { UInt16($0) }.withUnsafeBufferPointer { elements throws(CorpusError) in
            try append(UnsafeRawBufferPointer(elements))
          }
        } else {
          try part.tokens.withUnsafeBufferPointer { elements throws(CorpusError) in
            try append(UnsafeRawBufferPointer(elements))
          }
        }
        draft?.note(part.next, tokens: count, starts: starts)
      }
    }
    if isKept, let (file, census) = kept() {
      guard documents != nil else { return (part(file, nil), census) }
      _ = try keep(hash, "documents", width: 8) { append, _ throws(CorpusError) in
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
    on texts: TextFiles, vocabulary: Int, _ report: (String) -> Void, _ reading: (_ done: Int) -> Void,
    _ pieces: (_ done: Int, _ total: Int) -> Void
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
    var (done, pace) = (0, ReadingPace())
    for file in texts.files {
      try file.forEachPiece { piece, _ in
        sample.add(piece, isLast: false)
        done += piece.count
        if pace.isDue() { reading(done) }
      }
      sample.endFile()
    }
    reading(texts.size)
    let model = try sample.model(vocabulary: vocabulary) { pieces($0, vocabulary) }
    _ = try keep(hash, "model", width: 1) { append, _ throws(CorpusError) in
      try model.withUnsafeBufferPointer { elements throws(CorpusError) in try append(UnsafeRawBufferPointer(elements)) }
    }
    return try Tokenizer(kind: .sentencepiece, model: model)
  }

  private func characters(of texts: TextFiles, _ reading: (_ done: Int) -> Void) throws(CorpusError) -> [UInt8] {
    var census = CharacterCensus()
    var (done, pace) = (0, ReadingPace())
    for file in texts.files {
      var rest: [UInt8] = []
      var place = CharacterPlace()
      func add(_ count: Int) throws(CorpusError) {
        let part = Array(rest[..<count])
        try place.check(part, of: file.path)
        part.withUnsafeBytes { census.add($0) }
        rest.removeFirst(count)
      }
      try file.forEachPiece { piece, _ throws(CorpusError) in
        rest.append(contentsOf: piece)
        try add(rest.withUnsafeBytes(\.wholeScalars))
        done += piece.count
        if pace.isDue() { reading(done) }
      }
      try add(rest.count)
    }
    reading(texts.size)
    return census.model
  }

  static func path(in folder: String, _ key: [UInt8], _ ending: String) -> String {
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
