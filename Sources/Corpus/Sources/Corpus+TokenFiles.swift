// A corpus of token files: the training files, the held-out files, and the tokenizer of their tokens.
import Foundation
import Run

extension Corpus {
  /// The token files at paths. A folder stands for its `.bin` files and those of its subfolders, in order of their
  /// names. Files with the word `val` in their name (nanoGPT's `val.bin`, llm.c's `tiny_shakespeare_val.bin`), or in a
  /// folder with such a name, are held out.
  private static func tokenFiles(
    at paths: [String], width: Int?
  ) throws(CorpusError) -> (training: [TokenFile], heldOut: [TokenFile]) {
    var (training, heldOut): ([TokenFile], [TokenFile]) = ([], [])
    for path in paths {
      var found: [(path: String, isHeldOut: Bool)] = []
      if DataFolder.isFolder(path) {
        try addFolder(path, isHeldOut: isHeldOut(path), to: &found)
        guard !found.isEmpty else {
          throw CorpusError(
            .empty, "\(path) is a folder without a file that ends in .bin; name one with token files, or the files")
        }
      } else {
        found = [(path, isHeldOut(path))]
      }
      for (path, isHeldOut) in found {
        let file = try TokenFile(at: path, width: width)
        // Any file of an even size could be numbers of 16 bits: a text must not become tokens unasked.
        guard path.hasSuffix(".bin") else {
          throw CorpusError(
            .usage,
            "\(path) does not end in .bin, as token files do: rename the file, or choose another "
              + "tokenizer.kind for text")
        }
        if isHeldOut { heldOut.append(file) } else { training.append(file) }
      }
    }
    return (training, heldOut)
  }

  private static func addFolder(
    _ folder: String, isHeldOut: Bool, to files: inout [(path: String, isHeldOut: Bool)]
  ) throws(CorpusError) {
    for name in try DataFolder.names(in: folder) where !name.hasPrefix(".") {
      let path = DataFolder.path(folder, name)
      if DataFolder.isFolder(path, followsLinks: false) {
        try addFolder(path, isHeldOut: isHeldOut || Self.isHeldOut(name), to: &files)
      } else if name.hasSuffix(".bin") {
        files.append((path, isHeldOut || Self.isHeldOut(name)))
      }
    }
  }

  /// True if a name has the word `val`.
  private static func isHeldOut(_ path: String) -> Bool {
    (path as NSString).lastPathComponent.lowercased().split { !$0.isLetter }.contains {
      ["val", "valid", "validation"].contains($0)
    }
  }

  /// The tokenizer of the tokens: a checkpoint's, the one named by `tokenizer.model`, or one that shows plain numbers.
  /// - Parameter largest: computes the largest token of the files; called only if nothing else gives the vocabulary
  ///   size.
  private static func tokenizer(
    _ source: Source, _ restored: Tokenizer?, largest: () throws(CorpusError) -> UInt64?
  ) throws(CorpusError) -> Tokenizer {
    if let restored { return restored }
    if !source.model.isEmpty { return try Cache.named(source.model) }
    let vocabulary = source.ids > 0 ? source.ids : Int(min(try largest() ?? 0, UInt64(TokenCensus.limit - 1))) + 1
    return try Tokenizer(kind: .tokens, model: Array(String(vocabulary).utf8))
  }

  /// The token that ends a document.
  private static func end(_ documents: DocumentBounds?) throws(CorpusError) -> Int32? {
    guard let documents, !documents.separator.isEmpty else { return nil }
    guard let token = Int32(String(decoding: documents.separator, as: UTF8.self)), token >= 0 else {
      throw noEnd(documents)
    }
    return token
  }

  private static func noEnd(_ documents: DocumentBounds?, _ vocabulary: Int? = nil) -> CorpusError {
    CorpusError(
      .usage,
      """
      data.separator is \(String(decoding: documents?.separator ?? [], as: UTF8.self).quotation); for token files it \
      must be the number of the token that ends a document, such as \
      50256\(vocabulary.map { ", below the vocabulary's \($0)" } ?? "")
      """)
  }

