// A corpus of files of tokens: which are to train on and which are held out, and what their numbers mean.
import Foundation
import Run

extension Corpus {
  /// The files that paths stand for. Of a folder these are its `.bin` files in order of their names; files with `val` as a
  /// word of their name are held out (nanoGPT's `val.bin`, llm.c's `tiny_shakespeare_val.bin`).
  private static func tokenFiles(
    at paths: [String]
  ) throws(CorpusError) -> (training: [TokenFile], heldOut: [TokenFile]) {
    var names: [String] = []
    for path in paths {
      var status = stat()
      guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
        names.append(path)
        continue
      }
      let inside = ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).filter {
        $0.hasSuffix(".bin") && !$0.hasPrefix(".")
      }
      guard !inside.isEmpty else {
        throw CorpusError(
          .empty, "\(path) is a folder without a file that ends in .bin; name one with token files, or the files")
      }
      names += inside.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.map {
        (path as NSString).appendingPathComponent($0)
      }
    }
    func isHeldOut(_ name: String) -> Bool {
      (name as NSString).lastPathComponent.lowercased().split { !$0.isLetter }.contains {
        ["val", "validation"].contains($0)
      }
    }
    var (training, heldOut): ([TokenFile], [TokenFile]) = ([], [])
    for name in names {
      let file = try TokenFile(at: name)
      // Any file of an even size could be numbers of 16 bits: a text must not become tokens unasked.
      guard name.hasSuffix(".bin") else {
        throw CorpusError(
          .usage,
          "\(name) is no token file by its name: token files end in .bin; of text, choose another tokenizer.kind")
      }
      if isHeldOut(name) { heldOut.append(file) } else { training.append(file) }
    }
    return (training, heldOut)
  }

  /// What the numbers mean: a tokenizer that was restored or is named, or numbers alone.
  private static func tokenizer(
    _ source: Source, _ restored: Tokenizer?, _ files: [TokenFile]
  ) throws(CorpusError) -> Tokenizer {
    if let restored { return restored }
    if !source.model.isEmpty {
      return try Cache.named(source.model)
    }
    let needed = files.map { Int($0.largest.token) + 1 }.max() ?? 1
    let vocabulary = source.ids > 0 ? source.ids : needed
    guard vocabulary <= 1 << 24 else {
      throw CorpusError(
        .badText, "\(files[0].path) has token \(needed - 1), more than any vocabulary has: this is no file of tokens")
    }
    return try Tokenizer(kind: .tokens, model: Array(String(vocabulary).utf8))
  }

  /// The token that ends a document.
  private static func end(_ documents: Documents?, _ vocabulary: Int) throws(CorpusError) -> Int32? {
    guard let documents, !documents.separator.isEmpty else { return nil }
    let text = String(decoding: documents.separator, as: UTF8.self)
    guard let token = Int32(text), token >= 0, token < vocabulary else {
      throw CorpusError(
        .usage,
        """
        data.separator is \(text.quotation); for files of tokens it is the number of the token that ends a document, such as 50256, \
        below the vocabulary's \(vocabulary)
        """)
    }
    return token
  }

  /// How many tokens a vocabulary needs for a source's files.
  static func vocabulary(ofTokenFiles source: Source) throws(CorpusError) -> Int {
    let (training, heldOut) = try tokenFiles(at: source.paths)
    return try tokenizer(source, nil, training + heldOut).vocabulary
  }

  /// Files of tokens as a corpus.
  static func open(
    tokenFiles source: Source, tokenizer restored: Tokenizer?
  ) throws(CorpusError) -> Opened {
    let (training, heldOut) = try tokenFiles(at: source.paths)
    guard !training.isEmpty else {
      throw CorpusError(
        .empty, "\(source.paths.joined(separator: ", ")) has only files that are held out (val): name one to train on")
    }
    let tokenizer = try tokenizer(source, restored, training + heldOut)
    let end = try end(source.documents, tokenizer.vocabulary)
    func part(_ files: [TokenFile]) throws(CorpusError) -> Part {
      let files = try TokenFiles(files, vocabulary: tokenizer.vocabulary)
      return Part(files, documents: source.documents == nil ? nil : files.starts(endedBy: end))
    }
    let all = try part(training)
    let name = Self.name(of: source.paths, files: training.count + heldOut.count)
    // A validation file is what is held out; without one it is a share from the end, as of texts.
    let hasOwn = !heldOut.isEmpty && source.heldOut > 0
    var alone = source
    if hasOwn { alone.heldOut = 0 }
    let boundary = try Self.boundary(of: all.count, alone, name)
    return Opened(
      tokenizer: tokenizer, training: all.part(0..<boundary),
      heldOut: hasOwn ? try part(heldOut) : all.part(boundary..<all.count),
      bytes: (training + heldOut).reduce(0) { $0 + $1.size }, files: training.count + heldOut.count,
      documents: all.documents)
  }

  /// Files of tokens one behind the other, for evaluation.
  /// - Throws: `CorpusError` where a file is none, or has a token that the tokenizer does not.
  package static func tokens(
    inFiles paths: [String], by tokenizer: Tokenizer, in documents: Documents? = nil
  ) throws(CorpusError) -> Part {
    let (training, heldOut) = try tokenFiles(at: paths)
    let files = try TokenFiles(training + heldOut, vocabulary: tokenizer.vocabulary)
    let end = try end(documents, tokenizer.vocabulary)
    return Part(files, documents: documents == nil ? nil : files.starts(endedBy: end))
  }
}