  /// The vocabulary size that a source's token files need.
  static func vocabulary(ofTokenFiles source: Source) throws(CorpusError) -> Int {
    let (training, heldOut) = try tokenFiles(at: source.paths, width: source.width)
    var census = TokenCensus(before: 0)
    let tokenizer = try tokenizer(source, nil) { () throws(CorpusError) in
      for file in training + heldOut { try file.survey(&census) }
      return census.largest?.token
    }
    try TokenFiles(training + heldOut, vocabulary: tokenizer.vocabulary).check(census)
    return tokenizer.vocabulary
  }

  /// Opens token files as a corpus. Every file is read once from beginning to end, unless an earlier start did so, and later
  /// piece by piece when a step or an evaluation needs it.
  static func open(
    tokenFiles source: Source, tokenizer restored: Tokenizer?, _ report: (String) -> Void
  ) throws(CorpusError) -> Opened {
    let (training, heldOut) = try tokenFiles(at: source.paths, width: source.width)
    guard !training.isEmpty else {
      throw CorpusError(
        .empty, "\(source.paths.joined(separator: ", ")) has only files that are held out (val): name one to train on")
    }
    let name = Self.name(of: source.paths, files: training.count + heldOut.count)
    // A validation file is what is held out; without one it is a share from the end, as of texts.
    let hasOwn = !heldOut.isEmpty && source.heldOut > 0
    var alone = source
    if hasOwn { alone.heldOut = 0 }
    let count = training.reduce(0) { $0 + $1.count }
    let boundary = try Self.boundary(of: count, alone, name)
    let heldOutCount = heldOut.reduce(0) { $0 + $1.count }
    guard !hasOwn || heldOutCount >= source.context else {
      throw CorpusError(
        .tooShort,
        """
        \(heldOut[0].path) is held out by its name (val) and has \(heldOutCount) tokens, but a window needs \
        \(source.context); give a longer file, leave it out of data.paths, or set model.context to \
        \(heldOutCount) or less
        """)
    }
    let end = try end(source.documents)
    let bytes = (training + heldOut).reduce(0) { $0 + $1.size }
    if bytes > Self.quickBytes { report("counting the tokens of \(quantity(bytes, spaced: false))B") }
    let cache = Cache(folder: source.cache, spare: source.spareCache)
    let census = try cache.census(of: training, before: boundary, endedBy: end)
    let other = try cache.census(of: heldOut, before: 0, endedBy: end)
    let tokenizer = try tokenizer(source, restored) { max(census.largest?.token ?? 0, other.largest?.token ?? 0) }
    if let end, end >= tokenizer.vocabulary { throw noEnd(source.documents, tokenizer.vocabulary) }
    func part(_ files: [TokenFile], _ census: TokenCensus) throws(CorpusError) -> TokenRange {
      let files = TokenFiles(files, vocabulary: tokenizer.vocabulary)
      try files.check(census)
      return TokenRange(files, documents: source.documents == nil ? nil : census.starts)
    }
    let all = try part(training, census)
    let own = try part(heldOut, other)
    return Opened(
      tokenizer: tokenizer, training: all.part(0..<boundary),
      heldOut: hasOwn ? own : all.part(boundary..<all.count), bytes: bytes, files: training.count + heldOut.count,
      documents: all.documents, entropy: census.entropy, counts: census.counts, notices: [])
  }

  /// Files up to this size are read so quickly that no notice is needed.
  private static let quickBytes = 1 << 28

  /// The concatenated tokens of token files, for evaluation.
  /// - Parameter width: see `TokenFile`.
  /// - Throws: `CorpusError` if a file is not a token file, or has a token that the tokenizer does not have.
  package static func tokens(
    inFiles paths: [String], by tokenizer: Tokenizer, in documents: DocumentBounds? = nil, width: Int? = nil
  ) throws(CorpusError) -> TokenRange {
    let (training, heldOut) = try tokenFiles(at: paths, width: width)
    let end = try end(documents)
    if let end, end >= tokenizer.vocabulary { throw noEnd(documents, tokenizer.vocabulary) }
    var census = TokenCensus(before: 0, endedBy: end)
    for file in training + heldOut { try file.survey(&census) }
    let files = TokenFiles(training + heldOut, vocabulary: tokenizer.vocabulary)
    try files.check(census)
    return TokenRange(files, documents: documents == nil ? nil : census.starts)
  }
}
